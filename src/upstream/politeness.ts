// Keeps the gateway from being used against others: whoever can make it fetch could aim a flood at any web server, from
// our address (sec-F7). Wraps the client that fetches what strangers name; it sends nothing and judges no address.
import { UpstreamError } from '../errors.ts'
import type { ControlAnswer, ControlHttp, ControlRequest } from './http.ts'

/** One request a second to each host, and up to five at once after a quiet time. */
const INTERVAL_MS = 1_000
const BURST = 5
/** Strangers choose the names, so the table is bounded; hosts asked within the last seconds are all it holds. */
const MOST_HOSTS = 10_000

/** Throws UpstreamError `unavailable`, with the time to wait, instead of queueing: a queue would be the next thing to flood. */
export function createPolite(http: ControlHttp, nowMs: () => number): ControlHttp {
  const claim = createClaims()
  const underWay = new Map<string, Promise<ControlAnswer>>()

  function sendNow(request: ControlRequest): Promise<ControlAnswer> {
    const { hostname } = request.url
    const waitMs = claim(hostname, nowMs())
    if (waitMs === 0) return http(request)
    const retryAfterSeconds = Math.ceil(waitMs / 1_000)
    throw new UpstreamError(
      'unavailable',
      'too many requests to one host: try again in a moment',
      { host: hostname },
      retryAfterSeconds,
    )
  }

  return async (request) => {
    if (request.method !== 'GET') return sendNow(request)
    const key = JSON.stringify({ ...request, url: request.url.href })
    const same = underWay.get(key)
    if (same !== undefined) return same
    const answer = sendNow(request)
    underWay.set(key, answer)
    return answer.finally(() => underWay.delete(key))
  }
}

/**
 * A claim on a host: 0 when it may be asked now, else the milliseconds until it may. The port does not count: all of
 * them are the same machine. One number a host: when it will have a full burst again (the generic cell rate algorithm).
 */
export function createClaims(): (hostname: string, nowMs: number) => number {
  const restedAtMs = new Map<string, number>()

  // Every claim moves its host to the end, so the rested ones gather at the front. A time further ahead than a spent
  // burst comes from a clock that was set back; it would shut the host out until the clock has caught up.
  function forgetRested(nowMs: number): void {
    for (const [hostname, atMs] of restedAtMs) {
      if (atMs > nowMs && atMs <= nowMs + BURST * INTERVAL_MS) return
      restedAtMs.delete(hostname)
    }
  }

  return (hostname, nowMs) => {
    forgetRested(nowMs)
    const fromMs = Math.max(restedAtMs.get(hostname) ?? nowMs, nowMs)
    const waitMs = fromMs - nowMs - (BURST - 1) * INTERVAL_MS
    if (waitMs > 0) return waitMs
    if (restedAtMs.size >= MOST_HOSTS && !restedAtMs.has(hostname)) return INTERVAL_MS
    restedAtMs.delete(hostname)
    restedAtMs.set(hostname, fromMs + INTERVAL_MS)
    return 0
  }
}
