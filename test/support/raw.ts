// Sends bytes that no HTTP client would: absolute-form targets, duplicate headers, broken framing.
import { once } from 'node:events'
import { connect } from 'node:net'

export interface RawRequest {
  method?: string
  target?: string
  /** Sent as given and in this order; `Host` and `Connection: close` are added unless they are among them. */
  headers?: [name: string, value: string][]
  body?: string | Buffer
}
export interface RawResponse {
  statusLine: string
  status: number
  headers: [name: string, value: string][]
  /** All values of a header, by any case. */
  all(name: string): string[]
  header(name: string): string | undefined
  body: string
  /** Everything the server sent. */
  raw: string
}

/** Sends one request, or exactly the given bytes, and reads until the server closes the connection. */
export async function sendRaw(
  origin: string,
  request: RawRequest | string,
  timeoutMs = 5000,
): Promise<RawResponse> {
  const { hostname, port, host } = new URL(origin)
  const socket = connect(Number(port), hostname)
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer in ${timeoutMs} ms`)))
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  const bytes = typeof request === 'string' ? request : serialize(request, host)
  // Not ended: a half-closed connection reads as a client that went away.
  socket.write(bytes)
  await once(socket, 'end')
  socket.destroy()
  return parse(Buffer.concat(chunks).toString('latin1'))
}

function serialize({ method = 'GET', target = '/', headers = [], body }: RawRequest, host: string): Buffer {
  const given = new Set(headers.map(([name]) => name.toLowerCase()))
  const all = [...headers]
  if (!given.has('host')) all.unshift(['Host', host])
  if (!given.has('connection')) all.push(['Connection', 'close'])
  if (body !== undefined && !given.has('content-length') && !given.has('transfer-encoding')) {
    all.push(['Content-Length', String(Buffer.byteLength(body))])
  }
  const head = [`${method} ${target} HTTP/1.1`, ...all.map(([name, value]) => `${name}: ${value}`), '', '']
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), Buffer.from(body ?? '')])
}

function parse(raw: string): RawResponse {
  const split = raw.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = raw.slice(0, split < 0 ? raw.length : split).split('\r\n')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  const all = (name: string) =>
    headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  const rest = split < 0 ? '' : raw.slice(split + 4)
  const chunked = all('transfer-encoding').includes('chunked')
  const body = Buffer.from(chunked ? dechunk(rest) : rest, 'latin1').toString()
  const status = Number(statusLine.split(' ')[1])
  return { statusLine, status, headers, all, header: (name) => all(name)[0], body, raw }
}

function dechunk(text: string): string {
  let body = ''
  let rest = text
  while (rest !== '') {
    const line = rest.indexOf('\r\n')
    const length = Number.parseInt(rest.slice(0, line), 16)
    if (!(length > 0)) break
    body += rest.slice(line + 2, line + 2 + length)
    rest = rest.slice(line + 2 + length + 2)
  }
  return body
}
