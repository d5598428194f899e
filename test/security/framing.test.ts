// Requests whose end two parsers could see in two places (request smuggling): the upstream sees at most the one that
// was authorized, and the connection is closed.
import * as assert from 'uvu/assert'
import { sendRaw } from '../support/raw.ts'
import { suite } from '../support/suite.ts'
import { Client, INITIALIZE } from './client.ts'
import { obtainTokens, startWorld, stillWorks, type World } from './world.ts'

const test = suite('security/framing')

const MESSAGE = JSON.stringify(INITIALIZE)

/** A second request, hidden in what may or may not be the body of the first. */
const hidden = ({ url }: World) =>
  `POST /github HTTP/1.1\r\nHost: ${new URL(url).host}\r\nX-Smuggled: 1\r\nContent-Length: 0\r\n\r\n`

interface Vector {
  method?: string
  target?: string
  version?: string
  /** Header lines with their line ends. */
  headers: string
  body: (smuggled: string) => string
  /** Lines of the head end in this instead. */
  end?: string
}

const bytes = (text: string) => Buffer.byteLength(text)
const chunk = (text: string) => `${bytes(text).toString(16)}\r\n${text}\r\n`

const VECTORS: Record<string, Vector> = {
  'CL.TE': {
    headers: 'Content-Length: 6\r\nTransfer-Encoding: chunked\r\n',
    body: (next) => `0\r\n\r\n${next}`,
  },
  'TE.CL': {
    headers: 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
    body: (next) => `${chunk(next)}0\r\n\r\n`,
  },
  'two Content-Lengths that differ': {
    headers: `Content-Length: 0\r\nContent-Length: ${bytes(MESSAGE)}\r\n`,
    body: (next) => next + MESSAGE,
  },
  'two Content-Lengths that agree': {
    headers: 'Content-Length: 0\r\nContent-Length: 0\r\n',
    body: (next) => next,
  },
  'a list of Content-Lengths': { headers: 'Content-Length: 0, 0\r\n', body: (next) => next },
  'a signed Content-Length': { headers: 'Content-Length: +0\r\n', body: (next) => next },
  'a negative Content-Length': { headers: 'Content-Length: -1\r\n', body: (next) => next },
  'a hexadecimal Content-Length': { headers: 'Content-Length: 0x0\r\n', body: (next) => next },
  'a spaced Content-Length': { headers: 'Content-Length: 0 0\r\n', body: (next) => next },
  'an empty Content-Length': { headers: 'Content-Length: \r\n', body: (next) => next },
  'an endless Content-Length': { headers: `Content-Length: ${'9'.repeat(40)}\r\n`, body: (next) => next },
  'a space before the colon': { headers: 'Content-Length : 5\r\n', body: (next) => next },
  'a space before the colon of Transfer-Encoding': {
    headers: 'Transfer-Encoding : chunked\r\n',
    body: (next) => `0\r\n\r\n${next}`,
  },
  'a folded header': { headers: 'X-A: a\r\n Content-Length: 0\r\n', body: (next) => next },
  'a folded Transfer-Encoding': {
    headers: 'Transfer-Encoding:\r\n chunked\r\n',
    body: (next) => `0\r\n\r\n${next}`,
  },
  'a header that begins with a space': { headers: ' Content-Length: 0\r\nX-A: a\r\n', body: (next) => next },
  'an unknown transfer coding': {
    headers: 'Transfer-Encoding: xchunked\r\n',
    body: (next) => `0\r\n\r\n${next}`,
  },
  'chunked that is not last': {
    headers: 'Transfer-Encoding: chunked, identity\r\n',
    body: (next) => `0\r\n\r\n${next}`,
  },
  'chunked twice': {
    headers: 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
    body: (next) => `0\r\n\r\n${next}`,
  },
  'chunked and identity': {
    headers: 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
    body: (next) => `0\r\n\r\n${next}`,
  },
  'a vertical tab in Transfer-Encoding': {
    headers: 'Transfer-Encoding: \u000bchunked\r\n',
    body: (next) => `0\r\n\r\n${next}`,
  },
  'a quoted Transfer-Encoding': {
    headers: 'Transfer-Encoding: "chunked"\r\n',
    body: (next) => `0\r\n\r\n${next}`,
  },
  'bare line feeds in the head': { headers: 'Content-Length: 0\nX-A: a\n', body: (next) => next },
  'bare line feeds everywhere': { headers: 'Content-Length: 0\n', body: (next) => next, end: '\n' },
  'a bare carriage return': { headers: 'X-A: a\rContent-Length: 0\r\n', body: (next) => next },
  'a NUL in a header': { headers: 'X-A: a\u0000b\r\nContent-Length: 0\r\n', body: (next) => next },
  'a header without a colon': { headers: 'Content-Length\r\n', body: (next) => next },
  'a header without a name': { headers: ': 0\r\n', body: (next) => next },
  'a chunk size that is none': { headers: 'Transfer-Encoding: chunked\r\n', body: (next) => `zz\r\n${next}` },
  'a signed chunk size': { headers: 'Transfer-Encoding: chunked\r\n', body: (next) => `+0\r\n\r\n${next}` },
  'a prefixed chunk size': {
    headers: 'Transfer-Encoding: chunked\r\n',
    body: (next) => `0x0\r\n\r\n${next}`,
  },
  'an endless chunk size': {
    headers: 'Transfer-Encoding: chunked\r\n',
    body: (next) => `fffffffffffffffff\r\n${next}`,
  },
  'a chunk longer than it says': {
    headers: 'Transfer-Encoding: chunked\r\n',
    body: (next) => `1\r\n${next}`,
  },
  'a bare line feed after a chunk size': {
    headers: 'Transfer-Encoding: chunked\r\n',
    body: (next) => `0\n\n${next}`,
  },
  'a line feed in a chunk extension': {
    headers: 'Transfer-Encoding: chunked\r\n',
    body: (next) => `0;a\nb\r\n\r\n${next}`,
  },
  'HTTP/1.0 with chunks': {
    version: '1.0',
    headers: 'Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n',
    body: (next) => `0\r\n\r\n${next}`,
  },
  'HTTP/0.9': { version: '0.9', headers: '', body: (next) => next },
  'a GET with a body': { method: 'GET', headers: 'Content-Length: 5\r\n', body: (next) => next },
  'a GET with chunks': {
    method: 'GET',
    headers: 'Transfer-Encoding: chunked\r\n',
    body: (next) => `${chunk('x')}0\r\n\r\n${next}`,
  },
  'a DELETE with a body': { method: 'DELETE', headers: 'Content-Length: 5\r\n', body: (next) => next },
  'a space in the target': { target: '/github /x', headers: 'Content-Length: 0\r\n', body: (next) => next },
}

