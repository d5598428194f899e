// Transactions: until consent sealed in the page's form, from then on in the store.
import { createHmac } from 'node:crypto'
import { PageError } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import { hashToken, mintSecret } from '../oauth/tokens.ts'
import { FORMAT, keys, type Transaction } from '../store/records.ts'
import { openUnder, type Sealer, sealUnder } from '../store/seal.ts'
import { ABSENT, type Entry } from '../store/store.ts'
import type { Deps } from './endpoint.ts'

/** Long enough to find a password and a second factor. */
const TRANSACTION_TTL_MS = 10 * 60_000
/** So that a form never outlives the record that says it was used. */
const RECORD_OUTLIVES_FORM_MS = 60_000

export type NewTransaction = Pick<
  Transaction,
  | 'clientId'
  | 'clientName'
  | 'clientHost'
  | 'redirectUri'
  | 'state'
  | 'codeChallenge'
  | 'route'
  | 'scopes'
  | 'wished'
  | 'upstreamUrl'
>

/** A transaction with the secret that only the browser it began in holds. */
export interface BoundTransaction {
  readonly transaction: Transaction
  readonly browserSecret: string
}

/** Leaves no trace here: anyone may ask, as often as they like (sec-C16). */
export function startTransaction(fields: NewTransaction, { now }: Deps): BoundTransaction {
  const browserSecret = mintSecret()
  const transaction: Transaction = {
    v: FORMAT,
    id: mintSecret(),
    ...fields,
    createdAtMs: now(),
    expiresAtMs: now() + TRANSACTION_TTL_MS,
    browserHash: hashToken(browserSecret),
    stage: 'consent',
    subject: undefined,
    upstream: undefined,
  }
  return { transaction, browserSecret }
}

/** The transaction as the form carries it: what was checked at /authorize comes back as it was, and nobody can read or change it. */
export function sealForm(transaction: Transaction, { issuer }: Gateway, { sealer }: Deps): string {
  const [key = ''] = formKeys(transaction.id, sealer)
  return `${transaction.id}.${sealUnder(key, issuer, JSON.stringify(transaction))}`
}

/** The transaction of a submitted form, or a page that says to start again. Once the store knows it, that is how it stands. */
export async function openForm(
  form: string | undefined,
  gateway: Gateway,
  deps: Deps,
): Promise<Entry<Transaction>> {
  const transaction = form === undefined ? undefined : unsealForm(form, gateway, deps)
  if (transaction === undefined) throw expired()
  const entry = (await stored(transaction.id, deps)) ?? { value: transaction, version: ABSENT }
  checkTime(entry.value, deps)
  return entry
}

function unsealForm(form: string, { issuer }: Gateway, { sealer }: Deps): Transaction | undefined {
  const [id = ''] = form.split('.', 1)
  for (const key of formKeys(id, sealer)) {
    const opened = openUnder(key, issuer, form.slice(id.length + 1))
    if (opened !== undefined) return JSON.parse(opened) as Transaction
  }
  return undefined
}

/** A key for each form: strangers may have as many forms made as they like, and one key is good for 2^32 texts. */
function formKeys(id: string, sealer: Sealer): string[] {
  return sealer.subkeys('consent_form').map((key) => createHmac('sha256', key).update(id).digest('base64url'))
}

/** The transaction with this id that went on past consent, or a page that says to start again. */
export async function loadTransaction(id: string | undefined, deps: Deps): Promise<Entry<Transaction>> {
  const entry = id === undefined ? undefined : await stored(id, deps)
  if (entry === undefined) throw expired()
  checkTime(entry.value, deps)
  return entry
}

function checkTime({ expiresAtMs }: Transaction, { now }: Deps): void {
  if (expiresAtMs <= now()) throw expired()
}

function stored(id: string, { store }: Deps): Promise<Entry<Transaction> | undefined> {
  return store.get<Transaction>(keys.transaction(hashToken(id)))
}

/** Moves the transaction on, if nobody else has: of two clicks or two tabs, one wins (sec-C5). */
export async function advance(
  entry: Entry<Transaction>,
  change: Partial<Transaction>,
  deps: Deps,
): Promise<void> {
  const next: Transaction = { ...entry.value, ...change }
  // A record that is dead when it is written would stop nobody.
  checkTime(next, deps)
  const won = await deps.store.cas(keys.transaction(hashToken(next.id)), entry.version, next, {
    expiresAtMs: next.expiresAtMs + RECORD_OUTLIVES_FORM_MS,
  })
  if (!won) throw alreadyUsed()
}

function expired(): PageError {
  return new PageError(400, 'This sign-in has expired', 'Go back to your client and connect again.')
}

export function configurationChanged(): PageError {
  return new PageError(
    400,
    'The configuration changed',
    'The server you were connecting to was changed in the meantime. Go back to your client and connect again.',
  )
}

export function alreadyUsed(): PageError {
  return new PageError(
    409,
    'This page was already used',
    'Your answer has been taken. Go back to your client, and connect again if it still asks.',
  )
}
