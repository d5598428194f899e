// What ties a transaction to the browser it began in: its cookie, and the forms' token made from it.
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
import { hashToken, sameHash } from '../oauth/tokens.ts'
import type { Transaction } from '../store/records.ts'
import type { EndpointRequest } from './endpoint.ts'
import type { BoundTransaction } from './transactions.ts'

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
      'This sign-in was answered already, or belongs to another browser',
      'Go back to your client and connect again, and finish in the browser that opens. If this page comes up again, this browser keeps no cookies for it: open it in your normal browser.',
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