test('sec-P11: of ambiguous framing the upstream sees one request at most, and never the hidden one', async (context) => {
  const world = await startWorld(context)
  const { tokens } = await obtainTokens({ client: await Client.register(world.url) })
  for (const [
    label,
    { method = 'POST', target = '/github', version = '1.1', headers, body, end = '\r\n' },
  ] of Object.entries(VECTORS)) {
    const before = world.github.recorder.count('/mcp/')
    const head = [
      `${method} ${target} HTTP/${version}`,
      `Host: ${new URL(world.url).host}`,
      `Authorization: Bearer ${tokens.access}`,
      'Content-Type: application/json',
      'Accept: application/json, text/event-stream',
      '',
    ].join(end)
    // The second request carries no token: whatever becomes of it, what matters is who answers, and that the first
    // one's token does not.
    const answer = await sendRaw(world.url, head + headers + end + body(hidden(world)), 10_000).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNRESET') return undefined
        throw new Error(`${label}: ${error.message}`)
      },
    )
    const seen = world.github.recorder.to('/mcp/').slice(before)
    assert.ok(seen.length <= 1, `${label}: the upstream saw ${seen.length} requests`)
    for (const request of seen) {
      assert.is(request.headers['x-smuggled'], undefined, label)
      assert.not.match(request.body, 'X-Smuggled', label)
      assert.is(request.headers['transfer-encoding'], undefined, label)
    }
    assert.ok(
      answer === undefined || answer.raw === '' || /^HTTP\/1\.1 (4\d\d|505) /.test(answer.statusLine),
      `${label}: ${answer?.statusLine}`,
    )
    const answers = answer?.raw.match(/HTTP\/1\.1 \d{3} /g) ?? []
    assert.ok(answers.length <= 1, `${label}: ${answers.length} answers`)
  }
  await stillWorks(world)
})

test.run()
