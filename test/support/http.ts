// Small HTTP servers for tests: on 127.0.0.1, any port, closed with every connection they hold.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'

export interface Listening {
  server: Server
  origin: string
  port: number
  close(): Promise<void>
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

export async function listen(handler: Handler, port = 0): Promise<Listening> {
  const server = createServer(async (request, response) => {
    try {
      await handler(request, response)
    } catch (error) {
      console.error('a test server failed:', error)
      response.destroy()
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const { port: actual } = server.address() as AddressInfo
  const close = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { server, origin: `http://127.0.0.1:${actual}`, port: actual, close }
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

export const readForm = async (request: IncomingMessage) =>
  new URLSearchParams((await readBody(request)).toString())

/** The web-standard shape that newer server libraries expect. Aborted when the peer hangs up. */
export async function toWebRequest(request: IncomingMessage, response: ServerResponse): Promise<Request> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const headers = new Headers()
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value)
  }
  const { method = 'GET' } = request
  const body = method === 'GET' || method === 'HEAD' ? null : new Uint8Array(await readBody(request))
  const url = new URL(request.url ?? '/', `http://${request.headers.host}`)
  return new Request(url, { method, headers, body, signal: gone.signal })
}

export async function sendWebResponse(answer: Response, response: ServerResponse): Promise<void> {
  response.writeHead(answer.status, [...answer.headers].flat())
  response.flushHeaders()
  if (!answer.body) {
    response.end()
    return
  }
  // A peer that hangs up is an ordinary end of a stream here.
  await pipeline(Readable.fromWeb(answer.body as ReadableStream), response).catch(() => undefined)
}
