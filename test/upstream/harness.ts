// Real servers and clients for the data plane: an upstream, a gateway front that calls it as the proxy endpoint does,
// and clients that see raw bytes.
import { type EventEmitter, once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, connect, createServer as createRawServer, type Socket } from 'node:net'
import { HttpError, UpstreamError } from '../../src/errors.ts'
import { forward, type Target } from '../../src/upstream/forward.ts'
import { checkSingleHeaders, isStreamRequest, requestHeaders } from '../../src/upstream/headers.ts'
import { JSON_RPC_CODE, jsonRpcError, requestId } from '../../src/upstream/json-rpc.ts'
import { createPools, type Pools } from '../../src/upstream/pools.ts'
import { readBody } from '../../src/upstream/read-body.ts'
import type { ForwardOutcome } from '../../src/upstream/relay.ts'
import type { TestContext } from '../support/suite.ts'

export interface Listening {
  readonly url: URL
  readonly port: number
  readonly sockets: Set<Socket>
}

async function listening(server: Server | ReturnType<typeof createRawServer>, { after }: TestContext) {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  return { url: new URL(`http://127.0.0.1:${port}/mcp`), port, sockets }
}

export const startHttp = (context: TestContext, listener: RequestListener): Promise<Listening> =>
  listening(createServer(listener), context)

/** A TCP server, for upstreams that break HTTP. */
export const startRaw = (context: TestContext, onSocket: (socket: Socket) => void): Promise<Listening> =>
  listening(createRawServer(onSocket), context)

export function pools(context: TestContext): Pools {
  const created = createPools()
  context.after(() => created.close())
  return created
}

export interface Front extends Listening {
  /** What `forward` said, request by request; an error stands for itself. */
  readonly outcomes: (ForwardOutcome | Error)[]
  /** The next outcome. */
  next(): Promise<ForwardOutcome | Error>
}

type Overrides = Partial<Target> & { limitBytes?: number; credentials?: Record<string, string> }

/** The proxy endpoint, without authentication. */
export async function startFront(
  context: TestContext,
  url: URL,
  overrides: Overrides | ((request: IncomingMessage, response: ServerResponse) => Overrides) = {},
): Promise<Front> {
  const shared = pools(context)
  const outcomes: (ForwardOutcome | Error)[] = []
  const waiting: ((outcome: ForwardOutcome | Error) => void)[] = []
  const record = (outcome: ForwardOutcome | Error) => {
    outcomes.push(outcome)
    waiting.shift()?.(outcome)
  }
  const front = await startHttp(context, async (request, response) => {
    const given = typeof overrides === 'function' ? overrides(request, response) : overrides
    const { limitBytes = 4 * 1024 * 1024, credentials = {}, ...target } = given
    let body: Buffer | undefined
    try {
      checkSingleHeaders(request.rawHeaders)
      body = await readBody(request, limitBytes)
      const method = request.method ?? ''
      const outcome = await forward(
        {
          pools: shared,
          url,
          method,
          isStream: isStreamRequest(method, request.rawHeaders),
          headers: requestHeaders(request.rawHeaders, { forward: [] }, { headers: credentials }, {}),
          body,
          timeouts: { connectMs: 5_000, responseMs: 5_000 },
          ...target,
        },
        request,
        response,
      )
      record(outcome)
      if (outcome.kind === 'stopped') response.writeHead(418).end()
    } catch (error) {
      record(error as Error)
      fail(error, body, response)
    }
  })
  return {
    ...front,
    outcomes,
    next: () => new Promise((resolve) => waiting.push(resolve)),
  }
}

function fail(error: unknown, body: Buffer | undefined, response: ServerResponse): void {
  const status = error instanceof UpstreamError || error instanceof HttpError ? error.status : 500
  const id = body === undefined ? null : requestId(body)
  const message = error instanceof UpstreamError ? error.fault : String(error)
  if (response.headersSent) throw new Error('an error came after the head')
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(jsonRpcError(id, JSON_RPC_CODE.internal_error, message))
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface CallOptions {
  method?: string
  headers?: Record<string, string | string[]>
  body?: string
}

/** One request on its own connection, answered whole. Rejects when the answer is cut off. */
export async function call(url: URL, options: CallOptions = {}): Promise<Answer> {
  const response = await open(url, options)
  let text = ''
  response.setEncoding('latin1')
  for await (const chunk of response) text += chunk
  return { status: response.statusCode ?? 0, headers: response.headers, text }
}

/** Resolves at the head; the body is the caller's to read. */
export async function open(url: URL, { method = 'POST', headers = {}, body }: CallOptions = {}) {
  const request = httpRequest(url, { method, headers, agent: false })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

/** Sends bytes as they are and collects what comes back. */
export async function rawClient(port: number, text: string) {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    received += chunk
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(text, 'latin1')
  return {
    socket,
    received: () => received,
    /** Everything, once the other side has closed. */
    whole: async () => {
      if (!socket.closed) await once(socket, 'close')
      return received
    },
    async until(part: string) {
      while (!received.includes(part)) await once(socket, 'data')
      return received
    },
  }
}

/** Resolves at 'close', also when an error comes before it. */
export const closing = (emitter: EventEmitter): Promise<void> =>
  new Promise((resolve) => {
    emitter.on('error', () => {})
    emitter.once('close', () => resolve())
  })

/** Resolves when there is room again, or nobody left to read. */
export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

export const post = (body: string, extra = '') =>
  `POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${extra}content-length: ${body.length}\r\n\r\n${body}`

/** Reads a request's body as text. */
export async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  request.setEncoding('utf8')
  for await (const chunk of request) text += chunk
  return text
}
