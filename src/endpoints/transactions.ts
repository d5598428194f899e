// Transactions: until consent sealed in the page's form, from then on in the store.
import { PageError } from '../errors.ts'
import { hashToken, mintSecret } from '../oauth/tokens.ts'
import { FORMAT, keys, type Transaction } from '../store/records.ts'
import { ABSENT, type Entry } from '../store/store.ts'
import type { Deps } from './endpoint.ts'

/** Long enough to find a password and a second factor. */
const TRANSACTION_TTL_MS = 10 * 60_000

const PURPOSE = 'consent_form'

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
export function sealForm(transaction: Transaction, { sealer }: Deps): string {
  return `${transaction.id}.${sealer.seal(PURPOSE, transaction.id, JSON.stringify(transaction))}`
}

/** The transaction of a submitted form, or a page that says to start again. Once the store knows it, that is how it stands. */
export async function openForm(form: string | undefined, deps: Deps): Promise<Entry<Transaction>> {
  const transaction = form === undefined ? undefined : unsealForm(form, deps)
  if (transaction === undefined || transaction.expiresAtMs <= deps.now()) throw expired()
  return (await stored(transaction.id, deps)) ?? { value: transaction, version: ABSENT }
}

function unsealForm(form: string, { sealer }: Deps): Transaction | undefined {
  const [id = ''] = form.split('.', 1)
  const opened = sealer.open(PURPOSE, id, form.slice(id.length + 1))
  return opened === undefined ? undefined : (JSON.parse(opened) as Transaction)
}

/** The transaction with this id that went on past consent, or a page that says to start again. */
export async function loadTransaction(id: string | undefined, deps: Deps): Promise<Entry<Transaction>> {
  const entry = id === undefined ? undefined : await stored(id, deps)
  if (entry === undefined) throw expired()
  return entry
}

function stored(id: string, { store }: Deps): Promise<Entry<Transaction> | undefined> {
  return store.get<Transaction>(keys.transaction(hashToken(id)))
}

/** Moves the transaction on, if nobody else has: of two clicks or two tabs, one wins (sec-C5). */
export async function advance(
  entry: Entry<Transaction>,
  change: Partial<Transaction>,
  { store }: Deps,
): Promise<void> {
  const next: Transaction = { ...entry.value, ...change }
  const won = await store.cas(keys.transaction(hashToken(next.id)), entry.version, next, {
    expiresAtMs: next.expiresAtMs,
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
