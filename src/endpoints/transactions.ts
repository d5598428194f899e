// Transactions in the store, and the cookies that tie each to the browser it began in.
import { createHmac } from 'node:crypto'
import {
  clearCookie,
  evictOldTransactions,
  setCookie,
  transactionCookieName,
  transactionCookieValue,
} from '../cookies.ts'
import { PageError } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import { hashToken, mintSecret, sameHash } from '../oauth/tokens.ts'
import { FORMAT, keys, type Transaction } from '../store/records.ts'
import type { Entry } from '../store/store.ts'
import type { Deps, EndpointRequest } from './endpoint.ts'

/** Long enough to find a password and a second factor. */
const TRANSACTION_TTL_MS = 10 * 60_000

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

export async function startTransaction(
  fields: NewTransaction,
  { store, now }: Deps,
): Promise<BoundTransaction> {
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
  await store.put(keys.transaction(hashToken(transaction.id)), transaction, {
    expiresAtMs: transaction.expiresAtMs,
  })
  return { transaction, browserSecret }
}

/** The transaction with this id, or a page that says to start again. */
export async function loadTransaction(id: string | undefined, { store }: Deps): Promise<Entry<Transaction>> {
  const entry = id === undefined ? undefined : await store.get<Transaction>(keys.transaction(hashToken(id)))
  if (entry === undefined) {
    throw new PageError(400, 'This sign-in has expired', 'Go back to your client and connect again.')
  }
  return entry
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

/**
 * The secret in this browser's cookie for the transaction. Whoever sends the form or comes back from the upstream must
 * be the browser that this transaction is bound to (sec-C2, sec-C3; CVE-2026-27124).
 */
export function checkBrowser(transaction: Transaction, request: EndpointRequest, gateway: Gateway): string {
  const cookie = request.cookies.get(transactionCookieName(gateway.cookies, transaction.id))
  const secret = cookie?.split('.')[1]
  if (secret === undefined || !sameHash(hashToken(secret), transaction.browserHash)) {
    throw new PageError(
      403,
      'This sign-in was started in another browser',
      'Finish it in the browser where it began. If it began here, this browser does not keep cookies for this page: open it in your normal browser and connect again.',
      { reason: cookie === undefined ? 'no_cookie' : 'wrong_cookie' },
    )
  }
  return secret
}

/** Set-Cookie lines that bind the transaction to this browser and drop the oldest others. */
export function bindCookies(
  { transaction, browserSecret }: BoundTransaction,
  request: EndpointRequest,
  gateway: Gateway,
  nowMs: number,
): string[] {
  const name = transactionCookieName(gateway.cookies, transaction.id)
  const others = new Map([...request.cookies].filter(([other]) => other !== name))
  const maxAgeSeconds = Math.floor((transaction.expiresAtMs - nowMs) / 1000)
  return [
    setCookie(gateway.cookies, name, transactionCookieValue(browserSecret, nowMs), maxAgeSeconds),
    ...evictOldTransactions(gateway.cookies, others),
  ]
}

export function unbindCookie(transaction: Transaction, gateway: Gateway): string {
  return clearCookie(gateway.cookies, transactionCookieName(gateway.cookies, transaction.id))
}

/** The form's token: only who holds this browser's cookie for this transaction can make it, every render makes the same one (sec-C9), and a change of the signed-in user makes another. */
export function csrfToken(
  { transaction, browserSecret }: BoundTransaction,
  subject: string | undefined,
): string {
  return createHmac('sha256', browserSecret)
    .update(JSON.stringify([transaction.id, subject ?? null]))
    .digest('base64url')
}
