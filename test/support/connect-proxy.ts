// A forward proxy (HTTP CONNECT) that writes down what it is asked.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { TestContext } from './suite.ts'

/** A proxy that reaches one server, whatever it is asked to connect to. */
export async function startProxy({ after }: TestContext, port: number, refuse?: number) {
  const asked: { target: string | undefined; authorization: string | undefined }[] = []
  const server = createServer((_request, response) => response.writeHead(500).end('not a CONNECT'))
  server.on('connect', ({ url, headers }, client: Socket) => {
    asked.push({ target: url, authorization: headers['proxy-authorization'] })
    client.on('error', () => {})
    if (refuse !== undefined) {
      client.end(`HTTP/1.1 ${refuse} No\r\n\r\n`)
      return
    }
    const server = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      server.pipe(client).pipe(server)
    })
    server.on('error', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}
