// Keeps the gateway from being used against others: whoever can make it fetch could aim a flood at any web server, from
// our address (sec-F7). And keeps strangers from using up what may be sent for the clients that people here use
// (sec-R2, sec-R14). Wraps the clients that fetch what strangers name; it sends nothing and judges no address.
import { UpstreamError } from '../errors.ts'
import type { ControlAnswer, ControlHttp, ControlRequest } from './http.ts'

/** So many at once after a quiet time, then one each interval. */
interface Rate {
  readonly intervalMs: number
  readonly burst: number
}

const EACH_HOST: Rate = { intervalMs: 1_000, burst: 5 }
/** What one client in use may take of that: a document and its key set. Anybody can have one asked for over and over whose document is gone. */
const EACH_CLIENT_IN_USE: Rate = { intervalMs: 5_000, burst: 2 }
/** Strangers choose the names, so the table is bounded; hosts asked within the last seconds are all it holds. */
const MOST_NAMES = 10_000

export interface PoliteRequest extends ControlRequest {
  /** The client that it is sent for, by its client_id. */
  readonly client: string
}

export type PoliteHttp = (request: PoliteRequest) => Promise<ControlAnswer>

export interface PoliteOptions {
  /** Another than `inUse`, so that the names that strangers choose wait only for each other (guard.ts). */
  readonly strangers: ControlHttp
  readonly inUse: ControlHttp
  /** Whether people here use this client. Writes nothing: strangers have it asked. */
  readonly isInUse: (clientId: string) => Promise<boolean>
  readonly now: () => number
}

/**
 * A host is asked at most twice as often as `EACH_HOST` says: as often for all strangers together, and as often for all
 * clients in use. Throws UpstreamError `unavailable`, with the time to wait, instead of queueing: a queue would be the
 * next thing to flood.
 */
export function createPolite({ strangers, inUse, isInUse, now }: PoliteOptions): PoliteHttp {
  const claim = createClaims()
  const claimInUse = createClaims()
  const claimOwn = createClaims(EACH_CLIENT_IN_USE)
  const underWay = new Map<string, Promise<ControlAnswer>>()

  // The client's own share first: what it has used up must not cost the other clients of that host anything.
  const hasReserve = async (client: string, hostname: string): Promise<boolean> =>
    (await isInUse(client)) && claimOwn(client, now()) === 0 && claimInUse(hostname, now()) === 0

  async function sendNow({ client, ...request }: PoliteRequest): Promise<ControlAnswer> {
    const { hostname } = request.url
    if (await hasReserve(client, hostname)) return inUse(request)
    const waitMs = claim(hostname, now())
    if (waitMs === 0) return strangers(request)
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
 * A claim on a name, a host's or a client's: 0 when it may be asked now, else the milliseconds until it may. A host's
 * port does not count: all of them are the same machine. One number a name: when it will have a full burst again (the
 * generic cell rate algorithm).
 */
export function createClaims({
  intervalMs,
  burst,
}: Rate = EACH_HOST): (name: string, nowMs: number) => number {
  const restedAtMs = new Map<string, number>()

  // Every claim moves its name to the end, so the rested ones gather at the front. A time further ahead than a spent
  // burst comes from a clock that was set back; it would shut the name out until the clock has caught up.
  function forgetRested(nowMs: number): void {
    for (const [name, atMs] of restedAtMs) {
      if (atMs > nowMs && atMs <= nowMs + burst * intervalMs) return
      restedAtMs.delete(name)
    }
  }

  return (name, nowMs) => {
    forgetRested(nowMs)
    const fromMs = Math.max(restedAtMs.get(name) ?? nowMs, nowMs)
    const waitMs = fromMs - nowMs - (burst - 1) * intervalMs
    if (waitMs > 0) return waitMs
    if (restedAtMs.size >= MOST_NAMES && !restedAtMs.has(name)) return intervalMs
    restedAtMs.delete(name)
    restedAtMs.set(name, fromMs + intervalMs)
    return 0
  }
}
