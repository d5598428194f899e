// What goes wrong between client, gateway and upstream: who notices, who is told, and what nobody may see.
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import { forward, type Target } from '../../src/upstream/forward.ts'
import type { ForwardOutcome } from '../../src/upstream/relay.ts'
import { freePort } from '../support/ports.ts'
import { suite, type TestContext } from '../support/suite.ts'
import {
  call,
  closing,
  drained,
  open,
  pools,
  post,
  rawClient,
  startFront,
  startHttp,
  startRaw,
  textOf,
} from './harness.ts'

const test = suite('upstream/faults')
const JSON_TYPE = { 'content-type': 'application/json' }
const SSE_TYPE = { 'content-type': 'text/event-stream' }
const PING = '{"jsonrpc":"2.0","id":"p-1","method":"ping"}'

function fault(outcome: unknown): unknown {
  assert.instance(outcome, UpstreamError)
  return (outcome as UpstreamError).fault
}

const error = (message: string) =>
  JSON.stringify({ jsonrpc: '2.0', id: 'p-1', error: { code: -32603, message } })

test('sec-P8: a redirect is a 502 and is never followed', async (context) => {
  let hits = 0
  const sink = await startHttp(context, (_, response) => {
    hits += 1
    response.end()
  })
  const statuses = [301, 302, 303, 307, 308, 300, 304, 399]
  const upstream = await startHttp(context, (_, response) => {
    response
      .writeHead(statuses[front.outcomes.length] ?? 0, { location: sink.url.href, ...JSON_TYPE })
      .end('{}')
  })
  const front = await startFront(context, upstream.url, { credentials: { 'x-api-key': 'secret' } })
  for (const status of statuses) {
    const answer = await call(front.url, { body: PING })
    assert.equal([answer.status, answer.headers.location, answer.text], [502, undefined, error('redirected')])
    assert.equal((front.outcomes.at(-1) as UpstreamError).detail, { status })
  }
  assert.is(hits, 0)
})

test('sec-P10: a success that is not MCP is a 502, and none of its body is shown', async (context) => {
  const heads = [
    { 'content-type': 'text/html', 'content-length': '13' },
    { 'content-type': 'text/html' },
    { 'content-type': 'text/javascript' },
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    {},
  ]
  const upstream = await startHttp(context, (_, response) => {
    response.writeHead(200, heads[front.outcomes.length]).end('<b>canary</b>')
  })
  const front = await startFront(context, upstream.url)
  for (const head of heads) {
    const answer = await call(front.url, { body: PING })
    assert.equal([answer.status, answer.text], [502, error('bad_response')], JSON.stringify(head))
  }
})

test('sec-P10: an error page becomes a JSON-RPC error with the request id; its status stays, but a 500, which would be ours', async (context) => {
  const statuses = [400, 403, 404, 405, 500, 503]
  const upstream = await startHttp(context, (_, response) => {
    const status = statuses[front.outcomes.length] ?? 0
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'retry-after': '9' })
    response.end('<script>canary</script>')
  })
  const front = await startFront(context, upstream.url)
  for (const status of statuses) {
    const answer = await call(front.url, { body: PING })
    assert.is(answer.status, status === 500 ? 502 : status)
    assert.is(answer.text, error(`the MCP server answered ${status}`))
    assert.is(answer.headers['content-type'], 'application/json')
    assert.is(answer.headers['retry-after'], '9')
    assert.equal(front.outcomes.at(-1), { kind: 'relayed', status })
  }
  assert.is(upstream.sockets.size, 1)
})

test('an answer that neither begins a body nor ends times out', async (context) => {
  const upstream = await startHttp(context, (_, response) => response.writeHead(200).flushHeaders())
  const front = await startFront(context, upstream.url, { timeouts: { connectMs: 1_000, responseMs: 50 } })
  assert.is((await call(front.url, { body: PING })).status, 504)
})

test('spec-P6: an upstream that cannot be reached is a 502 with the request id', async (context) => {
  const port = await freePort()
  for (const host of ['127.0.0.1', 'name.invalid']) {
    const front = await startFront(context, new URL(`http://${host}:${port}/mcp`))
    const answer = await call(front.url, { body: PING })
    assert.equal([answer.status, answer.text], [502, error('unreachable')])
    assert.not.match((front.outcomes[0] as Error).message, /127\.0\.0\.1|invalid/)
  }
})

