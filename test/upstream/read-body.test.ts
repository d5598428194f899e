import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { HttpError } from '../../src/errors.ts'
import { readBody } from '../../src/upstream/read-body.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { call, rawClient, startHttp } from './harness.ts'

const test = suite('upstream/read-body')
const LIMIT = 1024
const END = '0\r\n\r\n'

/** A server that reads bodies and answers with what it got; `results` holds what `readBody` gave or threw. */
async function reader(context: TestContext, limitBytes = LIMIT) {
  const results: (Buffer | HttpError)[] = []
  const waiting: ((result: Buffer | HttpError) => void)[] = []
  let heapAtEnd = 0
  const server = await startHttp(context, async (request, response) => {
    const result = await readBody(request, limitBytes).catch((error: HttpError) => error)
    heapAtEnd = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
    results.push(result)
    waiting.shift()?.(result)
    if (result instanceof HttpError) response.writeHead(result.status, { connection: 'close' }).end()
    else response.end(result)
  })
  return {
    ...server,
    results,
    heapAtEnd: () => heapAtEnd,
    next: () => new Promise<Buffer | HttpError>((resolve) => waiting.push(resolve)),
  }
}

const chunked = (chunks: string[], end = '') =>
  `POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunks
    .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
    .join('')}${end}`

test('gives the bytes as they were sent, with a length and in chunks', async (context) => {
  const { url, port, results } = await reader(context)
  const body = '{"a":"é\u0000"}'
  assert.is((await call(url, { body })).status, 200)
  assert.equal(results[0], Buffer.from(body))
  const client = await rawClient(port, chunked(['ab', 'c', 'def'], END))
  await client.until('abcdef')
  assert.equal(results[1], Buffer.from('abcdef'))
  client.socket.destroy()
})

test('a body of exactly the limit is read, one byte more is 413', async (context) => {
  const { url, results } = await reader(context)
  assert.is((await call(url, { body: 'x'.repeat(LIMIT) })).text.length, LIMIT)
  assert.is((await call(url, { body: 'x'.repeat(LIMIT + 1) })).status, 413)
  assert.is((results[1] as HttpError).status, 413)
})

test('sec-P12: a declared length over the limit is refused before a byte of the body is sent', async (context) => {
  const { port } = await reader(context)
  const client = await rawClient(port, `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${LIMIT + 1}\r\n\r\n`)
  assert.match(await client.whole(), /^HTTP\/1\.1 413 /)
})

test('sec-P12: chunks are counted as they come, and the endless body is cut at the limit', async (context) => {
  const { port, next } = await reader(context)
  const refused = next()
  const client = await rawClient(port, chunked(['x'.repeat(1000), 'x'.repeat(1000)]))
  assert.is(((await refused) as HttpError).status, 413)
  assert.match(await client.whole(), /^HTTP\/1\.1 413 /)
})

test('sec-P12: what is left of a refused body stays unread', async (context) => {
  let readBytes = () => 0
  let refuse = () => {}
  const refused = new Promise<void>((resolve) => {
    refuse = resolve
  })
  const { port } = await startHttp(context, async (request) => {
    readBytes = () => request.socket.bytesRead
    await readBody(request, LIMIT).catch(refuse)
  })
  const client = await rawClient(port, chunked(['x'.repeat(LIMIT + 1)]))
  await refused
  const bytes = 64 * 1024 * 1024
  client.socket.write(`${bytes.toString(16)}\r\n`)
  client.socket.write(Buffer.alloc(bytes))
  await new Promise((resolve) => setTimeout(resolve, 500))
  assert.ok(readBytes() < bytes / 8, `${readBytes()} bytes`)
  client.socket.destroy()
})

test('a body sent byte by byte costs its size, not a buffer for each byte', async (context) => {
  const { port, next, heapAtEnd } = await reader(context, 1024 * 1024)
  const before = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
  const body = next()
  const client = await rawClient(port, chunked(new Array<string>(300_000).fill('x'), END))
  assert.is(((await body) as Buffer).length, 300_000)
  assert.ok(heapAtEnd() - before < 40 * 1024 * 1024, `${heapAtEnd() - before} bytes`)
  client.socket.destroy()
})

test('a client that leaves in mid-body is a typed error, at once', async (context) => {
  for (const start of ['POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc', chunked(['abc'])]) {
    const { port, next } = await reader(context)
    const result = next()
    const client = await rawClient(port, start)
    client.socket.destroy()
    const error = (await result) as HttpError
    assert.instance(error, HttpError)
    assert.equal(error.detail, { reason: 'client_gone' })
  }
})

test('a client that left before reading began is the same error, not a wait without end', async (context) => {
  let judged = (_: unknown) => {}
  const judgement = new Promise((resolve) => {
    judged = resolve
  })
  const { port } = await startHttp(context, async (request, response) => {
    await once(response, 'close')
    judged(await readBody(request, LIMIT).catch((error: unknown) => error))
  })
  const client = await rawClient(port, 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n')
  client.socket.destroy()
  assert.instance(await judgement, HttpError)
})

test('sec-P11: GET and DELETE may not carry a body', async (context) => {
  const { url, port } = await reader(context)
  for (const method of ['GET', 'DELETE']) {
    assert.is((await call(url, { method })).status, 200)
    const empty = await rawClient(
      port,
      `${method} / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    )
    assert.match(await empty.whole(), /^HTTP\/1\.1 200 /)
    const full = await rawClient(port, `${method} / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`)
    assert.match(await full.whole(), /^HTTP\/1\.1 400 /)
    const hidden = await rawClient(port, chunked(['{}']).replace('POST', method))
    assert.match(await hidden.whole(), /^HTTP\/1\.1 400 /)
  }
})

test('an empty POST is an empty body', async (context) => {
  const { url, results } = await reader(context)
  assert.is((await call(url)).status, 200)
  assert.equal(results[0], Buffer.alloc(0))
})

test('sec-P13: a compressed body is 415, identity is not', async (context) => {
  const { url } = await reader(context)
  const statusOf = async (coding: string) =>
    (await call(url, { body: 'x', headers: { 'content-encoding': coding } })).status
  for (const coding of ['gzip', 'br', 'identity, gzip']) assert.is(await statusOf(coding), 415, coding)
  for (const coding of ['Identity', '']) assert.is(await statusOf(coding), 200, coding)
})

test.run()
