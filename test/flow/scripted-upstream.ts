// An MCP server with its authorization server for each row of a table, on one port and told apart by their paths, so that
// rows run side by side: `/<name>/mcp`, `/<name>/token`, … All answer well until a test arranges something else.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { listen, readForm } from '../support/http.ts'
import { type Recorder, record } from '../support/recorder.ts'
import type { TestContext } from '../support/suite.ts'
import { json, type Row, text } from './upstream-answers.ts'

export type Reply = Row['reply']

/** `challenge`: to a call without a token or key. `resource` and `server`: where their metadata is. */
export type Role = 'mcp' | 'challenge' | 'resource' | 'server' | 'register' | 'authorize' | 'token'
export type Arrangement = Readonly<Partial<Record<Role, Reply>>>

export interface ScriptedUpstream {
  readonly origin: string
  readonly recorder: Recorder
  /** In place of all that was arranged for this name before. */
  arrange(name: string, arrangement: Arrangement): void
}

const WELL_KNOWN: Readonly<Record<string, Role>> = {
  'oauth-protected-resource': 'resource',
  'oauth-authorization-server': 'server',
}
const PLACES: readonly string[] = ['mcp', 'register', 'authorize', 'token']

export async function startScriptedUpstream({ after }: TestContext): Promise<ScriptedUpstream> {
  const arranged = new Map<string, Arrangement>()
  const issued = new Set<string>()
  const defaults: Readonly<Record<Role, Reply>> = {
    mcp: json(200, { jsonrpc: '2.0', id: 'hello-1', result: {} }),
    challenge: (response, request) =>
      text(401, 'text/plain', 'no', {
        'www-authenticate': `Bearer resource_metadata="${addressOf(request, 'resource')}"`,
      })(response),
    resource: (response, request) => json(200, resourceDocument(request))(response),
    server: (response, request) => json(200, serverDocument(request))(response),
    register: (response) => json(201, { client_id: `client-${random()}` })(response),
    authorize: sendBack({}),
    token: (response) => {
      const access = `token-${random()}`
      issued.add(access)
      const tokens = { access_token: access, token_type: 'Bearer', expires_in: 3600, refresh_token: random() }
      json(200, tokens)(response)
    },
  }

  // A token that a row brings of its own begins with `good-`, as do good keys.
  function isLetIn({ headers }: IncomingMessage): boolean {
    const token = headers.authorization?.slice('Bearer '.length) ?? ''
    return issued.has(token) || token.startsWith('good-') || String(headers['x-api-key']).startsWith('good-')
  }

  const listening = await listen(async (request, response) => {
    const { name, place } = partsOf(request)
    if (place === undefined) return response.writeHead(404).end()
    const own = arranged.get(name) ?? {}
    const isCall = place === 'mcp'
    const mayEnter = isCall && (isLetIn(request) || (own.mcp !== undefined && hasCredential(request)))
    const role = isCall && !mayEnter ? 'challenge' : place
    return (own[role] ?? defaults[role])(response, request)
  })
  after(() => listening.close())
  return {
    origin: listening.origin,
    recorder: record(listening.server),
    arrange: (name, arrangement) => arranged.set(name, arrangement),
  }
}

const random = () => randomBytes(9).toString('hex')

const hasCredential = ({ headers }: IncomingMessage) =>
  headers.authorization !== undefined || headers['x-api-key'] !== undefined

/** The name is empty for the server of the whole origin, which publishes nothing. */
function partsOf(request: IncomingMessage): { name: string; place: Role | undefined } {
  const segments = new URL(request.url ?? '', 'http://upstream').pathname.split('/').slice(1)
  if (segments[0] === '.well-known')
    return {
      name: segments[2] ?? '',
      place: segments[2] === undefined ? undefined : WELL_KNOWN[segments[1] ?? ''],
    }
  const [name = '', place = ''] = segments.length === 1 ? ['', segments[0]] : segments
  return { name, place: PLACES.includes(place) && segments.length <= 2 ? (place as Role) : undefined }
}

function addressOf(request: IncomingMessage, what: Role | 'issuer'): string {
  const { name } = partsOf(request)
  // Its own name for itself, also where it was reached by another.
  const origin = `http://127.0.0.1:${request.socket.localPort}`
  if (what === 'issuer') return name === '' ? origin : `${origin}/${name}`
  if (what === 'resource') return `${origin}/.well-known/oauth-protected-resource/${name}/mcp`
  return name === '' ? `${origin}/${what}` : `${origin}/${name}/${what}`
}

type Change = Readonly<Record<string, unknown>>

export const resourceDocument = (request: IncomingMessage, change: Change = {}) => ({
  resource: addressOf(request, 'mcp'),
  authorization_servers: [addressOf(request, 'issuer')],
  ...change,
})

export const serverDocument = (request: IncomingMessage, change: Change = {}) => ({
  issuer: addressOf(request, 'issuer'),
  authorization_endpoint: addressOf(request, 'authorize'),
  token_endpoint: addressOf(request, 'token'),
  registration_endpoint: addressOf(request, 'register'),
  response_types_supported: ['code'],
  code_challenge_methods_supported: ['S256'],
  authorization_response_iss_parameter_supported: true,
  ...change,
})

/** Back to the gateway with a code and the issuer; what is undefined is left out. */
export const sendBack =
  (change: Readonly<Record<string, string | undefined>>): Reply =>
  (response, request) => {
    const asked = new URL(request.url ?? '', 'http://upstream').searchParams
    const target = new URL(asked.get('redirect_uri') ?? '')
    const answer = {
      state: asked.get('state') ?? '',
      code: random(),
      // The origin itself promises none.
      iss: partsOf(request).name === '' ? undefined : addressOf(request, 'issuer'),
      ...change,
    }
    for (const [name, value] of Object.entries(answer))
      if (value !== undefined) target.searchParams.set(name, value)
    return response.writeHead(302, { location: target.href }).end()
  }

/** Only to the code that comes first: another one is another try. */
export function toFirstCode(reply: Reply, otherwise: Reply): Reply {
  let first: string | null | undefined
  return async (response, request) => {
    const code = (await readForm(request)).get('code')
    first ??= code
    return (code === first ? reply : otherwise)(response, request)
  }
}