test('an upstream that does not speak TLS is unreachable over https', async (context) => {
  const upstream = await startRaw(context, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const front = await startFront(context, new URL(upstream.url.href.replace('http:', 'https:')))
  assert.is((await call(front.url, { body: PING })).status, 502)
  assert.is(fault(front.outcomes[0]), 'unreachable')
})

test('spec-P6: an upstream that never answers is a 504, and its connection is closed', async (context) => {
  const upstream = await startHttp(context, (request) => {
    closed = closing(request.socket)
  })
  let closed: Promise<unknown> | undefined
  const front = await startFront(context, upstream.url, { timeouts: { connectMs: 1_000, responseMs: 200 } })
  const answer = await call(front.url, { body: PING })
  assert.equal([answer.status, answer.text], [504, error('timeout')])
  await closed
})

test('spec-P6: 1xx heads put no answer off: an upstream that drips them without end is a 504', async (context) => {
  let dripped = 0
  const upstream = await startRaw(context, (socket) => {
    closed = closing(socket)
    socket.once('data', () => {
      const drip = setInterval(() => {
        dripped += 1
        socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n')
      }, 50)
      socket.once('close', () => clearInterval(drip))
    })
  })
  let closed: Promise<unknown> | undefined
  const front = await startFront(context, upstream.url, { timeouts: { connectMs: 1_000, responseMs: 1_000 } })
  const answer = await call(front.url, { body: PING })
  assert.equal([answer.status, answer.text], [504, error('timeout')])
  assert.equal((front.outcomes[0] as UpstreamError).detail, {}, 'there is no status to be logged')
  assert.ok(dripped > 1)
  await closed
})

test('an answer after 1xx heads is relayed, and its stream may then be silent for as long as it likes', async (context) => {
  const upstream = await startRaw(context, (socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n')
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n')
      setTimeout(() => socket.end('data: late\n\n'), 2_000)
    })
  })
  const front = await startFront(context, upstream.url, { timeouts: { connectMs: 1_000, responseMs: 1_000 } })
  assert.is((await call(front.url, { body: PING })).text, 'data: late\n\n')
  assert.equal(front.outcomes, [{ kind: 'relayed', status: 200 }])
})

test('a limit of years is no limit, and neither is none', async (context) => {
  const upstream = await startHttp(context, (_, response) => {
    setTimeout(() => response.writeHead(200, JSON_TYPE).end('{}'), 200)
  })
  for (const responseMs of [3_650 * 86_400_000, 0]) {
    const front = await startFront(context, upstream.url, { timeouts: { connectMs: 1_000, responseMs } })
    assert.is((await call(front.url, { body: PING })).status, 200)
  }
})

test('a TLS handshake that never ends is a 504', async (context) => {
  const upstream = await startRaw(context, () => {})
  const front = await startFront(context, new URL(upstream.url.href.replace('http:', 'https:')), {
    timeouts: { connectMs: 200, responseMs: 5_000 },
  })
  assert.is((await call(front.url, { body: PING })).status, 504)
})

test("a request that cannot be written is our fault, not the upstream's, and does not show its secret", async (context) => {
  let connections = 0
  const upstream = await startRaw(context, () => {
    connections += 1
  })
  const front = await startFront(context, upstream.url, { credentials: { 'x-api-key': 'canary\r\nx: y' } })
  assert.is((await call(front.url, { body: PING })).status, 500)
  const [broken] = front.outcomes
  assert.ok(broken instanceof Error && !(broken instanceof UpstreamError))
  assert.not.match(broken.stack ?? '', /canary/)
  assert.is(connections, 0)
})

test('a connection closed or broken without an answer is a 502, and the POST was sent once', async (context) => {
  const endings = [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]
  for (const ending of endings) {
    let requests = 0
    const upstream = await startRaw(context, (socket) => {
      socket.on('data', () => {
        requests += 1
        ending(socket)
      })
    })
    const front = await startFront(context, upstream.url)
    const answer = await call(front.url, { body: PING })
    assert.equal([answer.status, answer.text], [502, error('reset')])
    assert.is(requests, 1)
  }
})

test('an answer that is not HTTP is a 502', async (context) => {
  const answers = [
    'SSH-2.0-OpenSSH\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
  ]
  for (const text of answers) {
    const upstream = await startRaw(context, (socket) => void socket.on('data', () => socket.write(text)))
    const front = await startFront(context, upstream.url)
    assert.is((await call(front.url, { body: PING })).status, 502)
    assert.is(fault(front.outcomes[0]), 'bad_response')
  }
})

