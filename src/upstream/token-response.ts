// What token endpoints really answer, turned into the JSON of RFC 6749 §5: form bodies, byte order marks, errors with
// status 200, numbers as strings. Pure; the protocol library judges only what comes out of here.

import { accountOfIdToken } from './account.ts'

/** Types that need more than the token itself to be used: the library refuses what is not `bearer`, but takes DPoP. Everything else that servers write (`user`, `N_A`, nothing) is sent as a bearer token. */
const BOUND_TYPES: ReadonlySet<string> = new Set(['dpop', 'pop', 'mac', 'hok'])

/** The member that the account's name is handed on in. */
export const ACCOUNT = 'account_name'

/** What RFC 6749 §5.2 calls them. Where a provider has words of its own, a dead link would look like a passing fault for ever. */
const ALIASES: Readonly<Record<string, string>> = {
  // GitHub
  bad_verification_code: 'invalid_grant',
  bad_refresh_token: 'invalid_grant',
  incorrect_client_credentials: 'invalid_client',
  redirect_uri_mismatch: 'invalid_request',
  // Slack
  invalid_code: 'invalid_grant',
  invalid_refresh_token: 'invalid_grant',
  invalid_client_id: 'invalid_client',
  bad_client_secret: 'invalid_client',
  bad_redirect_uri: 'invalid_request',
}

export interface RawTokenAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Only these are passed on: an id_token or a provider's own member is not ours to store. Of an id_token, the account's name. */
const STRINGS = [
  'access_token',
  'refresh_token',
  'token_type',
  'issued_token_type',
  'scope',
  'error',
] as const

/**
 * A Response as the protocol library wants it. An answer without a token and without an error is an `invalid_response`
 * of status 502. With `tokenObject`, the token is the one in that member, if the answer has one there.
 */
export function normaliseTokenAnswer(
  { status, headers, body }: RawTokenAnswer,
  tokenObject?: string | undefined,
): Response {
  const response = judged(status, body, tokenObject)
  const retryAfter = headers['retry-after']
  if (typeof retryAfter === 'string') response.headers.set('retry-after', retryAfter)
  return response
}

function judged(status: number, body: Buffer, tokenObject: string | undefined): Response {
  // A byte order mark is white space to `trim`.
  const members = within(parseMembers(body.toString('utf8').trim()), tokenObject)
  if (members === undefined)
    return answer(failureStatus(status), {
      error: status >= 500 && status <= 599 ? 'server_error' : 'invalid_response',
    })
  const token: Record<string, unknown> = {}
  for (const name of STRINGS) {
    const value = members[name]
    if (typeof value === 'string' && value !== '') token[name] = value
  }
  // GitHub answers errors with status 200 (spec-U8).
  if (token.error !== undefined) {
    const error = String(token.error)
    return answer(status < 400 ? 400 : failureStatus(status), {
      error: Object.hasOwn(ALIASES, error) ? ALIASES[error] : error,
    })
  }
  if (status >= 300 || !isSendable(token.access_token))
    return answer(failureStatus(status), { error: 'invalid_response' })
  const lifetime = lifetimeSeconds(members.expires_in)
  const account = accountOfIdToken(members.id_token)
  return answer(200, {
    ...token,
    token_type: BOUND_TYPES.has(String(token.token_type).toLowerCase()) ? 'unsupported' : 'bearer',
    ...(lifetime !== undefined && { expires_in: lifetime }),
    ...(account !== undefined && { [ACCOUNT]: account }),
  })
}

/**
 * Slack answers with a token of the app, and the person's in a member of its own, or at a refresh at the root. The app's
 * is the same for everybody, so it is never taken for a person's. An error is always at the root.
 */
function within(
  members: Readonly<Record<string, unknown>> | undefined,
  name: string | undefined,
): Readonly<Record<string, unknown>> | undefined {
  if (members === undefined || name === undefined || members.error !== undefined) return members
  const inner = Object.hasOwn(members, name) ? members[name] : undefined
  const holdsToken = typeof inner === 'object' && inner !== null && Object.hasOwn(inner, 'access_token')
  if (holdsToken) return { ...inner }
  return members.token_type === 'bot' ? { ...members, access_token: undefined } : members
}

function parseMembers(text: string): Readonly<Record<string, unknown>> | undefined {
  if (text.startsWith('{')) {
    try {
      return JSON.parse(text) as Record<string, unknown>
    } catch {
      return undefined
    }
  }
  // A form body, as GitHub sends without an Accept header: `access_token=…&scope=…`. HTML has no such pair.
  return /^[\w.-]+=[^<>\s]*$/.test(text) ? Object.fromEntries(new URLSearchParams(text)) : undefined
}

/** Some guards answer with statuses that HTTP does not have, such as 999; no Response can carry those. */
function failureStatus(status: number): number {
  return status >= 400 && status <= 599 ? status : 502
}

/** RFC 6749 appendix A.12: no header could carry anything else. */
function isSendable(token: unknown): boolean {
  return typeof token === 'string' && /^[\x20-\x7e]+$/.test(token)
}

/** Longer than any token lives, and every time that is reckoned from it is still a date. */
const LONGEST_S = 10 * 365 * 24 * 3600

/** Undefined, less than a second and below zero mean the same: the upstream did not say when the token ends. */
function lifetimeSeconds(value: unknown): number | undefined {
  const seconds = typeof value === 'string' ? Number.parseFloat(value) : value
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 1
    ? Math.min(Math.floor(seconds), LONGEST_S)
    : undefined
}

function answer(status: number, members: Readonly<Record<string, unknown>>): Response {
  return Response.json(members, { status })
}
