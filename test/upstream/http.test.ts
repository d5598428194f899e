import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { UpstreamError, type UpstreamFault } from '../../src/errors.ts'
import { type ControlRequest, controlHttp, createControlHttp, type Trust } from '../../src/upstream/http.ts'
import type { Lookup } from '../../src/upstream/resolve.ts'
import { readBody } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { certificate, hasOpenssl } from './certificate.ts'
import { startHttp, startRaw } from './harness.ts'

const test = suite('upstream/http')

/** Public by every list and given to nobody: what is sent there arrives nowhere. */
const UNROUTED = '2d00::1'

const get = (url: string | URL, more: Partial<ControlRequest> = {}): ControlRequest => ({
  method: 'GET',
  url: new URL(url),
  headers: {},
  trust: 'configured',
  ...more,
})

async function fails(fault: UpstreamFault, asked: Promise<unknown>): Promise<UpstreamError> {
  const error = await asked.then(
    () => assert.unreachable('an answer'),
    (error: unknown) => error,
  )
  if (!(error instanceof UpstreamError)) throw error
  assert.is(error.fault, fault, JSON.stringify(error.detail))
  return error
}

/** All that anybody outside gets to see. */
const seen = ({ fault, message, status, retryAfterSeconds }: UpstreamError) =>
  JSON.stringify({ fault, message, status, retryAfterSeconds })

/** A server on loopback that nobody may reach. */
async function startInside(context: TestContext) {
  let connections = 0
  const { port } = await startRaw(context, (socket) => {
    connections += 1
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret')
  })
  return { port, connections: () => connections }
}

