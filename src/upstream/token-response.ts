// What token endpoints really answer, turned into the JSON of RFC 6749 §5: form bodies, byte order marks, errors with
// status 200, numbers as strings. Pure; the protocol library judges only what comes out of here.

export interface RawTokenAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Only these are passed on: an id_token or a provider's own member is not ours to store. */
const STRINGS = ['access_token', 'refresh_token', 'token_type', 'scope', 'error'] as const

/** A Response as the protocol library wants it. An answer without a token and without an error is an `invalid_response` of status 502. */
export function normaliseTokenAnswer({ status, headers, body }: RawTokenAnswer): Response {
  const response = judged(status, body)
  const retryAfter = headers['retry-after']
  if (typeof retryAfter === 'string') response.headers.set('retry-after', retryAfter)
  return response
}

function judged(status: number, body: Buffer): Response {
  // A byte order mark is white space to `trim`.
  const members = parseMembers(body.toString('utf8').trim())
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
  if (token.error !== undefined)
    return answer(status < 400 ? 400 : failureStatus(status), { error: token.error })
  if (status >= 300 || token.access_token === undefined)
    return answer(failureStatus(status), { error: 'invalid_response' })
  const lifetime = lifetimeSeconds(members.expires_in)
  return answer(200, {
    ...token,
    token_type: typeof token.token_type === 'string' ? token.token_type : 'bearer',
    ...(lifetime !== undefined && { expires_in: lifetime }),
  })
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

/** Undefined, zero and below mean the same: the upstream did not say when the token ends. */
function lifetimeSeconds(value: unknown): number | undefined {
  const seconds = typeof value === 'string' ? Number.parseFloat(value) : value
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0
    ? Math.floor(seconds)
    : undefined
}

function answer(status: number, members: Readonly<Record<string, unknown>>): Response {
  return Response.json(members, { status })
}
