// The way out through a forward proxy that the configuration names: who resolves which name, who is told what, and
// that TLS is spoken with the server itself.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import { createEgress } from '../../src/upstream/egress.ts'
import { faultOf } from '../../src/upstream/fault.ts'
import { createControlHttp, type Trust } from '../../src/upstream/http.ts'
import { createPools } from '../../src/upstream/pools.ts'
import type { Lookup } from '../../src/upstream/resolve.ts'
import { startProxy } from '../support/connect-proxy.ts'
import { freePort } from '../support/ports.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { certificate, hasOpenssl } from './certificate.ts'
import { closing, startHttp, startRaw } from './harness.ts'

const test = suite('upstream/egress')

function through(context: TestContext, proxy: string, direct: readonly string[] = [], lookup?: Lookup) {
  const egress = createEgress({ proxy, authorization: 'Basic c2VjcmV0', direct })
  context.after(() => egress.close())
  const http = createControlHttp({ egress, ...(lookup && { lookup }) })
  const get = async (url: string, trust: Trust = 'configured') =>
    String((await http({ method: 'GET', url: new URL(url), headers: {}, trust })).body)
  return { egress, get }
}

const answering =
  (address: string): Lookup =>
  (_hostname, _options, callback) =>
    callback(null, [{ address, family: 4 }])

test('what the operator wrote goes to the proxy by name, and is not resolved here', async (context) => {
  const { port } = await startHttp(context, (request, response) => response.end(request.headers.host))
  const proxy = await startProxy(context, port)
  const { get } = through(context, proxy.origin, [], () => assert.unreachable('a lookup'))
  assert.is(await get('http://as.corp.test:8080/token'), 'as.corp.test:8080')
  assert.equal(proxy.asked, [{ target: 'as.corp.test:8080', authorization: 'Basic c2VjcmV0' }])
})

test('loopback and the hosts named as direct never see the proxy', async (context) => {
  const { port } = await startHttp(context, (_request, response) => response.end('direct'))
  const proxy = await startProxy(context, port)
  const { get } = through(context, proxy.origin, ['inside.test'], answering('127.0.0.1'))
  for (const host of ['127.0.0.1', 'localhost', 'inside.test', 'deep.inside.test'])
    assert.is(await get(`http://${host}:${port}/`), 'direct', host)
  assert.equal(proxy.asked, [])
  assert.is(await get(`http://notinside.test:${port}/`), 'direct')
  assert.is(proxy.asked.length, 1)
})

test('a host is direct however it is written, and IPv6 loopback is too', () => {
  const { tunnelTo } = createEgress({
    proxy: 'http://127.0.0.1:9',
    authorization: undefined,
    direct: ['Inside.Test'],
  })
  for (const url of ['http://INSIDE.test', 'http://deep.inside.test', 'http://[::1]:8080'])
    assert.is(tunnelTo(new URL(url).hostname), undefined, url)
  assert.type(tunnelTo('[::2]'), 'function')
})

test('a proxy that refuses is an upstream that cannot be reached, and its answer is not taken for the upstream’s', async (context) => {
  const { port } = await startHttp(context, (_request, response) => response.end('never'))
  for (const status of [403, 407, 502]) {
    const proxy = await startProxy(context, port, status)
    const { get } = through(context, proxy.origin)
    const error = await get('http://as.corp.test/').catch((thrown: unknown) => thrown)
    assert.instance(error, UpstreamError)
    assert.equal((error as UpstreamError).fault, 'unreachable')
    assert.is((error as UpstreamError).detail.reason, `ERR_PROXY_${status}`)
  }
})

test('a proxy that is down is named in the error, of control requests and of calls', async (context) => {
  const { get, egress } = through(context, `http://127.0.0.1:${await freePort()}`)
  const error = await get('http://as.corp.test/').catch((thrown: unknown) => thrown)
  assert.is((error as UpstreamError).fault, 'unreachable')
  assert.is((error as UpstreamError).detail.reason, 'ERR_PROXY_ECONNREFUSED')
  const pools = createPools({ egress })
  context.after(() => pools.close())
  const url = new URL('http://mcp.corp.test/mcp')
  const call = pools
    .dispatcher(url, { connectMs: 2000 }, false)
    .request({ origin: url.origin, path: url.pathname, method: 'GET' })
  const failed = await call.catch((thrown: unknown) => thrown)
  assert.is((failed as NodeJS.ErrnoException).code, 'ERR_PROXY_ECONNREFUSED')
})

test('a proxy that says nothing is too late, and no fault of the gateway', async (context) => {
  const silent = await startRaw(context, () => {})
  const { get, egress } = through(context, silent.url.origin)
  const pools = createPools({ egress })
  context.after(() => pools.close())
  const url = new URL('http://mcp.corp.test/mcp')
  const call = pools
    .dispatcher(url, { connectMs: 200 }, false)
    .request({ origin: url.origin, path: url.pathname, method: 'GET' })
  const failed = await call.catch((thrown: unknown) => thrown)
  const fault = faultOf(failed as Error, false)
  assert.instance(fault, UpstreamError)
  assert.equal([(fault as UpstreamError).fault, (fault as UpstreamError).status], ['timeout', 504])
  const late = await get('http://as.corp.test/').catch((thrown: unknown) => thrown)
  assert.instance(late, UpstreamError)
})

