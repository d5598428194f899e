// What passes through: bytes, headers, statuses, streams. What goes wrong is in faults.test.ts.
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'
import {
  call,
  closing,
  drained,
  open,
  post,
  rawClient,
  startFront,
  startHttp,
  startRaw,
  textOf,
} from './harness.ts'

const test = suite('upstream/forward')
const JSON_TYPE = { 'content-type': 'application/json' }
const SSE_TYPE = { 'content-type': 'text/event-stream' }
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}'

test('a call goes to the configured URL with our credential, and its answer comes back byte for byte', async (context) => {
  const bytes = '{"jsonrpc":"2.0",\n "id":1,"result":{"é":"\\u00e9"}}'
  const seen: { request?: IncomingMessage; body?: string } = {}
  const upstream = await startHttp(context, async (request, response) => {
    seen.request = request
    seen.body = await textOf(request)
    response.writeHead(200, { ...JSON_TYPE, 'mcp-session-id': 'S1', 'mcp-x': 'v\xe4l' }).end(bytes)
  })
  const url = new URL('/base/mcp?fixed=1', upstream.url)
  const front = await startFront(context, url, {
    credentials: { authorization: 'Bearer upstream' },
    query: { key: 'a&b c' },
  })
  const answer = await call(new URL('/other?access_token=stolen', front.url), {
    body: PING,
    headers: {
      authorization: 'Bearer client',
      'mcp-session-id': 'S0',
      cookie: 'a=b',
      'x-forwarded-for': '1.2.3.4',
    },
  })
  assert.is(seen.request?.method, 'POST')
  assert.is(seen.request?.url, '/base/mcp?fixed=1&key=a%26b+c')
  assert.is(seen.body, PING)
  assert.equal(seen.request?.headers, {
    host: upstream.url.host,
    connection: 'keep-alive',
    'mcp-session-id': 'S0',
    'accept-encoding': 'identity',
    authorization: 'Bearer upstream',
    'content-length': String(PING.length),
  })
  assert.is(answer.status, 200)
  assert.is(Buffer.from(answer.text, 'latin1').toString(), bytes)
  assert.is(answer.headers['mcp-session-id'], 'S1')
  assert.is(answer.headers['mcp-x'], 'v\xe4l')
  assert.is(answer.headers['cache-control'], 'no-store')
  assert.equal(front.outcomes, [{ kind: 'relayed', status: 200 }])
})

test('GET and DELETE go through without a body or a length', async (context) => {
  const seen: unknown[] = []
  const upstream = await startHttp(context, (request, response) => {
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers
    seen.push([request.method, length, coding])
    response.writeHead(request.method === 'GET' ? 405 : 200, { 'content-length': '0' }).end()
  })
  const front = await startFront(context, upstream.url)
  assert.is((await call(front.url, { method: 'GET' })).status, 405)
  assert.is((await call(front.url, { method: 'DELETE' })).status, 200)
  assert.equal(seen, [
    ['GET', undefined, undefined],
    ['DELETE', undefined, undefined],
  ])
})

test('spec-P5: the bytes of an event stream arrive unchanged, each before the next is sent', async (context) => {
  const parts = [
    ': priming comment\n\n',
    'id: 1\nretry: 3000\ndata:\n\n',
    'event: message\r\nid: 2\r\ndata: {"a":"\u00e9"}\r\n\r\n',
    'data: first line\ndata: second line\n\n: ping\n\n',
    'data: half an ev',
    'ent\n\n',
  ]
  const upstream = await startHttp(context, (_, response) => {
    streams.push(response)
    response.writeHead(200, SSE_TYPE).flushHeaders()
  })
  const streams: ServerResponse[] = []
  const front = await startFront(context, upstream.url)
  const response = await open(front.url, { body: PING })
  assert.is(response.headers['cache-control'], 'no-store, no-transform')
  assert.is(response.headers['x-accel-buffering'], 'no')
  for (const part of parts) {
    streams[0]?.write(part)
    const [chunk] = (await once(response, 'data')) as [Buffer]
    assert.is(chunk.toString(), part)
  }
  streams[0]?.end()
  await once(response, 'end')
  assert.ok(response.complete)
  assert.equal(front.outcomes, [{ kind: 'relayed', status: 200 }])
})

test('the head of a stream that says nothing arrives at once', async (context) => {
  const upstream = await startHttp(context, (_, response) => {
    response.writeHead(200, SSE_TYPE).flushHeaders()
  })
  const front = await startFront(context, upstream.url)
  const response = await open(front.url, { method: 'GET' })
  assert.is(response.statusCode, 200)
  response.destroy()
})