/** A resolver that gives these answers one after the other, and the last one ever after. */
function resolver(...answers: (readonly string[])[]) {
  let calls = 0
  const lookup: Lookup = (_hostname, _options, callback) => {
    const answer = answers[Math.min(calls, answers.length - 1)] ?? []
    calls += 1
    callback(
      null,
      answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
  return { lookup, calls: () => calls }
}

// Takes as long as a stranger is given; waited for at the end.
const strangerStartedMs = performance.now()
const strangerMs = createControlHttp({ lookup: () => {} })(
  get('https://client.test/', { trust: 'foreign' }),
).then(
  () => Number.NaN,
  () => performance.now() - strangerStartedMs,
)

/** Starts a body and goes on, a byte at a time, until the other side has had enough. */
function drip(response: ServerResponse): Promise<unknown> {
  response.writeHead(200)
  const timer = setInterval(() => response.write('x'), 20)
  return once(response, 'close').finally(() => clearInterval(timer))
}

test('a request arrives as given, and its answer comes back whole', async (context) => {
  const arrived: { request: IncomingMessage; body: string }[] = []
  const { port } = await startHttp(context, async (request, response) => {
    arrived.push({ request, body: (await readBody(request)).toString() })
    response.writeHead(201, { 'content-type': 'application/json', 'x-twice': ['a', 'b'] }).end('{"a":"ö"}')
  })
  const { lookup } = resolver(['127.0.0.1'])
  const answer = await createControlHttp({ lookup })({
    method: 'POST',
    url: new URL(`http://as.test:${port}/token?x=1`),
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: 'Basic eDp5' },
    body: 'grant_type=ö',
    trust: 'configured',
  })
  assert.is(answer.status, 201)
  assert.is(answer.headers['content-type'], 'application/json')
  assert.is(answer.body.toString(), '{"a":"ö"}')
  const [first] = arrived
  if (first === undefined) throw new Error('no request arrived')
  const { request, body } = first
  assert.is(`${request.method} ${request.url}`, 'POST /token?x=1')
  assert.is(body, 'grant_type=ö')
  assert.is(request.headers.host, `as.test:${port}`)
  assert.is(request.headers.authorization, 'Basic eDp5')
  assert.is(request.headers['content-length'], String(Buffer.byteLength('grant_type=ö')))
  assert.is(request.headers['accept-encoding'], 'identity')
  assert.is(request.headers['user-agent'], 'mcp-oauth-gateway')
})

test('a POST without a body is sent, with length 0', async (context) => {
  const { url } = await startHttp(context, (request, response) =>
    response.end(request.headers['content-length']),
  )
  const answer = await controlHttp(get(url, { method: 'POST' }))
  assert.is(answer.body.toString(), '0')
})

test('any status is an answer, with or without a body', async (context) => {
  const { url } = await startHttp(context, (request, response) => {
    response.writeHead(Number(request.url?.slice(1))).end()
  })
  for (const status of [200, 204, 304, 400, 401, 404, 429, 500, 503]) {
    const answer = await controlHttp(get(new URL(`/${status}`, url)))
    assert.is(answer.status, status)
    assert.is(answer.body.length, 0)
  }
})

test('no request is sent twice, and none rides on the connection of another', async (context) => {
  const ports: (number | undefined)[] = []
  const { url } = await startHttp(context, (request, response) => {
    ports.push(request.socket.remotePort)
    response.writeHead(503, { 'retry-after': '0', connection: 'keep-alive' }).end()
  })
  await controlHttp(get(url))
  await controlHttp(get(url))
  assert.is(ports.length, 2)
  assert.is.not(ports[0], ports[1])
})

test('sec-F4: a redirect to the inside is an answer, never followed', async (context) => {
  const inside = await startInside(context)
  const { url } = await startHttp(context, (request, response) => {
    const location = `http://127.0.0.1:${inside.port}/`
    response.writeHead(Number(request.url?.slice(1)), { location }).end()
  })
  for (const status of [301, 302, 303, 307, 308]) {
    const answer = await controlHttp(get(new URL(`/${status}`, url)))
    assert.is(answer.status, status)
    assert.is(answer.headers.location, `http://127.0.0.1:${inside.port}/`)
  }
  assert.is(inside.connections(), 0)
})

const TRICKS = [
  '127.0.0.1',
  '0x7f.1',
  '2130706433',
  '127.1',
  '0177.0.0.1',
  '127。0。0。1',
  '①②⑦.⓪.⓪.①',
  '0.0.0.0',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  'localhost',
  'ⓛocalhost',
  '%6cocalhost',
]

for (const host of TRICKS) {
  test(`sec-F1: https://${host} reaches no loopback server, whether a stranger or an upstream names it`, async (context) => {
    const inside = await startInside(context)
    const url = `https://${host}:${inside.port}/c.json`
    for (const trust of ['foreign', { derivedFrom: 'mcp.test' }] as const) {
      await fails('unreachable', controlHttp(get(url, { trust })))
    }
    // The listener would have counted it: told that the operator wrote this, the same request does arrive.
    await fails('unreachable', controlHttp(get(`https://127.0.0.1:${inside.port}/`)))
    assert.is(inside.connections(), 1)
  })
}

test('sec-F3: the connection goes to the address that was checked, though the name has another by then', async (context) => {
  const inside = await startInside(context)
  const { lookup, calls } = resolver([UNROUTED], ['127.0.0.1'])
  const http = createControlHttp({ lookup })
  for (const [request, trust] of (['foreign', { derivedFrom: 'mcp.test' }] as const).entries()) {
    const url = `https://rebind.test:${inside.port}/`
    await fails('unreachable', http(get(url, { trust, totalMs: 300 })))
    assert.is(calls(), request + 1)
  }
  assert.is(inside.connections(), 0)
})

test('sec-F3: a name is looked up once for a request, and every address of that one answer may be tried', async (context) => {
  const { port } = await startHttp(context, (_, response) => response.end('outside'))
  const { lookup, calls } = resolver(['127.0.0.3', '127.0.0.1'], ['127.0.0.2'])
  const answer = await createControlHttp({ lookup })(get(`http://rebind.test:${port}/`))
  assert.is(answer.body.toString(), 'outside')
  assert.is(calls(), 1)
})

test('sec-F3: mixed answers reach neither address', async (context) => {
  const inside = await startInside(context)
  for (const answer of [
    [UNROUTED, '127.0.0.1'],
    ['127.0.0.1', UNROUTED],
  ]) {
    const http = createControlHttp({ lookup: resolver(answer).lookup })
    const error = await fails(
      'unreachable',
      http(get(`https://mixed.test:${inside.port}/`, { trust: 'foreign' })),
    )
    assert.is(error.detail.reason, 'private_address')
  }
  assert.is(inside.connections(), 0)
})

test('what was checked is what is asked, though the URL object changes during the lookup', async (context) => {
  const inside = await startInside(context)
  const { port } = await startHttp(context, (request, response) => response.end(request.headers.host))
  const url = new URL(`http://localhost:${port}/`)
  const lookup: Lookup = (_hostname, _options, callback) => {
    url.port = String(inside.port)
    callback(null, [{ address: '127.0.0.1', family: 4 }])
  }
  const answer = await createControlHttp({ lookup })(get(url, { url, trust: { derivedFrom: 'localhost' } }))
  assert.is(answer.body.toString(), `localhost:${port}`)
  assert.is(inside.connections(), 0)
})

test('sec-F9: what an internal upstream names may lie on its own host, and not on another', async (context) => {
  const inside = await startInside(context)
  const { port } = await startHttp(context, (_, response) => response.end('{}'))
  const trust = { derivedFrom: 'localhost' }
  const answer = await controlHttp(get(`http://localhost:${port}/`, { trust }))
  assert.is(answer.status, 200)
  await fails('unreachable', controlHttp(get(`http://127.0.0.1:${inside.port}/`, { trust })))
  await fails('unreachable', controlHttp(get('http://169.254.169.254/latest/meta-data/', { trust })))
  assert.is(inside.connections(), 0)
})

test('sec-F5: a body of one byte at a time ends with the total time, and so does the connection', async (context) => {
  const closed: Promise<unknown>[] = []
  const { url } = await startHttp(context, (_, response) => void closed.push(drip(response)))
  const started = performance.now()
  const error = await fails('timeout', controlHttp(get(url, { totalMs: 400 })))
  const tookMs = performance.now() - started
  assert.ok(tookMs >= 390 && tookMs < 2_000, `${tookMs} ms`)
  assert.is(error.detail.phase, 'total')
  await Promise.all(closed)
})

test('sec-F5: so does a head of one line at a time, a silent server and a resolver that never answers', async (context) => {
  const { url } = await startRaw(context, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n')
    const timer = setInterval(() => socket.write('x-header: y\r\n'), 20)
    socket.once('close', () => clearInterval(timer))
  })
  const silent = await startRaw(context, () => {})
  const deaf = createControlHttp({ lookup: () => {} })
  await Promise.all([
    fails('timeout', controlHttp(get(url, { totalMs: 300 }))),
    fails('timeout', controlHttp(get(silent.url, { totalMs: 300 }))),
    fails('timeout', deaf(get('http://as.test/', { totalMs: 300 }))),
  ])
})

