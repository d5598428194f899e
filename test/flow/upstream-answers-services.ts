// What goes wrong where nobody signs in at the upstream: tokens that the gateway gets by itself, and keys.
import type { Arrangement } from './scripted-upstream.ts'
import { type Actor, json, type Row, text } from './upstream-answers.ts'

export interface ServiceRow {
  readonly answer: string
  readonly arranged: Arrangement
  /** The status of a tool call. */
  readonly call: number
  readonly acts: Actor
}

export interface KeyPageRow {
  readonly answer: string
  readonly reply: Row['reply']
  /** The status of the page that follows. */
  readonly page: 403 | 502 | 503
  readonly acts: Actor
}

const ISSUED = 'urn:ietf:params:oauth:token-type:'
const given = (more: Readonly<Record<string, unknown>> = {}) =>
  json(200, { access_token: 'good-service', token_type: 'Bearer', expires_in: 3600, ...more })

const OPERATOR = { call: 502, acts: 'operator' } as const
const DECLINED = { call: 403, acts: 'operator' } as const
const PASSING = { call: 503, acts: 'upstream' } as const
const FINE = { call: 200, acts: 'nobody' } as const

const busy = json(429, { error: 'slow_down' }, { 'retry-after': '3' })
const down = text(503, 'text/plain', 'busy')
const unauthorized = text(401, 'text/plain', 'no', { 'www-authenticate': 'Bearer error="invalid_token"' })

/** What the token endpoint answers to the gateway's own request; the last row is the MCP server's. */
export const CLIENT_CREDENTIALS_ANSWERS: readonly ServiceRow[] = [
  { answer: '200 with a token', arranged: { token: given() }, ...FINE },
  {
    answer: '401 `invalid_client`',
    arranged: { token: json(401, { error: 'invalid_client' }) },
    ...OPERATOR,
  },
  { answer: '400 `invalid_scope`', arranged: { token: json(400, { error: 'invalid_scope' }) }, ...OPERATOR },
  { answer: '400 `invalid_grant`', arranged: { token: json(400, { error: 'invalid_grant' }) }, ...OPERATOR },
  { answer: '403 `access_denied`', arranged: { token: json(403, { error: 'access_denied' }) }, ...OPERATOR },
  { answer: '429', arranged: { token: busy }, ...PASSING },
  { answer: '503', arranged: { token: down }, ...PASSING },
  { answer: '200 HTML', arranged: { token: text(200, 'text/html', '<h1>Sign in</h1>') }, ...PASSING },
  {
    answer: '200 with a token that has a line break in it',
    arranged: { token: given({ access_token: 'good-\r\nX-Evil: 1' }) },
    ...PASSING,
  },
  {
    answer: 'the MCP server: 401 to its token, and to a fresh one',
    arranged: { mcp: unauthorized },
    ...OPERATOR,
  },
]

/** What the token endpoint answers to the exchange for a caller. */
export const TOKEN_EXCHANGE_ANSWERS: readonly ServiceRow[] = [
  {
    answer: '200 with a token',
    arranged: { token: given({ issued_token_type: `${ISSUED}access_token` }) },
    ...FINE,
  },
  { answer: '200 with a token, and no `issued_token_type`', arranged: { token: given() }, ...FINE },
  { answer: '400 `invalid_grant`', arranged: { token: json(400, { error: 'invalid_grant' }) }, ...DECLINED },
  { answer: '403 `access_denied`', arranged: { token: json(403, { error: 'access_denied' }) }, ...DECLINED },
  {
    answer: '401 `invalid_client`',
    arranged: { token: json(401, { error: 'invalid_client' }) },
    ...OPERATOR,
  },
  {
    answer: '400 `invalid_target`',
    arranged: { token: json(400, { error: 'invalid_target' }) },
    ...OPERATOR,
  },
  {
    answer: '200 with another `issued_token_type`',
    arranged: { token: given({ issued_token_type: `${ISSUED}refresh_token` }) },
    ...OPERATOR,
  },
  {
    answer: '429 with `invalid_grant`',
    arranged: { token: json(429, { error: 'invalid_grant' }) },
    ...PASSING,
  },
  { answer: '503', arranged: { token: down }, ...PASSING },
  {
    answer: 'the MCP server: 401 to its token, and to a fresh one',
    arranged: { mcp: unauthorized },
    ...OPERATOR,
  },
]

/** What the MCP server answers to a call with the key that everybody shares. */
export const API_KEY_ANSWERS: readonly ServiceRow[] = [
  { answer: '401', arranged: { mcp: unauthorized }, ...OPERATOR },
  { answer: '403', arranged: { mcp: text(403, 'application/json', '{}') }, call: 403, acts: 'operator' },
  {
    answer: '503 with Retry-After',
    arranged: { mcp: text(503, 'text/plain', 'busy', { 'retry-after': '3' }) },
    call: 503,
    acts: 'upstream',
  },
]

/** What the MCP server answers when the page asks it about a key that somebody pasted. */
export const KEY_PAGE_ANSWERS: readonly KeyPageRow[] = [
  { answer: '401', reply: unauthorized, page: 403, acts: 'person' },
  { answer: '403', reply: text(403, 'application/json', '{}'), page: 403, acts: 'person' },
  {
    answer: '302 to a sign-in page',
    reply: (response) => response.writeHead(302, { location: '/login' }).end(),
    page: 502,
    acts: 'operator',
  },
  { answer: '408', reply: text(408, 'text/plain', 'late'), page: 503, acts: 'upstream' },
  { answer: '425', reply: text(425, 'text/plain', 'early'), page: 503, acts: 'upstream' },
  { answer: '429', reply: busy, page: 503, acts: 'upstream' },
  { answer: '503', reply: down, page: 503, acts: 'upstream' },
  {
    answer: 'the connection is closed',
    reply: (_response, request) => request.socket.destroy(),
    page: 503,
    acts: 'upstream',
  },
]