test('an idle connection the upstream has closed is no error: the next POST goes out on a new one, once', async (context) => {
  const bodies: string[] = []
  const upstream = await startHttp(context, async (request, response) => {
    bodies.push(await textOf(request))
    response.writeHead(200, JSON_TYPE).end('{}')
  })
  const front = await startFront(context, upstream.url)
  const endings = [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]
  for (let round = 0; round < 10; round++) {
    assert.is((await call(front.url, { body: String(round) })).status, 200)
    assert.is(upstream.sockets.size, 1)
    for (const socket of upstream.sockets) endings[round % 2]?.(socket)
  }
  assert.equal(
    bodies,
    Array.from({ length: 10 }, (_, round) => String(round)),
  )
})

test('a POST that was written to a kept connection is not sent again when that breaks', async (context) => {
  const bodies: string[] = []
  let connections = 0
  const upstream = await startRaw(context, (socket) => {
    connections += 1
    socket.on('data', (data) => {
      const body = data.toString().split('\r\n\r\n')[1] ?? ''
      bodies.push(body)
      if (body === 'second') socket.resetAndDestroy()
      else socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}')
    })
  })
  const front = await startFront(context, upstream.url)
  assert.is((await call(front.url, { body: 'first' })).status, 200)
  assert.is((await call(front.url, { body: 'second' })).status, 502)
  assert.is((await call(front.url, { body: 'third' })).status, 200)
  assert.equal(bodies, ['first', 'second', 'third'])
  assert.is(connections, 2)
})

test('an upstream that breaks off in mid-answer breaks the client off: no clean end is made up', async (context) => {
  const chunkedHead =
    'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
  const event = 'data: 1\n\n'
  const cases = [
    { head: `${chunkedHead}9\r\n${event}\r\n`, end: (socket: Socket) => socket.end() },
    { head: `${chunkedHead}9\r\n${event}\r\n`, end: (socket: Socket) => socket.resetAndDestroy() },
    { head: `${chunkedHead}9\r\n${event}\r\nzz\r\n`, end: () => {} },
    {
      head: `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n${event}`,
      end: (socket: Socket) => socket.end(),
    },
  ]
  for (const { head, end } of cases) {
    const sockets: Socket[] = []
    const upstream = await startRaw(context, (socket) => {
      sockets.push(socket)
      socket.once('data', () => socket.write(head))
    })
    const front = await startFront(context, upstream.url)
    const client = await rawClient(front.port, post(PING))
    if (head.endsWith(event) || head.endsWith(`${event}\r\n`)) await client.until('data: 1')
    for (const socket of sockets) end(socket)
    const text = await client.whole()
    assert.match(text, /^HTTP\/1\.1 200 /)
    assert.not.ok(text.endsWith('0\r\n\r\n'), text)
    assert.equal(front.outcomes, [{ kind: 'cut_off', status: 200 }])
  }
})

test('sec-P16: a client that leaves cancels the upstream request within a second', async (context) => {
  const moments = {
    'before the head': () => {},
    'in an open stream': (response: ServerResponse) => response.writeHead(200, SSE_TYPE).write('data: 1\n\n'),
    'before an undecided body': (response: ServerResponse) => response.writeHead(200).flushHeaders(),
  }
  for (const [moment, answer] of Object.entries(moments)) {
    const arrived: Promise<unknown>[] = []
    let arrive = () => {}
    const arrival = new Promise<void>((resolve) => {
      arrive = resolve
    })
    const upstream = await startHttp(context, (request, response) => {
      arrived.push(closing(request.socket))
      answer(response)
      arrive()
    })
    const front = await startFront(context, upstream.url)
    const left = front.next()
    const client = await rawClient(front.port, post(PING))
    await arrival
    if (moment === 'in an open stream') await client.until('data: 1')
    client.socket.destroy()
    const start = performance.now()
    await Promise.all(arrived)
    assert.ok(performance.now() - start < 1_000, moment)
    const outcome = await left
    assert.is('kind' in outcome && outcome.kind, 'client_gone', moment)
  }
})

test('sec-P16: a client that leaves while the connection is being made settles at once, and nothing is sent', async (context) => {
  const received: string[] = []
  const upstream = await startRaw(context, (socket) => {
    socket.on('data', (data) => received.push(String(data[0])))
  })
  const front = await startFront(context, new URL(upstream.url.href.replace('http:', 'https:')), {
    timeouts: { connectMs: 200, responseMs: 5_000 },
  })
  const left = front.next()
  const client = await rawClient(front.port, post(PING))
  while (received.length === 0) await new Promise(setImmediate)
  client.socket.destroy()
  assert.equal(await left, { kind: 'client_gone', status: 0 })
  assert.equal(received, ['22'])
})

