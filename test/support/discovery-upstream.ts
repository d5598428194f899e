// An MCP server and an authorization server on one port that say of themselves whatever a test wants: where metadata
// is, what it claims, and what comes back with a code. Everybody is signed in there already.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Listening, listen, readForm } from './http.ts'
import { createV1Endpoint } from './mcp-v1.ts'
import { type Recorder, record } from './recorder.ts'

type Document = Readonly<Record<string, unknown>>

/** May be changed while the server runs. */
export interface DiscoveryKnobs {
  /** The parameters of the MCP server's challenge. */
  challenge: Record<string, string>
  /** Every metadata document, by path; all other well-known addresses are 404. */
  documents: Record<string, Document>
  /** The status that stands in for whatever is at a well-known address. */
  wellKnown: (path: string) => number | undefined
  /** All its JSON begins with a byte order mark. */
  marksBytes: boolean
  /** Sent back with a code, or with an error. Undefined: left out (RFC 9207). */
  iss: string | undefined
  /** Sent back instead of a code. */
  error: string | undefined
  /** Laid over the answer to a registration. */
  registration: Document
  /** The token endpoint answers `invalid_grant`, whatever it is asked. */
  refuses: boolean
  /** False: there is nothing at /register. */
  registers: boolean
  /** Clients that the token endpoint does not know, or whose authentication it does not accept. */
  forgets: (clientId: string, form: URLSearchParams) => boolean | Promise<boolean>
  /** `expires_in` of its tokens. */
  lifetimeSeconds: number | undefined
  /** The MCP server answers `initialize` to anybody, and wants a token from then on. */
  greets: boolean
  /** Hang up on everybody. */
  isDown: boolean
}
export interface DiscoveryUpstream extends Listening {
  mcpUrl: string
  knobs: DiscoveryKnobs
  recorder: Recorder
  /** Metadata of an authorization server on this port; a member that is undefined is left out. */
  serverDocument(change?: Document): Document
  resourceDocument(change?: Document): Document
}
export interface DiscoveryOptions {
  port?: number
  /** Access tokens that the MCP server takes, by their issuer. Shared: it takes those of another server too. */
  tokens?: Map<string, string>
}

export const RESOURCE = '/.well-known/oauth-protected-resource'
export const SERVER = '/.well-known/oauth-authorization-server'
export const OPENID = '/.well-known/openid-configuration'

/** Discoverable by the book: challenge → document of the path → document of the issuer, which is the origin. */
export async function startDiscoveryUpstream({
  port,
  tokens = new Map(),
}: DiscoveryOptions = {}): Promise<DiscoveryUpstream> {
  const endpoint = createV1Endpoint()
  const listening = await listen((request, response) => handle(request, response), port)
  const { origin } = listening
  const mcpUrl = `${origin}/mcp`
  const serverDocument = (change: Document = {}) => ({
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    ...change,
  })
  const resourceDocument = (change: Document = {}) => ({
    resource: mcpUrl,
    authorization_servers: [origin],
    ...change,
  })
  const knobs: DiscoveryKnobs = {
    challenge: { resource_metadata: `${origin}${RESOURCE}/mcp` },
    documents: { [`${RESOURCE}/mcp`]: resourceDocument(), [SERVER]: serverDocument() },
    wellKnown: () => undefined,
    marksBytes: false,
    iss: undefined,
    error: undefined,
    registration: {},
    refuses: false,
    registers: true,
    forgets: () => false,
    lifetimeSeconds: undefined,
    greets: false,
    isDown: false,
  }

  const paths: Record<string, (request: IncomingMessage, response: ServerResponse) => unknown> = {
    '/mcp': serveMcp,
    '/register': (_request, response) =>
      knobs.registers
        ? json(response, 201, {
            client_id: `client-${randomBytes(8).toString('hex')}`,
            ...knobs.registration,
          })
        : response.writeHead(404).end(),
    '/authorize': authorize,
    '/token': redeem,
  }

  function json(response: ServerResponse, status: number, value: Document): void {
    const text = (knobs.marksBytes ? '\ufeff' : '') + JSON.stringify(value)
    response.writeHead(status, { 'content-type': 'application/json' }).end(text)
  }

  function handle(request: IncomingMessage, response: ServerResponse): unknown {
    if (knobs.isDown) return request.socket.destroy()
    const path = request.url?.split('?')[0] ?? ''
    const status = path.includes('/.well-known/') ? knobs.wellKnown(path) : undefined
    if (status !== undefined) return response.writeHead(status).end()
    const document = knobs.documents[path]
    if (document !== undefined) return json(response, 200, document)
    const answer = paths[path]
    return answer === undefined ? response.writeHead(404).end() : answer(request, response)
  }

  function serveMcp(request: IncomingMessage, response: ServerResponse): unknown {
    const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const issuer = tokens.get(token)
    if (issuer !== undefined) return endpoint.handle(request, response, issuer)
    if (knobs.greets && request.headers['mcp-session-id'] === undefined) return greet(response)
    const parameters = Object.entries(knobs.challenge).map(([name, value]) => `${name}="${value}"`)
    return response.writeHead(401, { 'www-authenticate': `Bearer ${parameters.join(', ')}` }).end()
  }

  function greet(response: ServerResponse): unknown {
    const result = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      serverInfo: { name: 'u', version: '1' },
    }
    response.setHeader('mcp-session-id', 'greeted')
    return json(response, 200, { jsonrpc: '2.0', id: 0, result })
  }

  function authorize(request: IncomingMessage, response: ServerResponse): unknown {
    const asked = new URL(request.url ?? '', origin).searchParams
    const target = new URL(asked.get('redirect_uri') ?? '')
    const { iss, error } = knobs
    const code = randomBytes(8).toString('hex')
    const answer = { state: asked.get('state') ?? '', ...(error === undefined ? { code } : { error }) }
    for (const [name, value] of Object.entries({ ...answer, ...(iss !== undefined && { iss }) }))
      target.searchParams.set(name, value)
    return response.writeHead(302, { location: target.href }).end()
  }

  async function redeem(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Read to its end, so that the recorder has it all.
    const form = await readForm(request)
    if (await knobs.forgets(clientOf(request, form), form))
      return json(response, 401, { error: 'invalid_client' })
    // As strict as any: a made-up code is no code.
    if (form.get('code')?.startsWith('made-up')) return json(response, 400, { error: 'invalid_grant' })
    if (knobs.refuses) return json(response, 400, { error: 'invalid_grant' })
    const token = `upstream-${randomBytes(16).toString('hex')}`
    tokens.set(token, origin)
    const { lifetimeSeconds: expires_in } = knobs
    json(response, 200, {
      access_token: token,
      token_type: 'Bearer',
      refresh_token: `r-${token}`,
      expires_in,
      // RFC 8693 §2.2.1
      issued_token_type: form.get('requested_token_type') ?? undefined,
    })
  }

  return {
    ...listening,
    mcpUrl,
    knobs,
    recorder: record(listening.server),
    serverDocument,
    resourceDocument,
    close: async () => {
      await endpoint.close()
      await listening.close()
    },
  }
}

/** As it authenticates, whatever the method. */
export function clientOf({ headers }: Pick<IncomingMessage, 'headers'>, form: URLSearchParams): string {
  const basic = headers.authorization?.replace(/^Basic /, '')
  if (basic === undefined) return form.get('client_id') ?? ''
  return decodeURIComponent(Buffer.from(basic, 'base64').toString().split(':')[0] ?? '')
}
