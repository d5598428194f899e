// An answer as a value: endpoints return it, the server writes it. No I/O.

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly cookies: readonly string[]
  readonly body: string
}

const NO_STORE = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const

export function jsonReply(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    status,
    headers: { ...NO_STORE, 'content-type': 'application/json', ...headers },
    cookies: [],
    body: JSON.stringify(value),
  }
}

/** 303 always: a 307 would send the password on to the client (RFC 9700 §4.12). No Referer either, since our URLs carry state. */
export function redirectReply(location: string, cookies: readonly string[] = []): Reply {
  return {
    status: 303,
    headers: { ...NO_STORE, location, 'referrer-policy': 'no-referrer' },
    cookies,
    body: '',
  }
}

export function htmlReply(
  status: number,
  html: string,
  headers: Readonly<Record<string, string>>,
  cookies: readonly string[] = [],
): Reply {
  return {
    status,
    headers: { ...NO_STORE, 'content-type': 'text/html; charset=utf-8', ...headers },
    cookies,
    body: html,
  }
}