test('sec-P16: what was to be sent over a connection that stands too late is not sent', async (context) => {
  let received = ''
  let closed: Promise<unknown> | undefined
  const upstream = await startRaw(context, (socket) => {
    socket.on('data', (data) => {
      received += data
    })
    closed = closing(socket)
  })
  const target = plainTarget(context, upstream.url)
  const outcome = await fronted(context, (request, response) => {
    const forwarded = forward(target, request, response)
    // Its 'close' comes in this turn of the event loop, the connection's success in the next.
    request.socket.destroy()
    return forwarded
  })
  assert.equal(outcome, { kind: 'client_gone', status: 0 })
  while (closed === undefined) await new Promise(setImmediate)
  await closed
  assert.is(received, '')
})

test('whoever destroys the response ends the upstream request too', async (context) => {
  const responses: ServerResponse[] = []
  const upstream = await startHttp(context, (request, response) => {
    closed = closing(request.socket)
    response.writeHead(200, SSE_TYPE).write('data: 1\n\n')
  })
  let closed: Promise<unknown> | undefined
  const front = await startFront(context, upstream.url, (_, response) => {
    responses.push(response)
    return {}
  })
  const left = front.next()
  const stream = await open(front.url, { method: 'GET' })
  await once(stream, 'data')
  responses[0]?.destroy()
  await closed
  assert.equal(await left, { kind: 'client_gone', status: 200 })
})

test('a response destroyed while bytes are on their way is not written to', async (context) => {
  const streams: ServerResponse[] = []
  const upstream = await startHttp(context, (_, response) => {
    streams.push(response)
    response.writeHead(200, SSE_TYPE).write('data: 1\n\n')
  })
  const responses: ServerResponse[] = []
  const errors: Error[] = []
  const front = await startFront(context, upstream.url, (_, response) => {
    responses.push(response)
    response.on('error', (e) => errors.push(e))
    return {
      onResponseHead: () => {
        response.destroy()
        return 'pass'
      },
    }
  })
  const left = front.next()
  const client = await rawClient(front.port, post(PING))
  const outcome = await left
  assert.is('kind' in outcome && outcome.kind, 'client_gone')
  await client.whole()
  assert.equal(errors, [])
})

test('a pipelined request is cancelled too when its client leaves', async (context) => {
  const open = new Set<Socket>()
  const upstream = await startHttp(context, (request, response) => {
    open.add(request.socket)
    request.socket.on('close', () => open.delete(request.socket))
    response.writeHead(200, SSE_TYPE).write('data: 1\n\n')
  })
  const front = await startFront(context, upstream.url)
  const client = await rawClient(front.port, post('1') + post('2'))
  while (open.size < 2) await new Promise(setImmediate)
  await client.until('data: 1')
  const both = Promise.all([front.next(), front.next()])
  client.socket.destroy()
  for (const outcome of await both) assert.is('kind' in outcome && outcome.kind, 'client_gone')
  while (open.size > 0) await new Promise(setImmediate)
})

test('a client that has already left is not forwarded for', async (context) => {
  let connections = 0
  const upstream = await startRaw(context, () => {
    connections += 1
  })
  const target = plainTarget(context, upstream.url)
  const outcome = await fronted(context, async (request, response) => {
    request.socket.destroy()
    await closing(request.socket)
    return forward(target, request, response)
  })
  assert.equal(outcome, { kind: 'client_gone', status: 0 })
  assert.is(connections, 0)
})

test('sec-P15: a slow reader pauses the upstream and then gets every byte', async (context) => {
  const total = 200 * 1024 * 1024
  const chunk = Buffer.alloc(64 * 1024, 'data: x\n')
  let pulled = 0
  const upstream = await startHttp(context, async (_, response) => {
    response.writeHead(200, SSE_TYPE)
    while (pulled < total) {
      pulled += chunk.length
      if (!response.write(chunk)) await drained(response)
      if (response.destroyed) return
    }
    response.end()
  })
  const front = await startFront(context, upstream.url)
  const response = await open(front.url, { method: 'GET' })
  response.pause()
  const atRest = await settled(() => pulled)
  assert.ok(atRest < 32 * 1024 * 1024, `${atRest} bytes pulled`)
  let received = 0
  response.on('data', (data: Buffer) => {
    received += data.length
  })
  response.resume()
  await once(response, 'end')
  assert.is(received, total)
  assert.equal(front.outcomes, [{ kind: 'relayed', status: 200 }])
})

