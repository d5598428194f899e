// `doctor` goes out as the gateway does: through `egress.proxy`, past it where the file says so.
import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import * as assert from 'uvu/assert'
import { startProxy } from '../support/connect-proxy.ts'
import { listen } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { suite } from '../support/suite.ts'
import { certificate, hasOpenssl } from '../upstream/certificate.ts'
import { about, CANARY, visit } from './visit.ts'

const test = suite('doctor/egress')

const yaml = (proxy: string, upstream: string, direct = '') => `version: 1
server: { port: 0 }
store: { type: memory }
egress: { proxy: "${proxy}", proxy_authorization: "Basic \${SECRET}"${direct} }
routes: { a: { upstream: "${upstream}", auth: none } }
`
const env = { SECRET: CANARY }

test('upstreams are asked through the proxy, which resolves their names', async (context) => {
  const upstream = await listen((_, response) => response.end('{}'))
  context.after(upstream.close)
  const proxy = await startProxy(context, upstream.port)
  const told = await visit(yaml(proxy.origin, 'http://mcp.corp.test/mcp'), { env })
  assert.equal(about('routes.a', told), ['ok routes.a: http://mcp.corp.test answers'])
  assert.equal(about('egress.proxy', told), [`ok egress.proxy: ${proxy.origin} takes connections`])
  assert.equal(proxy.asked[0], { target: 'mcp.corp.test:80', authorization: `Basic ${CANARY}` })
})

test('what the file names as direct never sees the proxy', async (context) => {
  const upstream = await listen((_, response) => response.end('{}'))
  context.after(upstream.close)
  const proxy = await startProxy(context, upstream.port)
  const told = await visit(yaml(proxy.origin, upstream.origin, ', direct: ["127.0.0.1"]'), { env })
  assert.equal(about('routes.a', told), [`ok routes.a: ${upstream.origin} answers`])
  assert.equal(proxy.asked, [])
})

test('a proxy that refuses, or is down, is what is told', async (context) => {
  const upstream = await listen((_, response) => response.end('{}'))
  context.after(upstream.close)
  const refusing = await startProxy(context, upstream.port, 407)
  const refused = await visit(yaml(refusing.origin, 'http://mcp.corp.test/mcp'), { env })
  assert.match(about('routes.a', refused).join(), /gave no answer: the proxy \(egress\.proxy\) answers 407 →/)
  const gone = `http://127.0.0.1:${await freePort()}`
  const down = await visit(yaml(gone, 'http://mcp.corp.test/mcp'), { env })
  assert.equal(about('egress.proxy', down), [
    `FAIL egress.proxy: ${gone} takes no connections: connection refused → Check egress.proxy first: whatever else is said to be unreachable is behind it.`,
  ])
  assert.match(about('routes.a', down).join(), /^FAIL /)
})

test.skipUnless(hasOpenssl, 'no openssl to make a certificate with')(
  'certificates are looked at through the proxy too',
  async (context) => {
    const { key, cert } = certificate(context, 'mcp.corp.test')
    const server = createTlsServer({ key, cert }, (_, response) => response.end('{}'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    context.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const proxy = await startProxy(context, (server.address() as AddressInfo).port)
    const told = await visit(yaml(proxy.origin, 'https://mcp.corp.test/mcp'), { env })
    assert.match(about('tls', told).join(), /^FAIL tls: the certificate of mcp\.corp\.test is not trusted/)
    assert.equal([...new Set(proxy.asked.map(({ target }) => target))], ['mcp.corp.test:443'])
  },
)

test.skipUnless(hasOpenssl, 'no openssl to make a certificate with')(
  'a proxy whose certificate is not trusted is to blame, and not who is behind it',
  async (context) => {
    const { key, cert } = certificate(context, 'localhost')
    const proxy = createTlsServer({ key, cert })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    context.after(() => {
      proxy.closeAllConnections()
      proxy.close()
    })
    const host = `localhost:${(proxy.address() as AddressInfo).port}`
    const told = await visit(yaml(`https://${host}`, 'http://mcp.corp.test/mcp'), { env })
    assert.equal(about('egress.proxy', told), [
      `FAIL egress.proxy: the certificate of ${host} is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT) → If an authority of your own signed it, name its file in NODE_EXTRA_CA_CERTS.`,
    ])
    assert.match(about('routes.a', told).join(), /the proxy \(egress\.proxy\): .* → See egress\.proxy\.$/)
  },
)

test.run()