test('sec-F5: fifty slow answers delay no other', async (context) => {
  const closed: Promise<unknown>[] = []
  const slow = await startHttp(context, (_, response) => void closed.push(drip(response)))
  const fast = await startHttp(context, (_, response) => response.end('fast'))
  const order: string[] = []
  const slowOnes = Array.from({ length: 50 }, async () => {
    await fails('timeout', controlHttp(get(slow.url, { totalMs: 1_000 })))
    order.push('slow')
  })
  for (let i = 0; i < 5; i += 1) await controlHttp(get(fast.url))
  order.push('fast')
  await Promise.all(slowOnes)
  assert.is(order[0], 'fast')
  assert.is(closed.length, 50)
  await Promise.all(closed)
})

/** Bodies of a given length, with and without a `content-length`. */
const sized: RequestListener = (request, response) => {
  const [, framing, length] = (request.url ?? '').split('/')
  const body = Buffer.alloc(Number(length), 'x')
  if (framing === 'chunked') response.write(body.subarray(0, 1))
  response.end(framing === 'chunked' ? body.subarray(1) : body)
}

test('sec-F5: a body may have the most bytes, and not one more', async (context) => {
  const { url } = await startHttp(context, sized)
  const limits = [
    [64 * 1024, {}],
    [5 * 1024, { maxBytes: 5 * 1024 }],
    [1, { maxBytes: 1 }],
  ] as const
  for (const framing of ['length', 'chunked']) {
    for (const [limit, more] of limits) {
      const answer = await controlHttp(get(new URL(`/${framing}/${limit}`, url), more))
      assert.is(answer.body.length, limit)
      const error = await fails(
        'bad_response',
        controlHttp(get(new URL(`/${framing}/${limit + 1}`, url), more)),
      )
      assert.is(error.detail.limit, limit)
    }
  }
})

