// A relay in front of a gateway that keeps every byte the gateway sends: what is not in there, no client ever saw.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Wiretap {
  /** The gateway's public URL must be this one. */
  readonly url: string
  /** Everything the gateway sent so far, one text per connection. */
  heard(): string[]
  /** From here on connections are passed on to this port. */
  attach(port: number): void
  close(): Promise<void>
}

export async function startWiretap(): Promise<Wiretap> {
  const sockets = new Set<Socket>()
  const chunks: Buffer[][] = []
  let target = 0
  const server = createServer((client) => {
    const gateway = connect(target, '127.0.0.1')
    const kept: Buffer[] = []
    chunks.push(kept)
    for (const [from, to] of [
      [client, gateway],
      [gateway, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy()).on('close', () => sockets.delete(from))
      from.pipe(to)
    }
    gateway.on('data', (chunk) => kept.push(chunk))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    heard: () => chunks.map((kept) => Buffer.concat(kept).toString('latin1')),
    attach: (port) => {
      target = port
    },
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
