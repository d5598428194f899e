// The gateway's cookies: their names, attributes and reading. Pure.
import { hashToken } from './oauth/tokens.ts'

export interface CookieNames {
  /** The browser's session at the gateway. */
  readonly session: string
  /** Starts the name of the cookie that binds one transaction to this browser. */
  readonly transactionPrefix: string
  readonly secure: boolean
}

/** More sign-ins at once than anyone needs; the header must stay far below what proxies take (sec-C8). */
export const MAX_TRANSACTION_COOKIES = 10

/**
 * `__Host-` keeps a sibling host from planting them (sec-L11). On http, which is loopback only, Safari would drop a
 * Secure cookie, so they go without. The hash of the public URL is there because cookies ignore ports.
 */
export function cookieNames(publicUrl: string): CookieNames {
  const secure = publicUrl.startsWith('https:')
  const base = `${secure ? '__Host-' : ''}mcpgw_${hashToken(publicUrl).slice(0, 6)}`
  return { session: `${base}_s`, transactionPrefix: `${base}_t_`, secure }
}

/** The first of two cookies with the same name wins, as RFC 6265 §5.4 orders them: the more specific one. */
export function parseCookies(header: string | undefined): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>()
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, Math.max(at, 0)).trim()
    if (name !== '' && !cookies.has(name)) cookies.set(name, pair.slice(at + 1).trim())
  }
  return cookies
}

export function setCookie(names: CookieNames, name: string, value: string, maxAgeSeconds: number): string {
  const secure = names.secure ? '; Secure' : ''
  return `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure}`
}

export function clearCookie(names: CookieNames, name: string): string {
  return setCookie(names, name, '', 0)
}

/** The cookie of one transaction. The time in front lets us drop the oldest when there are too many. */
export function transactionCookieName(names: CookieNames, transactionId: string): string {
  return names.transactionPrefix + hashToken(transactionId).slice(0, 8)
}

export function transactionCookieValue(secret: string, nowMs: number): string {
  return `${nowMs}.${secret}`
}

/** Set-Cookie lines that forget the oldest transactions of this browser, so that one more fits. Of two that are equally old the one named later is the newer: so RFC 6265 §5.4 orders them. */
export function evictOldTransactions(names: CookieNames, cookies: ReadonlyMap<string, string>): string[] {
  return [...cookies]
    .filter(([name]) => name.startsWith(names.transactionPrefix))
    .reverse()
    .sort(([, a], [, b]) => startedAt(b) - startedAt(a))
    .slice(MAX_TRANSACTION_COOKIES - 1)
    .map(([name]) => clearCookie(names, name))
}

/** A value without a time is not one of ours, so it is the oldest. */
function startedAt(value: string): number {
  return Number(value.split('.')[0]) || 0
}
