// The recorder, the raw sender and the sink see and say exactly what is on the wire.
import * as assert from 'uvu/assert'
import { listen, readBody } from './http.ts'
import { sendRaw } from './raw.ts'
import { record } from './recorder.ts'
import { startSink } from './sink.ts'
import { suite } from './suite.ts'

const test = suite('support/wire')

test('the recorder keeps method, URL, headers and body, and the server still reads its body', async ({
  after,
}) => {
  const server = await listen(async (request, response) => response.end(await readBody(request)))
  after(server.close)
  const recorder = record(server.server)
  const later = recorder.arrival('/later')
  const answer = await fetch(`${server.origin}/a?x=1&x=2`, { method: 'POST', body: 'k=v&secret=canary' })
  assert.is(await answer.text(), 'k=v&secret=canary')
  await fetch(`${server.origin}/later`)
  const [first] = recorder.to('POST /a')
  assert.equal(first?.query.getAll('x'), ['1', '2'])
  assert.is(first?.form.get('k'), 'v')
  assert.is(await first?.outcome, 'finished')
  assert.is((await later).method, 'GET')
  assert.equal([recorder.count(), recorder.count('/a'), recorder.count('GET /a')], [2, 1, 0])
  assert.ok(recorder.saw('canary'))
  assert.not(recorder.saw('elsewhere'))
  recorder.clear()
  assert.is(recorder.count(), 0)
})

test('the recorder sees a peer hang up', async ({ after }) => {
  const server = await listen((_request, response) => response.write('first'))
  after(server.close)
  const recorder = record(server.server)
  const abort = new AbortController()
  await fetch(server.origin, { signal: abort.signal })
  abort.abort()
  assert.is(await recorder.requests[0]?.outcome, 'aborted')
})

test('raw requests arrive as written: absolute form, empty segments, repeated headers', async ({ after }) => {
  const server = await listen((_request, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2'])
    response.write('chunk one, ')
    response.end('chunk two')
  })
  after(server.close)
  const recorder = record(server.server)
  const answer = await sendRaw(server.origin, {
    target: 'http://evil.test//a/../b',
    headers: [
      ['X-Twice', '1'],
      ['x-twice', '2'],
      ['Host', 'other.test'],
    ],
  })
  assert.is(answer.status, 200)
  assert.is(answer.statusLine, 'HTTP/1.1 200 OK')
  assert.equal(answer.all('Set-Cookie'), ['a=1', 'b=2'])
  assert.is(answer.body, 'chunk one, chunk two')
  const [request] = recorder.requests
  assert.is(request?.url, 'http://evil.test//a/../b')
  assert.equal(request?.rawHeaders, [
    'X-Twice',
    '1',
    'x-twice',
    '2',
    'Host',
    'other.test',
    'Connection',
    'close',
  ])
  await sendRaw(server.origin, { method: 'POST', target: '//evil.test/', body: 'hello' })
  assert.is(recorder.requests[1]?.url, '//evil.test/')
  assert.is(recorder.requests[1]?.body, 'hello')
})

test('raw bytes are sent as they are', async ({ after }) => {
  const server = await listen((_request, response) => response.end())
  after(server.close)
  const answer = await sendRaw(server.origin, 'NONSENSE\r\n\r\n')
  assert.is(answer.status, 400)
})

test('the sink notices a request, and a connection without one', async ({ after }) => {
  const [quiet, asked, connected] = await Promise.all([startSink(), startSink(), startSink()])
  after(() => Promise.all([quiet.close(), asked.close(), connected.close()]))
  quiet.assertUntouched()
  await fetch(`${asked.url}steal?code=1`)
  assert.throws(() => asked.assertUntouched(), /reached 1 times: GET \/steal\?code=1/)
  await sendRaw(connected.origin, '\r\n', 100).catch(() => undefined)
  assert.throws(() => connected.assertUntouched(), /reached 1 times/)
})

test.run()
