// The HTTP shell, and the only file that knows fastify: endpoints get values and return values, the MCP path gets the
// raw streams. Here, and nowhere else, errors become pages, JSON and status codes.
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { parseCookies } from './cookies.ts'
import type { Deps, Endpoint, EndpointRequest } from './endpoints/endpoint.ts'
import { failureReply } from './endpoints/failure.ts'
import { ENDPOINTS } from './endpoints/index.ts'
import { proxyMcp } from './endpoints/mcp.ts'
import { notFound, wellKnown } from './endpoints/metadata.ts'
import type { Gateway } from './gateway.ts'
import { MCP_METHODS } from './mcp-methods.ts'
import { PUBLIC_CORS, preflightHeaders, routeCors } from './policy/cors.ts'
import { jsonReply, type Reply } from './reply.ts'
import type { Pools } from './upstream/pools.ts'

export interface ServerInput {
  /** The generation that a request which starts now belongs to. */
  readonly current: () => Gateway
  readonly deps: Deps
  readonly pools: Pools
  readonly tls: { readonly cert: string; readonly key: string } | undefined
}

/** Forms and registrations are small; MCP bodies have a limit per route. */
const MAX_FORM_BYTES = 64 * 1024

/** Slow senders are cut off: Node's own defaults let them hold a socket for 85 s and more (sec-P14). */
const SLOW_SENDERS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
} as const

/** Letters that mean the same to every URL parser. With this, no `..`, `//`, `%2f`, `;` or `\` reaches a comparison (sec-P6, sec-P7). */
const CANONICAL_PATH = /^(?:\/|(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)+\/?)$/

export function createServer({ current, deps, pools, tls }: ServerInput): FastifyInstance {
  const app = fastify({
    bodyLimit: MAX_FORM_BYTES,
    requestTimeout: SLOW_SENDERS.requestTimeout,
    keepAliveTimeout: 65_000,
    forceCloseConnections: 'idle',
    // A HEAD that ran a GET endpoint could use up a sign-in without anybody seeing its answer.
    exposeHeadRoutes: false,
    frameworkErrors: (_error, _request, reply) => send(reply, notFound()),
    ...(tls === undefined ? { http: SLOW_SENDERS } : { https: { ...SLOW_SENDERS, ...tls } }),
  }) as unknown as FastifyInstance
  app.removeAllContentTypeParsers()

  app.addHook('onRequest', async (request, reply) => {
    const refusal = refusalOf(request)
    if (refusal === undefined) return
    reply.header('connection', 'close')
    return send(reply, refusal)
  })

  app.register(async (forms) => {
    forms.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
    for (const endpoint of ENDPOINTS) {
      forms.route({
        method: endpoint.method,
        url: endpoint.path,
        handler: (request, reply) => answer(endpoint, request, reply),
      })
      if (endpoint.audience !== 'client') continue
      forms.options(endpoint.path, async (request, reply) =>
        send(reply, preflight(request, PUBLIC_CORS, [endpoint.method])),
      )
    }
  })

  app.register(async (mcp) => {
    // The body stays a stream: it is read only after the caller is known.
    mcp.addContentTypeParser('*', (_request, _payload, done) => done(null))
    mcp.all('/*', async (request, reply) => {
      const gateway = current()
      const path = pathOf(request) ?? ''
      const route = gateway.routeByPath(path)
      if (route === undefined) return send(reply, await wellKnownOrNothing(request, gateway))
      const cors = routeCors(gateway.site, request.headers.origin)
      if (request.method === 'OPTIONS') return send(reply, preflight(request, cors, MCP_METHODS))
      for (const [name, value] of Object.entries(cors)) reply.raw.setHeader(name, value)
      reply.hijack()
      await proxyMcp({ request: request.raw, response: reply.raw, route, gateway, deps, pools })
    })
  })

  app.setNotFoundHandler((_request, reply) => send(reply, notFound()))
  app.setErrorHandler((error, request, reply) =>
    send(reply, failureReply(error, failureContext('client', request))),
  )

  async function answer(
    endpoint: Endpoint,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    if (endpoint.audience === 'client') reply.headers(PUBLIC_CORS)
    try {
      return send(reply, await endpoint.handle(endpointRequest(request), current(), deps))
    } catch (error) {
      return send(reply, failureReply(error, failureContext(endpoint.audience, request)))
    }
  }

  function failureContext(audience: Endpoint['audience'], request: FastifyRequest) {
    const path = pathOf(request) ?? ''
    return { audience, path, brand: current().brand, headers: request.headers, log: deps.log }
  }

  async function wellKnownOrNothing(request: FastifyRequest, gateway: Gateway): Promise<Reply> {
    // Where there is no document too: a client in a browser must be able to read that there is none (spec-D12).
    const isWellKnown = pathOf(request)?.startsWith('/.well-known/') === true
    if (request.method === 'OPTIONS' && isWellKnown) return preflight(request, PUBLIC_CORS, ['GET'])
    return request.method === 'GET' ? wellKnown(endpointRequest(request), gateway, deps) : notFound()
  }

  return app
}

/** What no endpoint may see. The connection ends with it: what follows on it may be part of it. */
function refusalOf(request: FastifyRequest): Reply | undefined {
  const path = pathOf(request)
  if (path === undefined || hasFaultyFraming(request)) return jsonReply(400, { error: 'invalid_request' })
  return CANONICAL_PATH.test(path) ? undefined : notFound()
}

/** HTTP/1.0 knows no chunks: a proxy before us may have seen the end of this request elsewhere (RFC 9112 §6.1, sec-P11). */
function hasFaultyFraming({ raw: { httpVersionMinor, headers } }: FastifyRequest): boolean {
  return httpVersionMinor === 0 && headers['transfer-encoding'] !== undefined
}

/** The path as it was sent. Undefined for absolute-form targets: `http://evil/x` must never be taken for a path (sec-P6). */
function pathOf(request: FastifyRequest): string | undefined {
  const target = request.raw.url ?? ''
  return target.startsWith('/') ? target.split('?', 1)[0] : undefined
}

function endpointRequest(request: FastifyRequest): EndpointRequest {
  const target = request.raw.url ?? ''
  const at = target.indexOf('?')
  return {
    path: pathOf(request) ?? '',
    query: at === -1 ? '' : target.slice(at + 1),
    headers: request.headers,
    cookies: parseCookies(request.headers.cookie),
    body: typeof request.body === 'string' ? request.body : '',
  }
}

function preflight(
  { headers }: FastifyRequest,
  cors: Readonly<Record<string, string>>,
  methods: readonly string[],
): Reply {
  const requested = headers['access-control-request-headers']
  return { status: 204, headers: preflightHeaders(cors, methods, requested), cookies: [], body: '' }
}

function send(reply: FastifyReply, { status, headers, cookies, body }: Reply): FastifyReply {
  reply.code(status).headers(headers)
  if (cookies.length > 0) reply.header('set-cookie', cookies)
  return reply.send(body)
}
