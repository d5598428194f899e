// What goes wrong on the way to an upstream's sign-in and back from it, and what the client is told.
import { type Arrangement, resourceDocument, sendBack, serverDocument } from './scripted-upstream.ts'
import { type Actor, json, type Row, text } from './upstream-answers.ts'

/** The `error` that the client is sent back with; undefined: a code. */
type SentBack = 'access_denied' | 'server_error' | 'temporarily_unavailable' | undefined

export interface LookupRow {
  readonly answer: string
  readonly arranged: Arrangement
  /** How the first sign-in there ends. */
  readonly first: SentBack
  /** And that of somebody else, when people have signed in there before. */
  readonly later: SentBack
  /** The status of a call by one of those, when an edit has the server looked up anew. */
  readonly call: number
  readonly acts: Actor
}

export interface CallbackRow {
  readonly answer: string
  readonly reply: Row['reply']
  readonly error: SentBack
  readonly acts: Actor
}

const html = (status: number) => text(status, 'text/html', '<!doctype html><title>Sign in</title>')
const busy = json(429, { error: 'slow_down' }, { 'retry-after': '3' })
const down = text(503, 'text/plain', 'busy')

const PASSES = {
  first: 'temporarily_unavailable',
  later: 'temporarily_unavailable',
  call: 503,
  acts: 'upstream',
} as const
const OPERATOR = { first: 'server_error', later: 'server_error', call: 502, acts: 'operator' } as const
/** Who has registered already does not do it again. */
const REGISTERED = { later: undefined, call: 200 } as const

const resource =
  (change: Readonly<Record<string, unknown>>): Row['reply'] =>
  (response, request) =>
    json(200, resourceDocument(request, change))(response)
const server =
  (change: Readonly<Record<string, unknown>>): Row['reply'] =>
  (response, request) =>
    json(200, serverDocument(request, change))(response)
/** The same machine under another name. */
const elsewhere: Row['reply'] = (response, request) => {
  const document = serverDocument(request)
  const { authorization_endpoint: endpoint } = document
  json(200, { ...document, authorization_endpoint: endpoint.replace('127.0.0.1', 'localhost') })(response)
}

export const LOOKUP_ANSWERS: readonly LookupRow[] = [
  {
    answer: 'resource metadata: there is none, and no challenge names any',
    arranged: { challenge: text(401, 'text/plain', 'no'), resource: html(404) },
    first: undefined,
    later: 'temporarily_unavailable',
    // Of an upstream at a new address this is all that there is to go by: another server, and another resource.
    call: 401,
    acts: 'upstream',
  },
  {
    answer: 'resource metadata: 404 where the challenge says it is',
    arranged: { resource: html(404) },
    ...OPERATOR,
  },
  { answer: 'resource metadata: 200 HTML', arranged: { resource: html(200) }, ...OPERATOR },
  { answer: 'resource metadata: 429', arranged: { resource: busy }, ...PASSES },
  { answer: 'resource metadata: 503', arranged: { resource: down }, ...PASSES },
  {
    answer: 'resource metadata: of another resource',
    arranged: { resource: resource({ resource: 'https://elsewhere.test/mcp' }) },
    ...OPERATOR,
  },
  {
    answer: 'resource metadata: names a `urn:` as the authorization server',
    arranged: { resource: resource({ authorization_servers: ['urn:example:as'] }) },
    ...OPERATOR,
  },
  { answer: 'server metadata: 404', arranged: { server: html(404) }, ...OPERATOR },
  { answer: 'server metadata: 503', arranged: { server: down }, ...PASSES },
  {
    answer: 'server metadata: the connection is closed',
    arranged: { server: (_response, request) => request.socket.destroy() },
    ...PASSES,
  },
  {
    answer: 'server metadata: of another issuer',
    arranged: { server: server({ issuer: 'https://elsewhere.test' }) },
    ...OPERATOR,
  },
  {
    answer: 'server metadata: no PKCE with `S256`',
    arranged: { server: server({ code_challenge_methods_supported: ['plain'] }) },
    ...OPERATOR,
  },
  {
    answer: 'server metadata: an endpoint on another host than before',
    arranged: { server: elsewhere },
    first: undefined,
    later: 'server_error',
    call: 502,
    acts: 'operator',
  },
  {
    answer: 'server metadata: no way to register',
    arranged: { server: server({ registration_endpoint: undefined }) },
    ...OPERATOR,
    ...REGISTERED,
  },
  {
    answer: 'registration: 400',
    arranged: { register: json(400, { error: 'invalid_client_metadata' }) },
    ...OPERATOR,
    ...REGISTERED,
  },
  { answer: 'registration: 429', arranged: { register: busy }, ...PASSES, ...REGISTERED },
  { answer: 'registration: 503', arranged: { register: down }, ...PASSES, ...REGISTERED },
  { answer: 'registration: 200 HTML', arranged: { register: html(200) }, ...OPERATOR, ...REGISTERED },
  {
    answer: 'registration: 201 with `client_id: ""`',
    arranged: { register: json(201, { client_id: '' }) },
    ...OPERATOR,
    ...REGISTERED,
  },
]

const refusal = (error: string) => sendBack({ code: undefined, error })

/** What the browser comes back with. The server promises `iss`. */
export const CALLBACK_ANSWERS: readonly CallbackRow[] = [
  { answer: 'a code', reply: sendBack({}), error: undefined, acts: 'nobody' },
  { answer: '`access_denied`', reply: refusal('access_denied'), error: 'access_denied', acts: 'person' },
  {
    answer: '`temporarily_unavailable`',
    reply: refusal('temporarily_unavailable'),
    error: 'temporarily_unavailable',
    acts: 'upstream',
  },
  { answer: '`server_error`', reply: refusal('server_error'), error: 'server_error', acts: 'operator' },
  { answer: '`invalid_scope`', reply: refusal('invalid_scope'), error: 'server_error', acts: 'operator' },
  {
    answer: 'an error of its own',
    reply: refusal('account_locked'),
    error: 'server_error',
    acts: 'operator',
  },
  {
    answer: 'no `iss` although promised',
    reply: sendBack({ iss: undefined }),
    error: 'server_error',
    acts: 'operator',
  },
  {
    answer: 'the `iss` of another server',
    reply: sendBack({ iss: 'https://elsewhere.test' }),
    error: 'server_error',
    acts: 'operator',
  },
  {
    answer: '`access_denied` with the `iss` of another server',
    reply: sendBack({ code: undefined, error: 'access_denied', iss: 'https://elsewhere.test' }),
    error: 'server_error',
    acts: 'operator',
  },
  {
    answer: 'neither a code nor an error',
    reply: sendBack({ code: undefined }),
    error: 'server_error',
    acts: 'operator',
  },
]
