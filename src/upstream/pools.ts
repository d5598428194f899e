// The connections to upstreams. Calls and event streams never share a pool: undici walks a pool's connections to find
// a free one, so thousands of open streams would slow every call (measured: to a third). It knows nothing of routes.
import type { Socket } from 'node:net'
import { buildConnector, type Dispatcher, Pool } from 'undici'
import { DIRECT, type Egress, type Tunnel } from './egress.ts'
import { upstreamFault } from './fault.ts'

/**
 * Connections that no answer keeps are closed after this, unless the server names its own `Keep-Alive: timeout`.
 * Below the 5 s of uvicorn and Node, so that the server is rarely the first to close.
 */
const KEEP_ALIVE_MS = 4_000
/** However long a server promises to keep a connection, a NAT on the way may forget it. */
const KEEP_ALIVE_MAX_MS = 60_000

export interface ConnectOptions {
  readonly connectMs: number
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string | undefined
}

export interface Pools {
  dispatcher(url: URL, options: ConnectOptions, isStream: boolean): Dispatcher
  /** Retires everything but these, what is kept for other options of theirs included. */
  retain(used: readonly Destination[]): void
  /** Closes an origin's idle connections now and the others as their answers end. A later request opens new ones. */
  retire(origin: string): Promise<void>
  /** Retires every origin and opens nothing more. Resolves when the last answer has ended, of retired origins too. */
  close(): Promise<void>
}

export interface Destination {
  readonly url: URL
  readonly options: ConnectOptions
}

interface Entry extends ConnectOptions {
  readonly calls: Pool
  readonly streams: Pool
}

export interface PoolsOptions {
  readonly keepAliveMs?: number
  readonly egress?: Egress
}

export function createPools({ keepAliveMs = KEEP_ALIVE_MS, egress = DIRECT }: PoolsOptions = {}): Pools {
  const entries = new Map<string, Entry[]>()
  const draining = new Set<Promise<unknown>>()
  let closed = false

  function open(origin: string, options: ConnectOptions): Entry {
    const tunnel = egress.tunnelTo(new URL(origin).hostname)
    const entry = {
      ...options,
      calls: pool(origin, options, keepAliveMs, tunnel),
      streams: pool(origin, options, keepAliveMs, tunnel),
    }
    entries.set(origin, [...(entries.get(origin) ?? []), entry])
    return entry
  }

  function retire(origin: string): Promise<void> {
    return retireAllBut(origin, [])
  }

  async function retireAllBut(origin: string, kept: readonly ConnectOptions[]): Promise<void> {
    const isKept = (entry: Entry) => kept.some((options) => sameOptions(entry, options))
    const all = entries.get(origin) ?? []
    const retired = all.filter((entry) => !isKept(entry))
    const rest = all.filter(isKept)
    if (rest.length > 0) entries.set(origin, rest)
    else entries.delete(origin)
    if (retired.length === 0) return
    const drained = Promise.all(retired.flatMap(({ calls, streams }) => [calls.close(), streams.close()]))
    draining.add(drained)
    await drained
    draining.delete(drained)
  }

  return {
    dispatcher({ origin }, options, isStream) {
      if (closed) throw upstreamFault('unavailable')
      const known = entries.get(origin)?.find((entry) => sameOptions(entry, options))
      const { calls, streams } = known ?? open(origin, options)
      return isStream ? streams : calls
    },
    retain(used) {
      for (const origin of [...entries.keys()]) {
        const kept = used.filter(({ url }) => url.origin === origin).map(({ options }) => options)
        void retireAllBut(origin, kept)
      }
    },
    retire,
    async close() {
      closed = true
      for (const origin of [...entries.keys()]) void retire(origin)
      await Promise.all(draining)
    },
  }
}

const sameOptions = (a: ConnectOptions, b: ConnectOptions) => a.connectMs === b.connectMs && a.ca === b.ca

/**
 * Unbounded: a bounded pool would fill up with POSTs answered by long event streams and starve the rest.
 * `bodyTimeout` 0: a silent stream is a healthy one. A Pool reads no proxy variable and follows no redirect.
 *
 * No request is sent twice, and a stale connection is no error (undici 7, client-h1.js): before a used connection is
 * written to again, undici waits one turn of the event loop; a FIN or RST that has arrived by then closes it, and
 * the request, of which nothing was written, goes out on a new one. Once written, an answerless close fails the
 * request; only pipelined requests would be requeued, and `pipelining: 1` rules those out.
 */
function pool(
  origin: string,
  { connectMs, ca }: ConnectOptions,
  keepAliveMs: number,
  tunnel: Tunnel | undefined,
): Pool {
  const connect = { timeout: connectMs, ...(ca === undefined ? {} : { ca }) }
  return new Pool(origin, {
    connections: null,
    pipelining: 1,
    allowH2: false,
    bodyTimeout: 0,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
    connect: tunnel === undefined ? connect : throughTunnel(tunnel, connect),
  })
}

function throughTunnel(
  tunnel: Tunnel,
  options: { readonly timeout: number; readonly ca?: string },
): buildConnector.connector {
  const speakTls = buildConnector(options)
  return (target, callback) => {
    const secure = target.protocol === 'https:'
    const port = Number(target.port || (secure ? 443 : 80))
    tunnel(target.hostname, port, AbortSignal.timeout(options.timeout)).then(
      (socket) => {
        const opened = socket as Socket
        if (secure) speakTls({ ...target, httpSocket: opened }, callback)
        else callback(null, opened)
      },
      (error: Error) => callback(error, null),
    )
  }
}