test('sec-F5: an endless body is cut off at the limit', async (context) => {
  let sent = 0
  const closed: Promise<unknown>[] = []
  const { url } = await startHttp(context, (_, response) => {
    closed.push(once(response, 'close'))
    const chunk = Buffer.alloc(16 * 1024)
    const more = () => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length
    }
    response.on('drain', more)
    more()
  })
  await fails('bad_response', controlHttp(get(url)))
  await Promise.all(closed)
  assert.ok(sent < 16 * 1024 * 1024, `${sent} bytes`)
})

test('sec-F5: an encoded answer is refused, not inflated', async (context) => {
  const bomb = gzipSync(Buffer.alloc(32 * 1024 * 1024))
  const { url } = await startHttp(context, (request, response) => {
    const encoding = decodeURIComponent(request.url?.slice(1) ?? '')
    response.writeHead(200, { 'content-encoding': encoding }).end(bomb)
  })
  for (const encoding of ['gzip', 'GZIP', 'br', 'deflate', 'zstd', 'identity, gzip']) {
    const error = await fails('bad_response', controlHttp(get(new URL(`/${encoding}`, url))))
    assert.is(error.detail.encoding, encoding.toLowerCase())
  }
})

test('sec-F5: a refused answer is not read to its end', async (context) => {
  const closed: Promise<unknown>[] = []
  const { url } = await startHttp(context, (_, response) => {
    response.setHeader('content-encoding', 'gzip')
    closed.push(drip(response))
  })
  await fails('bad_response', controlHttp(get(url)))
  await Promise.all(closed)
})

test('an answer that says it is not encoded is read as it is', async (context) => {
  const { url } = await startHttp(context, (_, response) =>
    response.writeHead(200, { 'content-encoding': 'Identity' }).end('{}'),
  )
  assert.is((await controlHttp(get(url))).body.toString(), '{}')
})

test('broken framing right after the head is a fault like any other, and no crash', async (context) => {
  const { url } = await startRaw(context, (socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZZ\r\n'))
  })
  for (let i = 0; i < 10; i += 1) {
    const error = await controlHttp(get(url)).catch((error: unknown) => error)
    assert.instance(error, UpstreamError)
  }
})

test('an unasked upgrade is a fault, and its connection is closed', async (context) => {
  const closed: Promise<unknown>[] = []
  const { url } = await startRaw(context, (socket) => {
    closed.push(once(socket, 'close'))
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n')
    })
  })
  const error = await fails('unreachable', controlHttp(get(url)))
  assert.is(error.detail.reason, 'ERR_UNASKED_UPGRADE')
  await Promise.all(closed)
})

test('an answer cut short is no answer', async (context) => {
  const ends: Record<string, (socket: Socket) => unknown> = {
    '/end': (socket) => socket.end(),
    '/reset': (socket) => socket.resetAndDestroy(),
  }
  const { url } = await startRaw(context, (socket) => {
    socket.once('data', (head) => {
      const end = ends[String(head).split(' ')[1] ?? '']
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":', () =>
        setImmediate(() => end?.(socket)),
      )
    })
  })
  for (const path of Object.keys(ends)) await fails('bad_response', controlHttp(get(new URL(path, url))))
})