test('the connection to a proxy that refuses and keeps it open is closed', async (context) => {
  const closed: Promise<void>[] = []
  const proxy = await startRaw(context, (socket) => {
    closed.push(closing(socket))
    socket.once('data', () => socket.write('HTTP/1.1 403 No\r\n\r\n'))
  })
  const { get } = through(context, proxy.url.origin)
  const error = await get('http://as.corp.test/').catch((thrown: unknown) => thrown)
  assert.is((error as UpstreamError).detail.reason, 'ERR_PROXY_403')
  assert.ok(closed.length > 0)
  await Promise.all(closed)
})

test('the proxy is told IPv6 addresses in brackets', async (context) => {
  const { port } = await startHttp(context, (request, response) => response.end(request.headers.host))
  const proxy = await startProxy(context, port)
  const { get } = through(context, proxy.origin)
  assert.is(await get('http://[2001:db8::1]:8080/'), '[2001:db8::1]:8080')
  assert.is(proxy.asked[0]?.target, '[2001:db8::1]:8080')
})

test('sec-F3: what a stranger wrote is resolved and judged here: a private address is refused before the proxy hears of it', async (context) => {
  const { port } = await startHttp(context, (_request, response) => response.end('inside'))
  const proxy = await startProxy(context, port)
  const { get } = through(context, proxy.origin, [], answering('169.254.169.254'))
  for (const trust of ['foreign', { derivedFrom: 'mcp.test' }] as const) {
    const error = await get('https://client.test/', trust).catch((thrown: unknown) => thrown)
    assert.is((error as UpstreamError).fault, 'unreachable')
  }
  assert.equal(proxy.asked, [])
  assert.is(await get('http://as.corp.test/'), 'inside', 'and what the operator wrote still goes')
})

test('calls to upstreams go through it too', async (context) => {
  const { port } = await startHttp(context, (request, response) => response.end(request.headers.host))
  const proxy = await startProxy(context, port)
  const { egress } = through(context, proxy.origin)
  const pools = createPools({ egress })
  context.after(() => pools.close())
  const url = new URL('http://mcp.corp.test/mcp')
  for (const isStream of [false, true]) {
    const dispatcher = pools.dispatcher(url, { connectMs: 2000 }, isStream)
    const { body } = await dispatcher.request({ origin: url.origin, path: url.pathname, method: 'GET' })
    assert.is(await body.text(), 'mcp.corp.test')
  }
  assert.equal(
    proxy.asked.map(({ target }) => target),
    ['mcp.corp.test:80', 'mcp.corp.test:80'],
  )
})

const CHILD = `
import { createEgress } from ${JSON.stringify(new URL('../../src/upstream/egress.ts', import.meta.url).href)}
import { createControlHttp } from ${JSON.stringify(new URL('../../src/upstream/http.ts', import.meta.url).href)}
const { proxy, urls } = JSON.parse(process.argv[1])
const egress = createEgress({ proxy, direct: [] })
const lookup = (_hostname, _options, callback) => callback(null, [{ address: '93.184.216.34', family: 4 }])
const http = createControlHttp({ egress, lookup })
const ask = (url) => http({ method: 'GET', url: new URL(url), headers: {}, trust: 'foreign' })
  .then(({ body }) => String(body), ({ fault }) => fault)
console.log(JSON.stringify(await Promise.all(urls.map(ask))))
await egress.close()
`

test.skipUnless(hasOpenssl, 'no openssl to make a certificate with')(
  'sec-F3: the proxy is told the checked address, and the server behind it must prove the name',
  async (context) => {
    const { path, key, cert } = certificate(context, 'client.test')
    const server = createTlsServer({ key, cert }, (request, response) => response.end(request.headers.host))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    context.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const proxy = await startProxy(context, (server.address() as AddressInfo).port)
    const input = JSON.stringify({
      proxy: proxy.origin,
      urls: ['https://client.test/', 'https://other.test/'],
    })
    const script = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', CHILD, input]
    const { stdout } = await promisify(execFile)(process.execPath, script, {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: path },
    })
    assert.equal(JSON.parse(stdout), ['client.test', 'unreachable'])
    assert.equal(
      proxy.asked.map(({ target }) => target),
      ['93.184.216.34:443', '93.184.216.34:443'],
    )

    const { egress } = through(context, proxy.origin)
    const pools = createPools({ egress })
    context.after(() => pools.close())
    const url = new URL('https://client.test/mcp')
    const answer = await pools
      .dispatcher(url, { connectMs: 2000, ca: cert }, false)
      .request({ origin: url.origin, path: '/mcp', method: 'GET' })
    assert.is(await answer.body.text(), 'client.test')
    assert.is(proxy.asked.at(-1)?.target, 'client.test:443')
  },
)

test.run()
