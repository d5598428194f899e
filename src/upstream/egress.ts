// The way out through the operator's forward proxy (HTTP CONNECT, RFC 9110 §9.3.6). Only what the configuration says
// counts: a proxy from the environment would quietly void the check of addresses (sec-F8).
import type { Duplex } from 'node:stream'
import { Pool } from 'undici'

export interface EgressSettings {
  readonly proxy: string | undefined
  /** The value of Proxy-Authorization. */
  readonly authorization: string | undefined
  /** Hosts, and everything below them, that are reached without the proxy. Loopback always is. */
  readonly direct: readonly string[]
}

/** A connection to `host:port`, through the proxy. Rejects with an error that has a `code`: its own is `ERR_PROXY_…`. */
export type Tunnel = (host: string, port: number, signal?: AbortSignal) => Promise<Duplex>

export interface Egress {
  /** Undefined: that host is reached directly. */
  tunnelTo(hostname: string): Tunnel | undefined
  close(): Promise<void>
}

export const DIRECT: Egress = { tunnelTo: () => undefined, close: async () => {} }

export function createEgress({ proxy, authorization, direct }: EgressSettings): Egress {
  if (proxy === undefined) return DIRECT
  const pool = new Pool(proxy, { connections: null, pipelining: 1, allowH2: false })
  const headers = authorization === undefined ? {} : { 'proxy-authorization': authorization }

  const tunnel: Tunnel = async (host, port, signal) => {
    const path = `${host.includes(':') ? `[${host}]` : host}:${port}`
    const asked = pool.connect({ path, headers, ...(signal && { signal }) })
    const { statusCode, socket } = await asked.catch((error: NodeJS.ErrnoException) => {
      throw proxyError(signal?.aborted ? 'ETIMEDOUT' : (error.code ?? error.name))
    })
    if (statusCode === 200) return socket
    socket.destroy()
    throw proxyError(statusCode)
  }

  const inside = [...direct, 'localhost', '127.0.0.1', '[::1]'].map((host) => host.toLowerCase())
  return {
    tunnelTo: (hostname) =>
      inside.some((host) => hostname === host || hostname.endsWith(`.${host}`)) ? undefined : tunnel,
    close: () => pool.destroy(),
  }
}

/** Without the name of the proxy in it, whoever reads the log would look at the upstream. */
const proxyError = (why: string | number) =>
  Object.assign(new Error(`the proxy: ${why}`), { code: `ERR_PROXY_${why}` })