test('spec-P5: an open stream may be silent for longer than an answer may take to begin', async (context) => {
  const upstream = await startHttp(context, (_, response) => {
    response.writeHead(200, SSE_TYPE).flushHeaders()
    setTimeout(() => response.end('data: late\n\n'), 1_500)
  })
  const front = await startFront(context, upstream.url, { timeouts: { connectMs: 300, responseMs: 300 } })
  assert.is((await call(front.url, { method: 'GET' })).text, 'data: late\n\n')
})

test('five streams and the calls beside them do not mix or wait for each other', async (context) => {
  const streams = new Map<string, ServerResponse>()
  const upstream = await startHttp(context, async (request, response) => {
    const name = String(request.headers['mcp-name'])
    if (request.method === 'POST') return response.writeHead(200, JSON_TYPE).end(await textOf(request))
    streams.set(name, response)
    response.writeHead(200, SSE_TYPE).flushHeaders()
  })
  const front = await startFront(context, upstream.url)
  const names = ['a', 'b', 'c', 'd', 'e']
  const read = names.map(async (name) => {
    const response = await open(front.url, { method: 'GET', headers: { 'mcp-name': name } })
    let text = ''
    for await (const chunk of response) text += chunk
    return text
  })
  const calls = await Promise.all(names.map((name) => call(front.url, { body: `"${name}"` })))
  assert.equal(
    calls.map(({ text }) => text),
    names.map((name) => `"${name}"`),
  )
  while (streams.size < names.length) await new Promise(setImmediate)
  for (let round = 0; round < 20; round++)
    for (const name of names) streams.get(name)?.write(`data: ${name}${round}\n\n`)
  for (const name of names) streams.get(name)?.end()
  const expected = (name: string) =>
    Array.from({ length: 20 }, (_, round) => `data: ${name}${round}\n\n`).join('')
  assert.equal(await Promise.all(read), names.map(expected))
})

test('sec-P18: 300 parallel calls over shared connections each get their own answer', async (context) => {
  const upstream = await startHttp(context, async (request, response) => {
    const body = await textOf(request)
    const write = () => response.writeHead(200, JSON_TYPE).end(body)
    if (Number(body) % 3 === 0) setImmediate(write)
    else write()
  })
  const front = await startFront(context, upstream.url)
  for (let round = 0; round < 6; round++) {
    const numbers = Array.from({ length: 50 }, (_, index) => String(round * 50 + index))
    const answers = await Promise.all(numbers.map((body) => call(front.url, { body })))
    assert.equal(
      answers.map(({ text }) => text),
      numbers,
    )
  }
})

test('a body of some MiB goes up and comes down whole', async (context) => {
  const upstream = await startHttp(context, async (request, response) => {
    response.writeHead(200, JSON_TYPE)
    for await (const chunk of request) if (!response.write(chunk)) await once(response, 'drain')
    response.end()
  })
  const front = await startFront(context, upstream.url)
  const body = JSON.stringify(Array.from({ length: 300_000 }, (_, index) => index))
  assert.ok((await call(front.url, { body })).text === body)
})

test('1xx heads and trailers stay behind', async (context) => {
  const upstream = await startRaw(context, (socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n')
      socket.write(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n',
      )
      socket.write('2\r\n{}\r\n0\r\nx-t: secret\r\n\r\n')
    })
  })
  const judged: number[] = []
  const front = await startFront(context, upstream.url, {
    onResponseHead: ({ status }) => {
      judged.push(status)
      return 'pass'
    },
  })
  const client = await rawClient(front.port, post(PING, 'connection: close\r\n'))
  const text = await client.whole()
  assert.equal(judged, [200])
  assert.ok(text.startsWith('HTTP/1.1 200 OK\r\n'), text)
  assert.not.match(text, /103|102|link|x-t|secret/i)
  assert.ok(text.endsWith('\r\n2\r\n{}\r\n0\r\n\r\n'), text)
})

test('sec-P9: nothing an upstream says about our origin reaches the client', async (context) => {
  const upstream = await startHttp(context, (_, response) => {
    response.writeHead(200, {
      ...JSON_TYPE,
      'set-cookie': ['__Host-session=evil', 'b=c'],
      'www-authenticate': 'Basic',
      'access-control-allow-origin': '*',
      location: 'https://evil.example/',
      link: '</x>; rel=preload',
      'alt-svc': 'h3=":443"',
      'clear-site-data': '"*"',
      'x-anything': '1',
    })
    response.end('{}')
  })
  const front = await startFront(context, upstream.url)
  const { headers } = await call(front.url, { body: PING })
  assert.equal(Object.keys(headers).sort(), [
    'cache-control',
    'connection',
    'content-type',
    'date',
    'transfer-encoding',
    'x-content-type-options',
  ])
})

