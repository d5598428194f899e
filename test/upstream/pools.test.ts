import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import { createPools } from '../../src/upstream/pools.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { call, closing, open, startFront, startHttp, startRaw } from './harness.ts'

const test = suite('upstream/pools')
const JSON_TYPE = { 'content-type': 'application/json' }
const SSE_TYPE = { 'content-type': 'text/event-stream' }

/** Answers POST with JSON and GET with a stream that stays open. */
async function upstreamOf(context: TestContext) {
  const streams: ServerResponse[] = []
  const connections: { method: string | undefined; port: number | undefined }[] = []
  const upstream = await startHttp(context, (request, response) => {
    connections.push({ method: request.method, port: request.socket.remotePort })
    if (request.method === 'POST') return response.writeHead(200, JSON_TYPE).end('{}')
    streams.push(response)
    response.writeHead(200, SSE_TYPE).flushHeaders()
  })
  return { ...upstream, streams, connections }
}

test('calls share a kept connection; streams never use it, whoever asks for them', async (context) => {
  const upstream = await upstreamOf(context)
  const front = await startFront(context, upstream.url)
  await call(front.url, { body: '{}' })
  const stream = await open(front.url, { method: 'GET' })
  await call(front.url, { body: '{}' })
  await call(front.url, { body: '{}', headers: { 'mcp-method': 'subscriptions/listen' } })
  const [first, second, third, fourth] = upstream.connections
  assert.is(third?.port, first?.port)
  assert.is.not(second?.port, first?.port)
  assert.is.not(fourth?.port, first?.port)
  stream.destroy()
})

test('a retired origin lets its streams run on, closes what is idle, and opens anew when asked', async (context) => {
  const upstream = await upstreamOf(context)
  const pools = createPools()
  context.after(() => pools.close())
  const front = await startFront(context, upstream.url, { pools })
  await call(front.url, { body: '{}' })
  const stream = await open(front.url, { method: 'GET' })
  const idle = [...upstream.sockets].find((socket) => socket.remotePort === upstream.connections[0]?.port)
  assert.ok(idle)
  const idleClosed = closing(idle)

  let retired = false
  const retirement = pools.retire(upstream.url.origin).then(() => {
    retired = true
  })
  await idleClosed
  upstream.streams[0]?.write('data: still here\n\n')
  const [chunk] = (await once(stream, 'data')) as [Buffer]
  assert.is(chunk.toString(), 'data: still here\n\n')
  assert.is((await call(front.url, { body: '{}' })).status, 200)
  assert.not.ok(retired)

  upstream.streams[0]?.end()
  await once(stream, 'end')
  await retirement
})

test('what is retained keeps its connections; other options of the same origin, and other origins, are retired', async (context) => {
  const [kept, gone] = [await upstreamOf(context), await upstreamOf(context)]
  const pools = createPools()
  context.after(() => pools.close())
  const options = { connectMs: 1_000 }
  const send = async ({ url }: { url: URL }, connect = options) => {
    const { body } = await pools
      .dispatcher(url, connect, false)
      .request({ origin: url.origin, path: url.pathname, method: 'POST', body: '{}' })
    await body.text()
  }
  await send(kept)
  await send(kept, { connectMs: 2_000 })
  await send(gone)
  const socketOf = ({ sockets, connections }: typeof kept, index: number) =>
    [...sockets].find((socket) => socket.remotePort === connections[index]?.port)
  const closed = [socketOf(kept, 1), socketOf(gone, 0)].map((socket) => socket && closing(socket))
  pools.retain([{ url: kept.url, options }])
  assert.is(closed.filter(Boolean).length, 2)
  await Promise.all(closed)
  await send(kept)
  assert.is(kept.connections[2]?.port, kept.connections[0]?.port)
})

test('retiring an unknown origin, or another one, harms nobody', async (context) => {
  const upstream = await upstreamOf(context)
  const pools = createPools()
  context.after(() => pools.close())
  const front = await startFront(context, upstream.url, { pools })
  await call(front.url, { body: '{}' })
  await pools.retire('http://127.0.0.1:1')
  await call(front.url, { body: '{}' })
  assert.is(upstream.connections[0]?.port, upstream.connections[1]?.port)
})

