// How much is read of what clients have us fetch: little for strangers, more where the configuration names the address.
// And whose is kept.
import * as assert from 'uvu/assert'
import { OAuthError, UpstreamError } from '../../src/errors.ts'
import { createClientDocuments, type KeySetSource } from '../../src/upstream/client-documents.ts'
import { controlHttp } from '../../src/upstream/http.ts'
import type { PoliteHttp } from '../../src/upstream/politeness.ts'
import { listen } from '../support/http.ts'
import { record } from '../support/recorder.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/client-documents')
const KIB = 1024

const LIMITS: Record<KeySetSource, number> = { document: 5 * KIB, configuration: 64 * KIB }

for (const [namedBy, limit] of Object.entries(LIMITS) as [KeySetSource, number][])
  test(`a key set that the ${namedBy} names may have ${limit / KIB} KiB, and what is longer is not remembered`, async ({
    after,
  }) => {
    let bytes = limit + 1
    const host = await listen((_, response) => {
      const headers = { 'content-type': 'application/json', 'cache-control': 'max-age=3600' }
      response.writeHead(200, headers).end('x'.repeat(bytes))
    })
    after(() => host.close())
    const recorder = record(host.server)
    const documents = createClientDocuments({
      http: controlHttp,
      isInUse: async () => false,
      now: Date.now,
    })
    const rules = { privateSchemes: [], privateHosts: ['127.0.0.1'] }
    const owner = { clientId: `${host.origin}/client.json`, namedBy }
    const read = () => documents.keys(`${host.origin}/jwks.json`, rules, owner)
    const refused = await read().catch((error: unknown) => error)
    assert.ok(refused instanceof OAuthError && refused.code === 'temporarily_unavailable')
    bytes = limit
    assert.is((await read()).length, limit)
    assert.is((await read()).length, limit)
    assert.is(recorder.count(), 2)
  })

/** The web, as far as it serves documents. */
function web() {
  const asked: string[] = []
  const knobs: { isDown: boolean; cacheControl?: string } = { isDown: false }
  const http: PoliteHttp = async ({ url }) => {
    asked.push(url.href)
    if (knobs.isDown) throw new UpstreamError('unreachable', 'down')
    const body = JSON.stringify({
      client_id: url.href,
      client_name: 'Client',
      redirect_uris: ['https://client.test/cb'],
    })
    const headers = {
      'content-type': 'application/json',
      ...(knobs.cacheControl && { 'cache-control': knobs.cacheControl }),
    }
    return { status: 200, headers, body: Buffer.from(body) }
  }
  return { http, knobs, count: (url: string) => asked.filter((one) => one === url).length }
}

const RULES = { privateSchemes: [], privateHosts: [] }
const strangers = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `https://${name}-${index}.test/c.json`)

test('sec-R14: documents of strangers push out each other, and never that of a client that people use', async () => {
  const { http, knobs, count } = web()
  const good = 'https://good.test/c.json'
  let isUsed = false
  let nowMs = 0
  const documents = createClientDocuments({
    http,
    isInUse: async (id) => isUsed && id === good,
    now: () => nowMs,
  })
  await documents.find(good, RULES)
  // Only now somebody lets it in.
  isUsed = true
  const [first = '', ...others] = strangers('one', 1_001)
  for (const id of [first, ...others]) await documents.find(id, RULES)
  await Promise.all(strangers('two', 500).map((id) => documents.find(id, RULES)))
  await documents.find(first, RULES)
  await documents.find(good, RULES)
  assert.equal([count(first), count(good)], [2, 1])

  nowMs = 3_600_000
  knobs.isDown = true
  assert.is((await documents.find(good, RULES)).name, 'Client', 'it stands in while its host is down')
  const refused = await documents.find(others[0] ?? '', RULES).catch((error: unknown) => error)
  assert.ok(refused instanceof OAuthError && refused.code === 'temporarily_unavailable')
  knobs.isDown = false
  await documents.find(good, RULES)
  await documents.find(good, RULES)
  assert.is(count(good), 3)
})

test('sec-R14: a document is kept for as long as its host says, within bounds, and with no-store not at all', async () => {
  const kept: [cacheControl: string | undefined, forMs: number][] = [
    [undefined, 300_000],
    ['public, max-age=3600', 3_600_000],
    ['MAX-AGE = "60"', 60_000],
    ['s-maxage=60', 300_000],
    ['max-age=0', 30_000],
    ['max-age=999999999', 24 * 3_600_000],
    ['no-store', 0],
    ['max-age=3600, No-Store', 0],
  ]
  for (const [cacheControl, forMs] of kept) {
    const { http, knobs, count } = web()
    if (cacheControl !== undefined) knobs.cacheControl = cacheControl
    const id = 'https://good.test/c.json'
    let nowMs = 0
    const documents = createClientDocuments({ http, isInUse: async () => false, now: () => nowMs })
    const counts = []
    for (const atMs of [0, forMs - 1, forMs]) {
      nowMs = Math.max(atMs, 0)
      await documents.find(id, RULES)
      counts.push(count(id))
    }
    assert.equal([cacheControl, ...counts], [cacheControl, ...(forMs === 0 ? [1, 2, 3] : [1, 1, 2])])
  }
})

test('sec-R14: those of clients in use are bounded as well', async () => {
  const { http, count } = web()
  const documents = createClientDocuments({ http, isInUse: async () => true, now: () => 0 })
  const all = strangers('used', 2_001)
  for (const id of all) await documents.find(id, RULES)
  const [first = '', second = ''] = all
  await documents.find(second, RULES)
  await documents.find(first, RULES)
  assert.equal([count(first), count(second)], [2, 1])
})

test('a clock that was set back does not keep a changed key set from being read', async () => {
  const { http, count } = web()
  const id = 'https://good.test/c.json'
  let nowMs = 3_600_000
  const documents = createClientDocuments({ http, isInUse: async () => true, now: () => nowMs })
  await documents.find(id, RULES)
  assert.not.ok(documents.expire(id), 'too new')
  nowMs = 0
  assert.ok(documents.expire(id))
  await documents.find(id, RULES)
  assert.is(count(id), 2)
})

test('what is known of a client stands in for a day while its host is down, and no longer', async () => {
  const DAY_MS = 24 * 3_600_000
  const { http, knobs } = web()
  const id = 'https://good.test/c.json'
  let nowMs = 0
  const documents = createClientDocuments({ http, isInUse: async () => true, now: () => nowMs })
  await documents.find(id, RULES)
  knobs.isDown = true
  nowMs = DAY_MS - 1
  assert.is((await documents.find(id, RULES)).name, 'Client')
  nowMs = DAY_MS
  const refused = await documents.find(id, RULES).catch((error: unknown) => error)
  assert.ok(refused instanceof OAuthError && refused.code === 'temporarily_unavailable')
})

test('sec-R14: of the documents of strangers those go that nobody asked for longest', async () => {
  const { http, count } = web()
  const documents = createClientDocuments({ http, isInUse: async () => false, now: () => 0 })
  const [first = '', second = '', ...others] = strangers('one', 1_001)
  for (const id of [first, second, ...others.slice(0, -1), first, ...others.slice(-1)])
    await documents.find(id, RULES)
  await documents.find(first, RULES)
  assert.is(count(first), 1, 'it was asked for again in between')
  await documents.find(second, RULES)
  assert.is(count(second), 2)
})

test.run()
