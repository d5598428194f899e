// Control-plane HTTP toward upstreams: one request, one bounded answer. No redirects, no retries, no proxy from the
// environment, no decompression, no connection kept: each of those has carried a credential somewhere it should not go.
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { got, RequestError, TimeoutError } from 'got'
import { UpstreamError } from '../errors.ts'

export interface ControlRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface ControlAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Sends one request. Throws UpstreamError `timeout`, `unreachable` or `bad_response`; any status is an answer. */
export type ControlHttp = (request: ControlRequest) => Promise<ControlAnswer>

/** Metadata and token answers are a few KiB. */
const MAX_BODY_BYTES = 64 * 1024
const TIMEOUT_MS = { lookup: 5_000, connect: 5_000, secureConnect: 5_000, response: 10_000, request: 15_000 }

const client = got.extend({
  agent: { http: new HttpAgent({ keepAlive: false }), https: new HttpsAgent({ keepAlive: false }) },
  followRedirect: false,
  retry: { limit: 0 },
  decompress: false,
  throwHttpErrors: false,
  responseType: 'buffer',
  timeout: TIMEOUT_MS,
  headers: { 'user-agent': 'mcp-oauth-gateway', 'accept-encoding': 'identity' },
})

export const controlHttp: ControlHttp = async ({ method, url, headers, body }) => {
  const stop = new AbortController()
  const pending = client(url, { method, headers, signal: stop.signal, ...(body !== undefined && { body }) })
  pending.on('downloadProgress', ({ transferred }) => {
    if (transferred > MAX_BODY_BYTES) stop.abort()
  })
  try {
    const response = await pending
    if (response.rawBody.length > MAX_BODY_BYTES) throw tooLarge()
    return { status: response.statusCode, headers: response.headers, body: Buffer.from(response.rawBody) }
  } catch (error) {
    if (stop.signal.aborted) throw tooLarge()
    if (error instanceof TimeoutError) {
      throw new UpstreamError('timeout', 'the upstream did not answer in time', {
        phase: error.event,
        host: url.host,
      })
    }
    if (error instanceof RequestError) {
      throw new UpstreamError('unreachable', 'the upstream could not be reached', {
        cause: error.code,
        host: url.host,
      })
    }
    throw error
  }
}

function tooLarge(): UpstreamError {
  return new UpstreamError('bad_response', 'the upstream sent an answer that is too large', {
    limit: MAX_BODY_BYTES,
  })
}
