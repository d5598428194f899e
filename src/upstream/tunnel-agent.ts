// Node's agents over a tunnel: the proxy connects, TLS is spoken through it with the server itself.
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Tunnel } from './egress.ts'

interface Target {
  readonly host?: string | null | undefined
  readonly port?: number | string | null | undefined
}
type OnSocket = (error: Error | null, socket: Duplex) => void

/** `address`: where the proxy connects, whatever the name; undefined: the proxy resolves the name. */
export function tunnelAgents(
  tunnel: Tunnel,
  address: string | undefined,
  signal: AbortSignal,
): { http: HttpAgent; https: HttpsAgent } {
  const open = ({ host, port }: Target) => tunnel(address ?? host ?? '', Number(port), signal)

  class TunnelHttpAgent extends HttpAgent {
    override createConnection(target: Target, callback?: OnSocket): undefined {
      hand(open(target), callback)
    }
  }
  class TunnelHttpsAgent extends HttpsAgent {
    override createConnection(target: Target, callback?: OnSocket): undefined {
      // The certificate is checked against the name of the URL, not against the address.
      hand(
        open(target).then((socket) => connectTls({ ...(target as ConnectionOptions), socket })),
        callback,
      )
    }
  }
  return {
    http: new TunnelHttpAgent({ keepAlive: false }),
    https: new TunnelHttpsAgent({ keepAlive: false }),
  }
}

function hand(socket: Promise<Duplex>, callback: OnSocket | undefined): void {
  socket.then(
    (opened) => callback?.(null, opened),
    (error: Error) => callback?.(error, undefined as never),
  )
}