test('an accepted notification comes back empty, however the upstream frames it', async (context) => {
  const heads = [
    'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n',
    'HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 202 Accepted\r\ncontent-type: text/plain\r\ncontent-length: 8\r\n\r\nAccepted',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 204 No Content\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n',
  ]
  let connections = 0
  const upstream = await startRaw(context, (socket) => {
    connections += 1
    socket.on('data', () => socket.write(heads[front.outcomes.length] ?? ''))
  })
  const front = await startFront(context, upstream.url)
  for (const head of heads) {
    const answer = await call(front.url, { body: PING })
    assert.is(answer.status, Number(head.slice(9, 12)), head)
    assert.is(answer.text, '', head)
    assert.is(answer.headers['content-type'], undefined, head)
    assert.is(answer.headers['content-length'], answer.status === 204 ? undefined : '0', head)
  }
  assert.is(connections, 1)
})

test('JSON errors of the upstream pass as they are, whatever their status', async (context) => {
  const body = '{"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"HeaderMismatch"}}'
  const statuses = [400, 404, 405, 406, 415, 429, 500, 503]
  const upstream = await startHttp(context, (_, response) => {
    response.writeHead(statuses[front.outcomes.length] ?? 0, { ...JSON_TYPE, 'retry-after': '7' }).end(body)
  })
  const front = await startFront(context, upstream.url)
  for (const status of statuses) {
    const answer = await call(front.url, { body: PING })
    assert.equal([answer.status, answer.text, answer.headers['retry-after']], [status, body, '7'])
  }
})

test('a stopped answer reaches nobody, and the same request can be sent again over the same connection', async (context) => {
  const tokens: unknown[] = []
  const upstream = await startHttp(context, async (request, response) => {
    tokens.push(request.headers.authorization)
    const body = await textOf(request)
    if (request.headers.authorization === 'Bearer new') return response.writeHead(200, JSON_TYPE).end(body)
    response
      .writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"', ...JSON_TYPE })
      .end('{"a":"secret"}')
  })
  const heads: unknown[] = []
  let attempt = 0
  const front = await startFront(context, upstream.url, () => {
    attempt += 1
    return {
      credentials: { authorization: attempt === 1 ? 'Bearer old' : 'Bearer new' },
      onResponseHead: ({ status, headers }) => {
        heads.push([status, headers['www-authenticate']])
        return status === 401 ? 'stop' : 'pass'
      },
    }
  })
  const refused = await call(front.url, { body: PING })
  assert.equal([refused.status, refused.text], [418, ''])
  const [outcome] = front.outcomes
  assert.ok(outcome !== undefined && 'kind' in outcome && outcome.kind === 'stopped')
  assert.is(outcome.status, 401)
  assert.is(outcome.headers['www-authenticate'], 'Bearer error="invalid_token"')
  assert.is((await call(front.url, { body: PING })).text, PING)
  assert.equal(tokens, ['Bearer old', 'Bearer new'])
  assert.equal(heads, [
    [401, 'Bearer error="invalid_token"'],
    [200, undefined],
  ])
  assert.is(upstream.sockets.size, 1)
})

test('a stopped answer is read on for a moment only, and only so far', async (context) => {
  let pulled = 0
  const endings = {
    silent: (response: ServerResponse) => void response.write('then silence'),
    endless: async (response: ServerResponse) => {
      const chunk = Buffer.alloc(64 * 1024)
      while (!response.destroyed) {
        pulled += chunk.length
        if (!response.write(chunk)) await drained(response)
      }
    },
  }
  for (const ending of Object.values(endings)) {
    const upstream = await startHttp(context, (_, response) => {
      response.writeHead(401, { 'content-type': 'text/html' })
      closed = closing(response)
      void ending(response)
    })
    let closed: Promise<unknown> | undefined
    const front = await startFront(context, upstream.url, { onResponseHead: () => 'stop' })
    assert.is((await call(front.url, { body: PING })).status, 418)
    await closed
  }
  assert.ok(pulled < 32 * 1024 * 1024, `${pulled} bytes pulled`)
})

test('a judge that throws fails the request with its own error and nothing written', async (context) => {
  const upstream = await startHttp(context, (_, response) => {
    response.writeHead(200, JSON_TYPE).write('{')
    closed = closing(response)
  })
  let closed: Promise<unknown> | undefined
  const broken = Object.assign(new Error('judge'), { code: 'invalid_token' })
  const front = await startFront(context, upstream.url, {
    onResponseHead: () => {
      throw broken
    },
  })
  assert.is((await call(front.url, { body: PING })).status, 500)
  assert.is(front.outcomes[0], broken)
  await closed
})

test.run()
