// Control-plane HTTP: one request, one bounded answer, to addresses the guard has checked. No redirects, no proxy from
// the environment, no decompression, no connection kept: each of those has carried a credential, or a stranger's
// request, somewhere it should not go. Only a GET that broke off before an answer is sent a second time.
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { once } from 'node:events'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { LookupFunction } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { type Request as GotRequest, got, type Response, TimeoutError } from 'got'
import { UpstreamError } from '../errors.ts'
import { DIRECT, type Egress, type Tunnel } from './egress.ts'
import { createGuard, type Trust, unreachable } from './guard.ts'
import type { Lookup } from './resolve.ts'
import { tunnelAgents } from './tunnel-agent.ts'

export type { Trust }

export interface ControlRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly trust: Trust
  /** Of the answer's body, as it comes over the wire. */
  readonly maxBytes?: number
  /** From the name lookup to the last byte of the body. */
  readonly totalMs?: number
  /** The body is not read: it is empty. */
  readonly headOnly?: boolean
}

export interface ControlAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/**
 * Sends one request; any status is an answer, a redirect too. Throws UpstreamError `unreachable` for whatever the
 * guard refuses and whatever fails before an answer begins, `bad_response` for one that is too large, encoded or cut
 * short, and `timeout`. For a URL that the operator did not write, silence before an answer is `unreachable` as well:
 * closed, filtered and refused must look alike (sec-F6).
 */
export type ControlHttp = (request: ControlRequest) => Promise<ControlAnswer>

export interface ControlHttpOptions {
  /** In place of `dns.lookup`. */
  readonly lookup?: Lookup
  readonly egress?: Egress
}

interface Limits {
  readonly maxBytes: number
  readonly totalMs: number
}

/** Metadata and token answers are a few KiB. */
const LIMITS: Limits = { maxBytes: 64 * 1024, totalMs: 15_000 }
/** What the client metadata draft recommends for a document that anyone may point us at (spec-C6). */
const FOREIGN_LIMITS: Limits = { maxBytes: 5 * 1024, totalMs: 5_000 }
const PHASE_LIMITS_MS = { connect: 5_000, secureConnect: 5_000, response: 10_000 }

// Agents of our own: the global ones can be told by the environment to use a proxy, which would resolve names itself,
// and a kept socket would be used again without a new check.
const client = got.extend({
  agent: { http: new HttpAgent({ keepAlive: false }), https: new HttpsAgent({ keepAlive: false }) },
  followRedirect: false,
  retry: { limit: 0 },
  decompress: false,
  throwHttpErrors: false,
  timeout: PHASE_LIMITS_MS,
  headers: { 'user-agent': 'mcp-oauth-gateway', 'accept-encoding': 'identity' },
})

export const controlHttp: ControlHttp = createControlHttp()

export function createControlHttp({
  lookup = systemLookup,
  egress = DIRECT,
}: ControlHttpOptions = {}): ControlHttp {
  const guard = createGuard(lookup)
  return async (request) => {
    try {
      return await ask(request)
    } catch (error) {
      if (!mayAskAgain(request, error)) throw error
      return ask(request)
    }
  }

  async function ask(request: ControlRequest): Promise<ControlAnswer> {
    const { trust } = request
    // A copy: what was checked is what is asked, whatever the caller does with its URL meanwhile.
    const url = new URL(request.url)
    const { maxBytes, totalMs } = { ...(trust === 'foreign' ? FOREIGN_LIMITS : LIMITS), ...request }
    const total = new AbortController()
    const timer = setTimeout(() => total.abort(), totalMs)
    let answered = false
    try {
      const tunnel = egress.tunnelTo(url.hostname)
      const addresses = await guard(url, trust, total.signal, tunnel !== undefined)
      const stream = send(request, url, { addresses, tunnel, signal: total.signal })
      try {
        const [response] = (await once(stream, 'response')) as [Response]
        answered = true
        if (request.headOnly)
          return { status: response.statusCode, headers: response.headers, body: Buffer.alloc(0) }
        checkEncoding(response)
        const body = await readAtMost(maxBytes, stream)
        return { status: response.statusCode, headers: response.headers, body }
      } finally {
        stream.destroy()
      }
    } catch (error) {
      throw faultOf(error, { host: url.host, trust, answered, late: total.signal.aborted })
    } finally {
      clearTimeout(timer)
    }
  }
}