test('close waits for what is in flight, retired or not, and opens nothing more', async (context) => {
  const [upstream, retired] = [await upstreamOf(context), await upstreamOf(context)]
  const pools = createPools()
  const fronts = [
    await startFront(context, upstream.url, { pools }),
    await startFront(context, retired.url, { pools }),
  ]
  const streams = await Promise.all(fronts.map(({ url }) => open(url, { method: 'GET' })))
  void pools.retire(retired.url.origin)
  let isClosed = false
  const closed = pools.close().then(() => {
    isClosed = true
  })
  for (const { url, outcomes } of fronts) {
    assert.is((await call(url, { body: '{}' })).status, 503)
    assert.instance(outcomes[0], UpstreamError)
  }
  for (const [index, { streams: open }] of [upstream, retired].entries()) {
    assert.not.ok(isClosed)
    open[0]?.end('data: bye\n\n')
    const [chunk] = (await once(streams[index] as IncomingMessage, 'data')) as [Buffer]
    assert.is(chunk.toString(), 'data: bye\n\n')
  }
  await closed
  assert.is(upstream.connections.length + retired.connections.length, 2)
})

test('an idle connection is closed after its time, and sooner than a server that names its own', async (context) => {
  const hints = [
    { hint: '', latestMs: 1_000 },
    { hint: 'keep-alive: timeout=3\r\n', latestMs: 2_500 },
  ]
  for (const { hint, latestMs } of hints) {
    const upstream = await startRaw(context, (socket) => {
      socket.on('data', () => socket.write(`HTTP/1.1 202 Accepted\r\n${hint}content-length: 0\r\n\r\n`))
    })
    const pools = createPools({ keepAliveMs: 50 })
    context.after(() => pools.close())
    const front = await startFront(context, upstream.url, { pools })
    await call(front.url, { body: '{}' })
    const start = performance.now()
    assert.is(upstream.sockets.size, 1)
    for (const socket of upstream.sockets) await closing(socket)
    assert.ok(performance.now() - start < latestMs, `${performance.now() - start} ms`)
  }
})

test('sec-F8: proxy variables of the environment change nothing', async (context) => {
  let hits = 0
  const proxy = await startHttp(context, (_, response) => {
    hits += 1
    response.end()
  })
  const names = [
    'HTTP_PROXY',
    'http_proxy',
    'HTTPS_PROXY',
    'https_proxy',
    'ALL_PROXY',
    'all_proxy',
    'NODE_USE_ENV_PROXY',
  ]
  const before = names.map((name) => [name, process.env[name]] as const)
  context.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
  for (const name of names) process.env[name] = proxy.url.origin
  const upstream = await upstreamOf(context)
  const front = await startFront(context, upstream.url)
  assert.is((await call(front.url, { body: '{}' })).status, 200)
  assert.is(hits, 0)
})

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
})()

test.skipUnless(hasOpenssl, 'no openssl to make a certificate with')(
  'a private authority is trusted only where the route names it',
  async (context) => {
    const { key, cert } = certificate(context)
    const server = createTlsServer({ key, cert }, (_, response) =>
      response.writeHead(200, JSON_TYPE).end('{}'),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    context.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const url = new URL(`https://localhost:${(server.address() as AddressInfo).port}/mcp`)
    const trusting = await startFront(context, url, { ca: cert })
    assert.is((await call(trusting.url, { body: '{}' })).status, 200)
    const pools = createPools()
    context.after(() => pools.close())
    const mixed = await startFront(context, url, (request) => ({
      pools,
      ...(request.headers['mcp-name'] === 'trusting' ? { ca: cert } : {}),
    }))
    assert.is((await call(mixed.url, { body: '{}', headers: { 'mcp-name': 'trusting' } })).status, 200)
    assert.is((await call(mixed.url, { body: '{}' })).status, 502)
  },
)

function certificate({ after }: TestContext): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'pools-'))
  after(() => rmSync(folder, { recursive: true }))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2']
  const files = ['-nodes', '-keyout', key, '-out', cert]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...subject], { stdio: 'ignore' })
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}

test.run()