test('sec-F6: refused, closed, silent, broken, unknown and untrusted look exactly alike', async (context) => {
  const closed = await freePort()
  const silent = await startRaw(context, () => {})
  const hangsUp = await startRaw(context, (socket) => socket.destroy())
  const notHttp = await startRaw(context, (socket) => socket.end('220 mail.corp.test ESMTP\r\n'))
  const plain = await startHttp(context, (_, response) => response.end())
  const trust: Trust = { derivedFrom: 'localhost' }
  const unknown: Lookup = (_hostname, _options, callback) =>
    callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), [])
  const failures = [
    controlHttp(get('https://10.0.0.1/', { trust })),
    controlHttp(get('https://10.0.0.1/', { trust: 'foreign' })),
    controlHttp(get('http://as.test/', { trust })),
    controlHttp(get('https://user:pw@as.test/', { trust })),
    controlHttp(get('gopher://as.test/', { trust })),
    controlHttp(get(`http://localhost:${closed}/`, { trust })),
    controlHttp(get(`http://localhost:${closed}/`)),
    controlHttp(get(`http://localhost:${silent.port}/`, { trust, totalMs: 300 })),
    controlHttp(get(`http://localhost:${hangsUp.port}/`, { trust })),
    controlHttp(get(`http://localhost:${notHttp.port}/`, { trust })),
    controlHttp(get(`https://localhost:${plain.port}/`, { trust })),
    createControlHttp({ lookup: unknown })(get('https://as.test/', { trust: 'foreign' })),
    createControlHttp({ lookup: () => {} })(get('https://as.test/', { trust: 'foreign', totalMs: 300 })),
    createControlHttp({ lookup: resolver([UNROUTED]).lookup })(
      get(`https://as.test/`, { trust: 'foreign', totalMs: 300 }),
    ),
  ]
  const errors = await Promise.all(failures.map((failure) => fails('unreachable', failure)))
  assert.is(new Set(errors.map(seen)).size, 1)
  assert.not.match(errors.map(seen).join(), /localhost|10\.0\.0\.1|as\.test/)
  const reasons = errors.map(({ detail }) => detail.reason)
  for (const reason of ['private_address', 'scheme', 'userinfo', 'ECONNREFUSED', 'timeout', 'ENOTFOUND']) {
    assert.ok(reasons.includes(reason), `${reason} is for the log: ${reasons}`)
  }
})

test('a request that takes too long at a configured address says so', async (context) => {
  const { url } = await startRaw(context, () => {})
  const error = await fails('timeout', controlHttp(get(url, { totalMs: 200 })))
  assert.is(error.status, 504)
})

test('a request that Node itself refuses to write is no crash', async (context) => {
  const { url } = await startHttp(context, (_, response) => response.end())
  await fails('unreachable', controlHttp(get(url, { headers: { 'x-a': 'b\r\nx-injected: c' } })))
})

const CHILD = `
import { createControlHttp } from ${JSON.stringify(new URL('../../src/upstream/http.ts', import.meta.url).href)}
const lookup = (hostname, options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])
const http = createControlHttp({ lookup })
const outcomes = []
for (const { url, trust } of JSON.parse(process.argv[1])) {
  const request = { method: 'GET', url: new URL(url), headers: {}, trust }
  outcomes.push(await http(request).then(({ body }) => String(body), (error) => error.fault))
}
console.log(JSON.stringify(outcomes))
`