test('sec-P15: a reader that never reads is dropped, and the upstream freed', async (context) => {
  const upstream = await startHttp(context, async (request, response) => {
    closed = closing(request.socket)
    response.writeHead(200, SSE_TYPE)
    const chunk = Buffer.alloc(64 * 1024, 'data: x\n')
    while (!response.destroyed) if (!response.write(chunk)) await drained(response)
  })
  let closed: Promise<unknown> | undefined
  const front = await startFront(context, upstream.url, {
    timeouts: { connectMs: 1_000, responseMs: 1_000, stallMs: 300 },
  })
  const left = front.next()
  const client = await rawClient(front.port, post(PING))
  client.socket.pause()
  assert.equal(await left, { kind: 'client_gone', status: 200 })
  await closed
  client.socket.destroy()
})

test('sec-P15: a reader that caught up in time is not dropped later', async (context) => {
  const stallMs = 3_000
  const burst = Buffer.alloc(16 * 1024 * 1024, 'data: x\n')
  const streams: ServerResponse[] = []
  const upstream = await startHttp(context, (_, response) => {
    streams.push(response)
    response.writeHead(200, SSE_TYPE).write(burst)
  })
  const front = await startFront(context, upstream.url, {
    timeouts: { connectMs: 1_000, responseMs: 1_000, stallMs },
  })
  const response = await open(front.url, { method: 'GET' })
  await new Promise((resolve) => setTimeout(resolve, 300))
  let received = 0
  const caughtUp = new Promise<void>((resolve) => {
    response.on('data', (data: Buffer) => {
      received += data.length
      if (received === burst.length) resolve()
    })
  })
  await caughtUp
  await new Promise((resolve) => setTimeout(resolve, 1.5 * stallMs))
  const ended = once(response, 'end')
  streams[0]?.end('data: end\n')
  await ended
  assert.is(received, burst.length + 'data: end\n'.length)
  assert.equal(front.outcomes, [{ kind: 'relayed', status: 200 }])
})

test('nothing of an answer stays with the connection that it went over', async (context) => {
  const upstream = await startHttp(context, (_, response) => response.writeHead(200, JSON_TYPE).end('{}'))
  const listeners: number[] = []
  const front = await startFront(context, upstream.url, ({ socket }) => {
    listeners.push(socket.listenerCount('close'))
    return {}
  })
  const client = await rawClient(front.port, '')
  for (let count = 1; count <= 20; count += 1) {
    const done = front.next()
    client.socket.write(post(PING))
    assert.equal(await done, { kind: 'relayed', status: 200 })
  }
  assert.equal([front.sockets.size, new Set(listeners).size], [1, 1])
  client.socket.destroy()
})

test('sec-P2: two session ids are refused before the upstream hears of them', async (context) => {
  let requests = 0
  const upstream = await startHttp(context, (_, response) => {
    requests += 1
    response.end()
  })
  const front = await startFront(context, upstream.url)
  const twice = 'mcp-session-id: a\r\nMcp-Session-Id: b\r\n'
  const client = await rawClient(front.port, post(PING, twice))
  assert.match(await client.whole(), /^HTTP\/1\.1 400 /)
  assert.is(requests, 0)
})

const plainTarget = (context: TestContext, url: URL): Target => ({
  pools: pools(context),
  url,
  method: 'POST',
  headers: [],
  body: Buffer.from('{}'),
  isStream: false,
  timeouts: { connectMs: 1_000, responseMs: 1_000 },
})

/** What `handle` makes of one request of a client that waits for nothing. */
function fronted(
  context: TestContext,
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<ForwardOutcome>,
): Promise<ForwardOutcome> {
  return new Promise((resolve, reject) => {
    startHttp(context, (request, response) => resolve(handle(request, response)))
      .then(({ port }) => rawClient(port, post('')))
      .catch(reject)
  })
}

/** Resolves once the value has not changed for 300 ms. */
async function settled(value: () => number): Promise<number> {
  for (;;) {
    const before = value()
    await new Promise((resolve) => setTimeout(resolve, 300))
    if (value() === before && before > 0) return before
  }
}

test.run()
