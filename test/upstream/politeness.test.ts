import type { ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import { type ControlHttp, controlHttp, createControlHttp } from '../../src/upstream/http.ts'
import { createClaims, createPolite, type PoliteRequest } from '../../src/upstream/politeness.ts'
import type { Lookup } from '../../src/upstream/resolve.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { startHttp } from './harness.ts'

const test = suite('upstream/politeness')

const get = (url: URL, more: Partial<PoliteRequest> = {}): PoliteRequest => ({
  method: 'GET',
  url,
  client: 'https://stranger.test/c.json',
  headers: {},
  trust: 'configured',
  ...more,
})

/** `used`: the clients that people use. */
const politely = (now: () => number, used: readonly string[] = [], http: ControlHttp = controlHttp) =>
  createPolite({ strangers: http, inUse: http, isInUse: async (client) => used.includes(client), now })

/** How many of so many requests in a row go through. */
const granted = (claim: ReturnType<typeof createClaims>, host: string, nowMs: number, tries = 100) =>
  Array.from({ length: tries }, () => claim(host, nowMs)).filter((waitMs) => waitMs === 0).length

test('sec-F7: five at once, then one a second, and a rested host has its five again', () => {
  const claim = createClaims()
  assert.is(granted(claim, 'a.test', 0), 5)
  assert.is(granted(claim, 'a.test', 999), 0)
  assert.is(granted(claim, 'a.test', 1_000), 1)
  assert.is(granted(claim, 'a.test', 3_500), 2)
  assert.is(granted(claim, 'a.test', 3_999), 0)
  assert.is(granted(claim, 'a.test', 4_000), 1)
  assert.is(granted(claim, 'a.test', 9_000), 5)
  assert.is(granted(claim, 'a.test', 1_000_000), 5)
})

test('sec-F7: a refusal says how long to wait, and costs nothing', () => {
  const claim = createClaims()
  for (let i = 0; i < 5; i += 1) claim('a.test', 0)
  assert.is(claim('a.test', 300), 700)
  assert.is(claim('a.test', 300), 700)
  assert.is(claim('a.test', 1_000), 0)
})

test('hosts do not wait for each other', () => {
  const claim = createClaims()
  assert.is(granted(claim, 'a.test', 0), 5)
  assert.is(granted(claim, 'b.test', 0), 5)
})

test('a clock that is set back shuts no host out for longer than a burst takes', () => {
  const claim = createClaims()
  const laterMs = 3_600_000
  assert.is(granted(claim, 'a.test', laterMs), 5)
  assert.is(granted(claim, 'b.test', laterMs), 5)
  assert.is(granted(claim, 'b.test', 0), 5)
  assert.is(granted(claim, 'a.test', 0), 5)
})

test('strangers cannot fill the memory with names: too many hosts at a time are refused, and forgotten once rested', () => {
  const claim = createClaims()
  const grantedHosts = (nowMs: number) =>
    Array.from({ length: 10_500 }, (_, i) => claim(`${i}.test`, nowMs)).filter((waitMs) => waitMs === 0)
      .length
  assert.is(grantedHosts(0), 10_000)
  assert.is(claim('new.test', 999), 1_000)
  assert.is(claim('0.test', 999), 0)
  assert.is(claim('new.test', 2_500), 0)
})

test('a host that is asked again and again does not keep the rested ones in memory', () => {
  const claim = createClaims()
  claim('busy.test', 0)
  for (let i = 1; i < 10_000; i += 1) claim(`${i}.test`, 0)
  claim('busy.test', 900)
  assert.is(claim('new.test', 999), 1_000)
  assert.is(claim('new.test', 1_500), 0)
})

/** A server that counts, and answers when told to. */
async function startSlow(context: TestContext) {
  const waiting: { path: string | undefined; response: ServerResponse }[] = []
  let arrived: () => void = () => {}
  const { url } = await startHttp(context, (request, response) => {
    waiting.push({ path: request.url, response })
    arrived()
  })
  const until = async (count: number) => {
    while (waiting.length < count) await new Promise<void>((resolve) => (arrived = resolve))
  }
  return { url, waiting, until }
}

test('sec-F7: a thousand different paths at one host make at most ten requests in five seconds', async (context) => {
  let hits = 0
  const { url } = await startHttp(context, (_, response) => {
    hits += 1
    response.end()
  })
  let nowMs = 0
  const polite = politely(() => nowMs)
  for (let path = 0; path < 1_000; path += 1) {
    nowMs = path * 5
    const error = await polite(get(new URL(`/${path}`, url))).catch((error: unknown) => error)
    if (!(error instanceof UpstreamError)) continue
    assert.is(error.fault, 'unavailable')
    assert.is(error.retryAfterSeconds, 1)
  }
  assert.ok(hits >= 8 && hits <= 10, `${hits} requests`)
})

test('sec-F7: the same document, asked for while it is on its way, is fetched once', async (context) => {
  const { url, waiting, until } = await startSlow(context)
  const polite = politely(() => 0)
  const asked = Array.from({ length: 50 }, () => polite(get(new URL('/c.json', url))))
  await until(1)
  waiting[0]?.response.end('document')
  const answers = await Promise.all(asked)
  assert.equal([...new Set(answers.map(({ body }) => body.toString()))], ['document'])
  assert.is(waiting.length, 1)

  const again = polite(get(new URL('/c.json', url)))
  await until(2)
  waiting[1]?.response.end('newer')
  assert.is((await again).body.toString(), 'newer')
})

test('whoever waits for the same document shares its failure too, and the next one asks again', async (context) => {
  const { url, waiting, until } = await startSlow(context)
  const polite = politely(() => 0)
  const asked = [polite(get(url)), polite(get(url))].map((answer) => answer.catch((error: unknown) => error))
  await until(1)
  // A GET that breaks off is sent a second time.
  waiting[0]?.response.destroy()
  await until(2)
  waiting[1]?.response.destroy()
  for (const error of await Promise.all(asked)) assert.instance(error, UpstreamError)
  const again = polite(get(url))
  await until(3)
  waiting[2]?.response.end()
  assert.is((await again).status, 200)
})

test('requests that differ in more than the moment are not merged', async (context) => {
  const { url, waiting, until } = await startSlow(context)
  const polite = politely(() => 0)
  const asked = [
    polite(get(url)),
    polite(get(url, { client: 'https://another.test/c.json' })),
    polite(get(new URL('?other', url))),
    polite(get(url, { method: 'POST', body: 'a' })),
    polite(get(url, { method: 'POST', body: 'a' })),
  ]
  await until(5)
  for (const { response } of waiting) response.end()
  await Promise.all(asked)
  const { fault } = (await polite(get(url)).catch((error: unknown) => error)) as UpstreamError
  assert.is(fault, 'unavailable')
})

/** Answers at once, and remembers who came how. */
function counting() {
  const asked: string[] = []
  const http: ControlHttp = async ({ url }) => {
    asked.push(url.pathname)
    return { status: 200, headers: {}, body: Buffer.from('') }
  }
  return { asked, http, count: (path: string) => asked.filter((one) => one === path).length }
}

const outcome = (answer: Promise<unknown>) =>
  answer.then(
    () => 'sent',
    (error: unknown) => (error instanceof UpstreamError ? error.fault : String(error)),
  )

test('sec-R2, sec-R14: what strangers want of a host costs the clients that people use nothing', async () => {
  const { http, asked } = counting()
  const [good, other] = ['https://a.test/good.json', 'https://a.test/other.json']
  const polite = politely(() => 0, [good, other], http)
  const fetched = (path: string, client: string) =>
    outcome(polite(get(new URL(path, 'https://a.test'), { client })))
  for (let junk = 0; junk < 100; junk += 1) await fetched(`/${junk}`, `https://a.test/${junk}`)
  assert.is(asked.length, 5)
  assert.is(await fetched('/good.json', good), 'sent')
  assert.is(await fetched('/keys.json', good), 'sent')
  assert.is(await fetched('/other.json', other), 'sent')
  assert.is(await fetched('/unused.json', 'https://a.test/unused.json'), 'unavailable')
})

test('sec-F7: clients in use make a host no target either: one that is asked for over and over has a share of its own, and all of them together have one', async () => {
  const { http, asked, count } = counting()
  const used = Array.from({ length: 20 }, (_, index) => `https://a.test/${index}.json`)
  let nowMs = 0
  const polite = politely(() => nowMs, used, http)
  const flood = async (client: string, tries: number) => {
    for (let i = 0; i < tries; i += 1) await outcome(polite(get(new URL(client), { client })))
  }
  await flood('https://a.test/0.json', 50)
  assert.is(count('/0.json'), 2 + 5, 'its own share, and that of strangers')
  assert.is(await outcome(polite(get(new URL('https://a.test/1.json'), { client: used[1] ?? '' }))), 'sent')
  for (const client of used) await flood(client, 5)
  assert.is(asked.length, 5 + 5)
  for (nowMs = 100; nowMs <= 10_000; nowMs += 100) for (const client of used) await flood(client, 1)
  assert.ok(asked.length > 20 && asked.length <= 10 + 20, `${asked.length} requests in ten seconds`)
})

test('sec-F5, sec-R2: names of strangers that nobody resolves keep no name of a client in use waiting', async () => {
  const asked: string[] = []
  const lookup: Lookup = (hostname, _options, callback) => {
    asked.push(hostname)
    if (!hostname.startsWith('slow')) callback(null, [{ address: '10.0.0.1', family: 4 }])
  }
  const client = 'https://good.test/c.json'
  const polite = createPolite({
    strangers: createControlHttp({ lookup }),
    inUse: createControlHttp({ lookup }),
    isInUse: async (id) => id === client,
    now: () => 0,
  })
  const fetch = (url: string, forClient: string) =>
    outcome(polite(get(new URL(url), { client: forClient, trust: 'foreign', totalMs: 1_000 })))
  const slow = [1, 2, 3].map((number) => {
    const url = `https://slow${number}.test/c.json`
    return fetch(url, url)
  })
  assert.is(
    await fetch(client, client),
    'unreachable',
    'its address is private, which is as far as this goes',
  )
  assert.ok(asked.includes('good.test'))
  assert.equal(await Promise.all(slow), ['unreachable', 'unreachable', 'unreachable'])
  assert.equal(asked.sort(), ['good.test', 'slow1.test'])
})

test.run()
