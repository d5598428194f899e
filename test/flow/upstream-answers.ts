// What an upstream may answer, and what becomes of it: the one table behind docs/upstream-errors.md and its test.
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Who has to do something before it works again. */
export type Actor = 'nobody' | 'client' | 'person' | 'operator' | 'upstream'

export interface Outcome {
  /** The status of a tool call, and the `error` of a 401 or 403 challenge. */
  readonly call: number
  /** The status of the client's own refresh. */
  readonly refresh: 200 | 400
  readonly acts: Actor
  /** Whether the person's link is good again as soon as the upstream is. */
  readonly kept: boolean
}

export interface Row extends Outcome {
  readonly answer: string
  readonly reply: (response: ServerResponse, request: IncomingMessage) => unknown
}

export const json =
  (status: number, body: unknown, headers = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
export const text =
  (status: number, type: string, body: string | Buffer, headers = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, { 'content-type': type, ...headers }).end(body)

let minted = 0
/** Accepted by the upstream under test because of its beginning. */
const fresh = () => `good-${++minted}`
const token =
  (more: Readonly<Record<string, unknown>> = {}, status = 200) =>
  (response: ServerResponse) =>
    json(status, {
      access_token: fresh(),
      token_type: 'Bearer',
      expires_in: 3600,
      refresh_token: `r-${minted}`,
      ...more,
    })(response)

const FINE: Outcome = { call: 200, refresh: 200, acts: 'nobody', kept: true }
const ENDED: Outcome = { call: 401, refresh: 400, acts: 'person', kept: false }
const OPERATOR: Outcome = { call: 502, refresh: 200, acts: 'operator', kept: true }
const PASSING: Outcome = { call: 503, refresh: 200, acts: 'upstream', kept: true }

/** What the upstream's token endpoint answers to a refresh of an expired token. */
export const REFRESH_ANSWERS: readonly Row[] = [
  { answer: '200 with a token', reply: token(), ...FINE },
  {
    answer: '200, form-encoded',
    reply: (response) =>
      text(
        200,
        'application/x-www-form-urlencoded',
        `access_token=${fresh()}&token_type=bearer&expires_in=3600`,
      )(response),
    ...FINE,
  },
  {
    answer: '200 behind a byte order mark',
    reply: (response) =>
      text(200, 'application/json', `\uFEFF{"access_token":"${fresh()}","expires_in":3600}`)(response),
    ...FINE,
  },
  { answer: '201 with a token', reply: token({}, 201), ...FINE },
  { answer: 'no `refresh_token`: the old one stays', reply: token({ refresh_token: undefined }), ...FINE },
  { answer: 'no `expires_in`', reply: token({ expires_in: undefined }), ...FINE },
  { answer: '`expires_in` as a string', reply: token({ expires_in: '3600' }), ...FINE },
  { answer: 'a negative `expires_in`: not known', reply: token({ expires_in: -1 }), ...FINE },
  { answer: 'no `token_type`', reply: token({ token_type: undefined }), ...FINE },
  { answer: 'a `token_type` of its own', reply: token({ token_type: 'user' }), ...FINE },
  { answer: 'a narrower `scope`', reply: token({ scope: 'a' }), ...FINE },
  { answer: '400 `invalid_grant`', reply: json(400, { error: 'invalid_grant' }), ...ENDED },
  {
    answer: '200 with GitHub’s `bad_refresh_token`',
    reply: json(200, { error: 'bad_refresh_token' }),
    ...ENDED,
  },
  { answer: '401 `invalid_client`', reply: json(401, { error: 'invalid_client' }), ...OPERATOR },
  { answer: '400 `unauthorized_client`', reply: json(400, { error: 'unauthorized_client' }), ...OPERATOR },
  { answer: '400 `invalid_scope`', reply: json(400, { error: 'invalid_scope' }), ...OPERATOR },
  { answer: '400 `invalid_target`', reply: json(400, { error: 'invalid_target' }), ...OPERATOR },
  { answer: '400 with an error of its own', reply: json(400, { error: 'account_locked' }), ...PASSING },
  { answer: '403 HTML (a firewall)', reply: text(403, 'text/html', '<h1>Blocked</h1>'), ...PASSING },
  { answer: '404', reply: text(404, 'text/html', '<h1>Not Found</h1>'), ...PASSING },
  {
    answer: '429 with Retry-After',
    reply: json(429, { error: 'slow_down' }, { 'retry-after': '3' }),
    ...PASSING,
  },
  { answer: '429 with `invalid_grant`', reply: json(429, { error: 'invalid_grant' }), ...PASSING },
  { answer: '500 HTML', reply: text(500, 'text/html', '<h1>Oops</h1>'), ...PASSING },
  {
    answer: '503',
    reply: text(503, 'text/plain', 'busy'),
    ...PASSING,
  },
  {
    answer: '302 to a sign-in page',
    reply: (response) => response.writeHead(302, { location: '/login' }).end(),
    ...PASSING,
  },
  { answer: '200 HTML', reply: text(200, 'text/html', '<!doctype html><title>Sign in</title>'), ...PASSING },
  { answer: '200 without a token', reply: json(200, {}), ...PASSING },
  { answer: '200 with a DPoP token', reply: token({ token_type: 'DPoP' }), ...PASSING },
  {
    answer: '200, gzip although not asked for',
    reply: text(200, 'application/json', Buffer.from([31, 139, 8, 0]), { 'content-encoding': 'gzip' }),
    ...PASSING,
  },
  {
    answer: '200 with 1 MiB',
    reply: text(200, 'application/json', `{"x":"${'x'.repeat(1024 * 1024)}"}`),
    ...PASSING,
  },
  { answer: 'the connection is closed', reply: (_response, request) => request.socket.destroy(), ...PASSING },
  {
    answer: 'the connection is closed in mid-answer',
    reply: (response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"access', () => response.destroy())
    },
    ...PASSING,
  },
  { answer: 'no answer', reply: () => {}, ...PASSING },
  {
    answer: 'an answer that stops half-way',
    reply: (response) => response.writeHead(200, { 'content-length': '100' }).write('{"access'),
    ...PASSING,
  },
]

/** What the upstream itself answers to a call with a token that should be good. `refresh`: of the client, afterwards. */
export const CALL_ANSWERS: readonly Row[] = [
  { answer: '401, and its refresh brings a token that works', reply: unauthorizedOnce(), ...FINE },
  {
    answer: '401 whatever the token',
    reply: text(401, 'text/plain', 'no', {
      'www-authenticate': 'Bearer resource_metadata="https://elsewhere.test/"',
    }),
    call: 401,
    refresh: 400,
    acts: 'person',
    kept: false,
  },
  {
    answer: '403 without a challenge',
    reply: text(403, 'application/json', '{}'),
    call: 403,
    refresh: 200,
    acts: 'operator',
    kept: true,
  },
  {
    answer: '404',
    reply: text(404, 'application/json', '{}'),
    call: 404,
    refresh: 200,
    acts: 'client',
    kept: true,
  },
  {
    answer: '429',
    reply: json(429, {}, { 'retry-after': '3' }),
    call: 429,
    refresh: 200,
    acts: 'upstream',
    kept: true,
  },
  {
    answer: '500 with a JSON-RPC error',
    reply: json(500, { jsonrpc: '2.0', id: 'hello-1', error: { code: -32603, message: 'of the upstream' } }),
    call: 500,
    refresh: 200,
    acts: 'upstream',
    kept: true,
  },
  {
    answer: '500 HTML',
    reply: text(500, 'text/html', '<h1>Oops</h1>'),
    call: 502,
    refresh: 200,
    acts: 'upstream',
    kept: true,
  },
  {
    answer: '503',
    reply: text(503, 'text/plain', 'busy', { 'retry-after': '3' }),
    call: 503,
    refresh: 200,
    acts: 'upstream',
    kept: true,
  },
  {
    answer: '302 to a sign-in page',
    reply: (response) => response.writeHead(302, { location: '/login' }).end(),
    call: 502,
    refresh: 200,
    acts: 'operator',
    kept: true,
  },
  {
    answer: '200 HTML',
    reply: text(200, 'text/html', '<!doctype html><title>Sign in</title>'),
    call: 502,
    refresh: 200,
    acts: 'upstream',
    kept: true,
  },
  {
    answer: 'the connection is closed',
    reply: (_response, request) => request.socket.destroy(),
    call: 502,
    refresh: 200,
    acts: 'upstream',
    kept: true,
  },
  { answer: 'no answer', reply: () => {}, call: 504, refresh: 200, acts: 'upstream', kept: true },
]

/** Refuses the token that it sees first, and takes every other one. */
function unauthorizedOnce(): Row['reply'] {
  let refused: string | undefined
  return (response, { headers: { authorization } }) => {
    refused ??= authorization
    if (authorization === refused) text(401, 'text/plain', 'no')(response)
    else json(200, { jsonrpc: '2.0', id: 1, result: {} })(response)
  }
}

/** What the token endpoint answers to the code at the end of a sign-in: the `error` that the client is sent back with. */
export const SIGN_IN_ANSWERS: readonly (Pick<Row, 'answer' | 'reply' | 'acts'> & {
  readonly error: string | undefined
})[] = [
  { answer: '200 with a token', reply: token(), error: undefined, acts: 'nobody' },
  {
    answer: '400 `invalid_grant`',
    reply: json(400, { error: 'invalid_grant' }),
    error: 'server_error',
    acts: 'person',
  },
  {
    answer: '200 with GitHub’s `bad_verification_code`',
    reply: json(200, { error: 'bad_verification_code' }),
    error: 'server_error',
    acts: 'person',
  },
  {
    answer: '401 `invalid_client`',
    reply: json(401, { error: 'invalid_client' }),
    error: 'server_error',
    acts: 'operator',
  },
  {
    answer: '400 `invalid_target`',
    reply: json(400, { error: 'invalid_target' }),
    error: 'server_error',
    acts: 'operator',
  },
  {
    answer: '400 with an error of its own',
    reply: json(400, { error: 'account_locked' }),
    error: 'temporarily_unavailable',
    acts: 'upstream',
  },
  {
    answer: '400 without a body',
    reply: text(400, 'text/plain', ''),
    error: 'temporarily_unavailable',
    acts: 'upstream',
  },
  {
    answer: '401 HTML (a firewall)',
    reply: text(401, 'text/html', '<h1>Blocked</h1>'),
    error: 'temporarily_unavailable',
    acts: 'upstream',
  },
  {
    answer: '404',
    reply: text(404, 'text/html', '<h1>Not Found</h1>'),
    error: 'temporarily_unavailable',
    acts: 'upstream',
  },
  {
    answer: '429',
    reply: json(429, { error: 'slow_down' }),
    error: 'temporarily_unavailable',
    acts: 'upstream',
  },
  {
    answer: '200 HTML',
    reply: text(200, 'text/html', '<h1>Sign in</h1>'),
    error: 'temporarily_unavailable',
    acts: 'upstream',
  },
  {
    answer: '500',
    reply: text(500, 'text/html', '<h1>Oops</h1>'),
    error: 'temporarily_unavailable',
    acts: 'upstream',
  },
  {
    answer: 'the connection is closed',
    reply: (_response, request) => request.socket.destroy(),
    error: 'temporarily_unavailable',
    acts: 'upstream',
  },
]