/** What a process of its own gets, where every name resolves to 127.0.0.1. */
async function inChild(
  requests: readonly { url: string; trust: Trust }[],
  env: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<string[]> {
  const script = [
    '--import',
    'tsx',
    ...flags,
    '--input-type=module',
    '--eval',
    CHILD,
    JSON.stringify(requests),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, script, { env: { ...process.env, ...env } })
  return JSON.parse(stdout)
}

test('sec-F8: no proxy variable changes where a request goes, or whether it goes', async (context) => {
  let connections = 0
  const proxy = await startRaw(context, (socket) => {
    connections += 1
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nproxy')
  })
  const { port } = await startHttp(context, (_, response) => response.end('direct'))
  const requests = [
    { url: `http://as.test:${port}/`, trust: 'configured' as const },
    { url: `https://as.test:${port}/`, trust: 'foreign' as const },
    { url: `https://as.test:${port}/`, trust: { derivedFrom: 'mcp.test' } },
  ]
  const names = ['http_proxy', 'https_proxy', 'all_proxy', 'npm_config_proxy', 'npm_config_https_proxy']
  const proxies = names.flatMap((name) => [name, name.toUpperCase()]).map((name) => [name, proxy.url.origin])
  const children = ['', '*'].map((exempt) => {
    const exemptions = { no_proxy: exempt, NO_PROXY: exempt, NODE_USE_ENV_PROXY: '1' }
    return inChild(requests, { ...Object.fromEntries(proxies), ...exemptions })
  })
  for (const outcomes of await Promise.all(children)) {
    assert.equal(outcomes, ['direct', 'unreachable', 'unreachable'])
  }
  assert.is(connections, 0)
})

test('sec-F5: what a stranger names has five seconds, unless the caller says otherwise', async () => {
  const tookMs = await strangerMs
  assert.ok(tookMs >= 4_900 && tookMs < 10_000, `${tookMs} ms`)
})

test('a GET that breaks off before an answer is asked once more; a POST and a stranger’s URL are not', async (context) => {
  let connections = 0
  let failures = 1
  const { port } = await startRaw(context, (socket) => {
    connections += 1
    if (failures-- > 0) socket.resetAndDestroy()
    else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood')
  })
  const url = `http://127.0.0.1:${port}/`
  assert.is(String((await controlHttp(get(url))).body), 'good')
  assert.is(connections, 2)

  ;[connections, failures] = [0, 2]
  await fails('unreachable', controlHttp(get(url)))
  assert.is(connections, 2, 'once more, and not for ever')

  ;[connections, failures] = [0, 1]
  await fails('unreachable', controlHttp(get(url, { method: 'POST', body: 'grant_type=refresh_token' })))
  assert.is(connections, 1)

  let lookups = 0
  const broken = createControlHttp({
    lookup: (_hostname, _options, callback) => {
      lookups += 1
      callback(Object.assign(new Error('try again'), { code: 'EAI_AGAIN' }), [])
    },
  })
  await fails('unreachable', broken(get('https://client.test/', { trust: 'foreign' })))
  assert.is(lookups, 1)
  await fails('unreachable', broken(get('https://as.test/', { trust: { derivedFrom: 'mcp.test' } })))
  assert.is(lookups, 3)
})

test.skipUnless(hasOpenssl, 'no openssl to make a certificate with')(
  'sec-F3: over https the pinned address still gets the name, in SNI and Host, and must prove it',
  async (context) => {
    const { path, key, cert } = certificate(context, 'as.test')
    const names: string[] = []
    const server = createTlsServer({ key, cert }, (request, response) => {
      const { servername } = request.socket as Socket & { servername?: string }
      names.push(String(servername))
      response.end(request.headers.host)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    context.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const requests = ['as.test', 'other.test'].map((host) => ({
      url: `https://${host}:${port}/`,
      trust: { derivedFrom: host },
    }))
    const trusting = { NODE_EXTRA_CA_CERTS: path }
    const expected = [`as.test:${port}`, 'unreachable']
    const outcomes = await Promise.all([
      inChild(requests, trusting),
      inChild(requests, trusting, ['--no-network-family-autoselection']),
      inChild(requests, {}),
    ])
    assert.equal(outcomes, [expected, expected, ['unreachable', 'unreachable']])
    assert.equal(names, ['as.test', 'as.test'])
  },
)

test.run()