const PASSING: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'EAI_AGAIN', 'ERR_PROXY_ECONNRESET'])

/** Reading metadata twice changes nothing. A POST may have been carried out, and a stranger's URL gets one request (sec-F7). */
function mayAskAgain({ method, trust }: ControlRequest, error: unknown): boolean {
  const passing = error instanceof UpstreamError && PASSING.has(error.detail.reason)
  return method === 'GET' && trust !== 'foreign' && passing && error.fault === 'unreachable'
}

interface Path {
  readonly addresses: readonly LookupAddress[]
  readonly tunnel: Tunnel | undefined
  readonly signal: AbortSignal
}

function send(
  { method, headers, body = '' }: ControlRequest,
  url: URL,
  { addresses, tunnel, signal }: Path,
): GotRequest {
  const stream = client.stream(url, {
    method,
    headers,
    ...(tunnel === undefined
      ? { dnsLookup: pinned(addresses) }
      : { agent: tunnelAgents(tunnel, addresses[0]?.address, signal) }),
    ...(method === 'POST' && { body }),
  })
  // An error that nobody waits for any more would end the process.
  stream.on('error', () => {})
  // Since got listens for it, Node hands the socket of an unasked 101 over, without a listener for its errors: it would
  // stay open, and a reset would end the process. The stream takes it along.
  stream.on('upgrade', () => {
    stream.destroy(Object.assign(new Error('unasked upgrade'), { code: 'ERR_UNASKED_UPGRADE' }))
  })
  return addAbortSignal(signal, stream)
}

/** Answers with the checked addresses, whatever the name: asking again could get another answer (DNS rebinding, sec-F3). */
function pinned(addresses: readonly LookupAddress[]): LookupFunction {
  return (_hostname, { all }, callback) => {
    const [first] = addresses
    if (all === true) callback(null, [...addresses])
    else callback(null, first?.address ?? '', first?.family)
  }
}

/** We asked for identity. Inflating would let a few KiB become gigabytes, after the bytes were counted. */
function checkEncoding({ headers }: Response): void {
  const encoding = headers['content-encoding']?.trim().toLowerCase()
  if (encoding === undefined || encoding === '' || encoding === 'identity') return
  throw new UpstreamError('bad_response', 'the upstream sent an encoded answer', {
    encoding: encoding.slice(0, 40),
  })
}

async function readAtMost(maxBytes: number, stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > maxBytes) {
      throw new UpstreamError('bad_response', 'the upstream sent an answer that is too large', {
        limit: maxBytes,
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

interface Failure {
  readonly host: string
  readonly trust: Trust
  /** The head of an answer had arrived. */
  readonly answered: boolean
  /** The total time is over. */
  readonly late: boolean
}

function faultOf(error: unknown, { host, trust, answered, late }: Failure): unknown {
  if (error instanceof UpstreamError) return error
  const code = codeOf(error)
  if (!late && code === undefined) return error
  const phase = late ? 'total' : error instanceof TimeoutError ? error.event : undefined
  const detail = { reason: phase === undefined ? code : 'timeout', phase, host }
  const silent = phase !== undefined
  if (!answered && !(silent && trust === 'configured')) return unreachable(detail)
  if (silent) return new UpstreamError('timeout', 'the upstream did not answer in time', detail)
  return new UpstreamError('bad_response', 'the upstream broke off its answer', detail)
}

/** The system's and Node's codes. An error without one is a mistake in our own code, and stays what it is. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
