// Records every request an HTTP server receives, as it arrives, without touching what the server itself reads.
import type { IncomingHttpHeaders, Server } from 'node:http'

export interface Recorded {
  readonly method: string
  /** As received: path and query, or whatever a hostile peer sent. */
  readonly url: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  /** As much of the body as has arrived. */
  readonly body: string
  readonly form: URLSearchParams
  /** Settles when the exchange is over: `aborted` when the peer hung up before the response was complete. */
  readonly outcome: Promise<'finished' | 'aborted'>
}
export interface Recorder {
  readonly requests: readonly Recorded[]
  /** All requests, or those to `path` (no query), or those with `METHOD path`. */
  to(path: string): Recorded[]
  count(path?: string): number
  /** The nth request (counted from 1) to `path`, now or when it comes. */
  arrival(path: string, nth?: number): Promise<Recorded>
  /** Whether any request carried the text: in its URL, headers or body. */
  saw(text: string): boolean
  clear(): void
}

const matches = (wanted: string) => {
  const [first = '', second] = wanted.split(' ')
  return (request: Recorded) =>
    second === undefined ? request.path === first : request.method === first && request.path === second
}

export function record(server: Server): Recorder {
  const requests: Recorded[] = []
  const waiting = new Set<() => void>()
  const to = (path: string) => requests.filter(matches(path))

  server.prependListener('request', (request, response) => {
    const chunks: Buffer[] = []
    // Taken where the parser delivers it: a `data` listener here would set the stream flowing before the
    // server's own reader is there.
    const push = request.push.bind(request)
    request.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk) chunks.push(Buffer.from(chunk))
      return push(chunk, encoding)
    }
    const { method = '', url = '', headers, rawHeaders } = request
    const [path = '', query] = url.split('?')
    requests.push({
      method,
      url,
      path,
      query: new URLSearchParams(query),
      headers,
      rawHeaders,
      get body() {
        return Buffer.concat(chunks).toString()
      },
      get form() {
        return new URLSearchParams(Buffer.concat(chunks).toString())
      },
      outcome: new Promise((resolve) => {
        response.once('close', () => resolve(response.writableFinished ? 'finished' : 'aborted'))
      }),
    })
    for (const check of waiting) check()
  })

  const arrival = (path: string, nth = 1) =>
    new Promise<Recorded>((resolve) => {
      const check = () => {
        const found = to(path)[nth - 1]
        if (!found) return
        waiting.delete(check)
        resolve(found)
      }
      waiting.add(check)
      check()
    })

  return {
    requests,
    to,
    count: (path) => (path === undefined ? requests.length : to(path).length),
    arrival,
    saw: (text) =>
      requests.some((request) =>
        [request.url, request.body, ...request.rawHeaders].some((part) => part.includes(text)),
      ),
    clear: () => {
      requests.length = 0
    },
  }
}
