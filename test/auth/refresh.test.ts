// When a token is due, and what becomes of one that comes when its link has changed. More is in test/flow.
import type { ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { createLinks } from '../../src/auth/links.ts'
import { createRefresh, isDue, isExpired, refreshSpread } from '../../src/auth/refresh.ts'
import { createRevocations } from '../../src/auth/revocations.ts'
import { UpstreamError } from '../../src/errors.ts'
import type { Subject } from '../../src/slots.ts'
import { randomKeyring } from '../../src/store/keyring.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { createSealer } from '../../src/store/seal.ts'
import { controlHttp } from '../../src/upstream/http.ts'
import type { UpstreamServer, UpstreamTokens } from '../../src/upstream/server.ts'
import { recordingLog } from '../support/gateway.ts'
import { listen } from '../support/http.ts'
import { record } from '../support/recorder.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('auth/refresh')
const MINUTE_MS = 60_000
const token = (lifetimeMs: number | undefined) => ({
  accessToken: 'a',
  refreshToken: 'r',
  obtainedAtMs: 1_000_000,
  expiresAtMs: lifetimeMs === undefined ? undefined : 1_000_000 + lifetimeMs,
  scope: undefined,
})

test('a token is due in the last tenth of its life, at most a minute before its end', () => {
  const cases: [name: string, lifetimeMs: number, dueAfterMs: number][] = [
    ['an hour', 60 * MINUTE_MS, 59 * MINUTE_MS],
    ['ten minutes', 10 * MINUTE_MS, 9 * MINUTE_MS],
    ['a minute', MINUTE_MS, 54_000],
    ['five seconds', 5_000, 4_500],
  ]
  for (const [name, lifetimeMs, dueAfterMs] of cases) {
    assert.not.ok(isDue(token(lifetimeMs), 1_000_000 + dueAfterMs - 1), name)
    assert.ok(isDue(token(lifetimeMs), 1_000_000 + dueAfterMs), name)
    assert.not.ok(isExpired(token(lifetimeMs), 1_000_000 + lifetimeMs - 1), name)
    assert.ok(isExpired(token(lifetimeMs), 1_000_000 + lifetimeMs), name)
  }
})

test('links that were made in one second are not all due in one; each keeps its own moment', () => {
  const LINKS = 10_000
  const dueInSecond = new Map<number, number>()
  for (let index = 0; index < LINKS; index++) {
    const spread = refreshSpread(`users/${index}` as Subject, 'fingerprint')
    assert.ok(spread >= 0.8 && spread <= 1.2, `${spread}`)
    assert.is(refreshSpread(`users/${index}` as Subject, 'fingerprint'), spread)
    const second = Math.floor((60 * MINUTE_MS - spread * MINUTE_MS) / 1000)
    dueInSecond.set(second, (dueInSecond.get(second) ?? 0) + 1)
  }
  assert.ok(dueInSecond.size >= 24, `${dueInSecond.size} seconds`)
  // Evenly over 24 seconds there would be 417 in each.
  assert.ok(Math.max(...dueInSecond.values()) < 520, `${Math.max(...dueInSecond.values())} in one second`)
  assert.is.not(refreshSpread('users/a' as Subject, 'one'), refreshSpread('users/a' as Subject, 'two'))
})

test('the spread widens and narrows the time before the end, and never reaches the end itself', () => {
  const dueAt = (spread: number) => 1_000_000 + 60 * MINUTE_MS - spread * MINUTE_MS
  for (const spread of [0.8, 1, 1.2]) {
    assert.not.ok(isDue(token(60 * MINUTE_MS), dueAt(spread) - 1, spread))
    assert.ok(isDue(token(60 * MINUTE_MS), dueAt(spread), spread))
  }
})

test('a token that says nothing of its end is never due', () => {
  assert.not.ok(isDue(token(undefined), Number.MAX_SAFE_INTEGER))
  assert.not.ok(isExpired(token(undefined), Number.MAX_SAFE_INTEGER))
})

const ALICE = 'users/alice' as Subject
const named = (name: string): UpstreamTokens => ({
  ...token(60 * MINUTE_MS),
  accessToken: `access-${name}`,
  refreshToken: `refresh-${name}`,
})

const serverAt = (origin: string): UpstreamServer => ({
  issuer: origin,
  issParameterSupported: false,
  authorizationEndpoint: `${origin}/authorize`,
  tokenEndpoint: `${origin}/token`,
  trust: 'configured',
  clientId: 'gateway',
  clientSecret: undefined,
  authMethod: 'none',
  authorizationParameters: {},
  revocation: { endpoint: `${origin}/revoke`, trust: 'configured' },
  redirectUri: 'http://localhost/cb',
})

/** A link, and its refresh on the way to an upstream that waits for `answer`. */
async function underway({ after }: TestContext) {
  let answer: () => void = () => {}
  const asked = new Promise<void>((resolve) => {
    answer = resolve
  })
  const upstream = await listen(async (request, response) => {
    request.resume()
    if (request.url === '/revoke') return response.end()
    await asked
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify({ access_token: 'access-late', refresh_token: 'refresh-late', token_type: 'Bearer' }),
    )
  })
  after(() => upstream.close())
  const recorder = record(upstream.server)
  const store = memoryStore(Date.now)
  const links = createLinks(store, createSealer(randomKeyring()), Date.now)
  const revocations = createRevocations(controlHttp, recordingLog().log)
  const { refresh } = createRefresh({ links, revocations, store, http: controlHttp, now: Date.now })
  const server = serverAt(upstream.origin)
  await links.save(ALICE, 'f', named('first'), [])
  const stale = await links.find(ALICE, 'f')
  if (stale === undefined) throw new Error('no link')
  const refreshed = refresh({ subject: ALICE, fingerprint: 'f', server, resource: undefined }, stale)
  await recorder.arrival('POST /token')
  const end = async () => {
    answer()
    const found = await refreshed
    await revocations.settled()
    return { found, revoked: recorder.to('/revoke').map(({ form }) => form.get('token')) }
  }
  return { links, end }
}

test('tokens that come for a link that is gone are taken back, the refresh token first', async (context) => {
  const { links, end } = await underway(context)
  await links.remove(ALICE, 'f')
  assert.equal(await end(), { found: undefined, revoked: ['refresh-late', 'access-late'] })
})

test('tokens that come for a link that a newer sign-in replaced are left alone: taking them back could end that one', async (context) => {
  const { links, end } = await underway(context)
  await links.save(ALICE, 'f', named('newer'), [])
  const { found, revoked } = await end()
  assert.equal([found?.tokens.accessToken, revoked], ['access-newer', []])
})

test('tokens that come in time are kept', async (context) => {
  const { end } = await underway(context)
  const { found, revoked } = await end()
  assert.equal([found?.tokens.refreshToken, revoked], ['refresh-late', []])
})

test('sec-T5: tokens that come for a link that another process buried meanwhile make it good again', async (context) => {
  const { links, end } = await underway(context)
  const before = await links.find(ALICE, 'f')
  if (before === undefined) throw new Error('no link')
  await links.bury(before)
  const { found, revoked } = await end()
  assert.equal([found?.tokens.accessToken, found?.link.dead, revoked], ['access-late', false, []])
})

test('behind a process that was killed in the middle of a refresh, the next one waits for seconds', async ({
  after,
}) => {
  const hanging: ServerResponse[] = []
  const upstream = await listen((request, response) => {
    request.resume()
    if (hanging.length === 0) hanging.push(response)
    else give(response, {})
  })
  after(() => upstream.close())
  const recorder = record(upstream.server)
  let nowMs = Date.now()
  const now = () => nowMs
  const store = memoryStore(now)
  const links = createLinks(store, createSealer(randomKeyring()), now)
  const revocations = createRevocations(controlHttp, recordingLog().log)
  const process = () => createRefresh({ links, revocations, store, http: controlHttp, now }).refresh
  await links.save(ALICE, 'f', named('old'), [])
  const stale = await links.find(ALICE, 'f')
  if (stale === undefined) throw new Error('no link')
  const request = { subject: ALICE, fingerprint: 'f', server: serverAt(upstream.origin), resource: undefined }
  let isOver = false
  const killed = process()(request, stale)
    .catch(() => 'nobody is there to hear it')
    .finally(() => {
      isOver = true
    })
  await recorder.arrival('POST /token')
  const waiting = process()(request, stale)
  // Faster than its heart beats.
  nowMs += 5_001
  assert.is((await waiting)?.tokens.accessToken, 'access-new')
  assert.equal([recorder.count('POST /token'), isOver], [2, false])
  hanging[0]?.destroy()
  await killed
})

/** A link, and an upstream whose token endpoint answers what `answers` does. */
async function refreshable({ after }: TestContext, answer: (response: ServerResponse) => unknown) {
  const upstream = await listen((request, response) => {
    request.resume()
    return answer(response)
  })
  after(() => upstream.close())
  const clock = { nowMs: Date.now() }
  const now = () => clock.nowMs
  const store = memoryStore(now)
  const links = createLinks(store, createSealer(randomKeyring()), now)
  const revocations = createRevocations(controlHttp, recordingLog().log)
  const { refresh } = createRefresh({ links, revocations, store, http: controlHttp, now })
  await links.save(ALICE, 'f', named('old'), [])
  const server = serverAt(upstream.origin)
  /** The link's tokens afterwards, or what went wrong. */
  const renewed = async (resource?: string) => {
    const stale = await links.find(ALICE, 'f')
    if (stale === undefined) throw new Error('no link')
    return refresh({ subject: ALICE, fingerprint: 'f', server, resource }, stale).then(
      (found) => found?.tokens,
      (error: unknown) => (error instanceof UpstreamError ? error.fault : String(error)),
    )
  }
  /** Two processes that share the store begin at once: the tokens that each has afterwards. */
  const both = async () => {
    const { refresh: elsewhere } = createRefresh({ links, revocations, store, http: controlHttp, now })
    const stale = await links.find(ALICE, 'f')
    if (stale === undefined) throw new Error('no link')
    const request = { subject: ALICE, fingerprint: 'f', server, resource: undefined }
    const found = await Promise.all([refresh(request, stale), elsewhere(request, stale)])
    return found.map((one) => one?.tokens.accessToken)
  }
  /** Two people's links at one server are refreshed at once: the access token that each has afterwards. */
  const ofTwoPeople = async () => {
    const refreshed = async (subject: Subject, name: string) => {
      await links.save(subject, 'f', named(name), [])
      const stale = await links.find(subject, 'f')
      if (stale === undefined) throw new Error('no link')
      return () => refresh({ subject, fingerprint: 'f', server, resource: undefined }, stale)
    }
    const starts = [await refreshed(ALICE, 'alice'), await refreshed('users/bob' as Subject, 'bob')]
    const found = await Promise.all(starts.map((start) => start()))
    return found.map((one) => [one?.link.subject, one?.tokens.accessToken])
  }
  return { recorder: record(upstream.server), clock, store, renewed, both, ofTwoPeople }
}

function give(response: ServerResponse, members: object): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ access_token: 'access-new', token_type: 'Bearer', ...members }))
}

const accessTokenOf = (outcome: UpstreamTokens | string | undefined) =>
  typeof outcome === 'object' ? outcome.accessToken : outcome

test('an upstream in trouble is left alone for a moment, and not for an hour because the clock was set back by one', async (context) => {
  let isUp = false
  const { recorder, clock, renewed } = await refreshable(context, (response) =>
    isUp ? give(response, {}) : response.writeHead(503, { 'retry-after': '5' }).end(),
  )
  assert.is(await renewed(), 'unavailable')
  isUp = true
  assert.is(await renewed(), 'unavailable')
  clock.nowMs += 4_999
  assert.is(await renewed(), 'unavailable')
  assert.is(recorder.count(), 1)
  clock.nowMs -= 60 * MINUTE_MS
  assert.is(accessTokenOf(await renewed()), 'access-new')
})

test('an upstream in trouble is left alone for ten seconds at most, whatever it wants', async (context) => {
  let isUp = false
  const { recorder, clock, renewed } = await refreshable(context, (response) =>
    isUp ? give(response, {}) : response.writeHead(503, { 'retry-after': '3600' }).end(),
  )
  assert.is(await renewed(), 'unavailable')
  isUp = true
  clock.nowMs += 9_000
  assert.is(await renewed(), 'unavailable')
  assert.is(recorder.count(), 1)
  clock.nowMs += 2_000
  assert.is(accessTokenOf(await renewed()), 'access-new')
})

test('RFC 6749 §6: the refresh token of a server that sends no other goes on', async (context) => {
  const { recorder, renewed } = await refreshable(context, (response) => give(response, {}))
  const tokens = await renewed()
  assert.ok(typeof tokens === 'object')
  assert.equal([tokens.accessToken, tokens.refreshToken], ['access-new', 'refresh-old'])
  await renewed()
  assert.equal(
    recorder.requests.map(({ form }) => form.get('refresh_token')),
    ['refresh-old', 'refresh-old'],
  )
})

test('spec-U3: a refresh names the resource as the sign-in did (RFC 8707 §2.2), and none where that named none', async (context) => {
  const { recorder, renewed } = await refreshable(context, (response) => give(response, {}))
  await renewed('https://mcp.example/mcp')
  await renewed()
  assert.equal(
    recorder.requests.map(({ form }) => form.get('resource')),
    ['https://mcp.example/mcp', null],
  )
})

test('sec-T5: of two processes that want to refresh one link at once one asks, and both have what came of it', async (context) => {
  const { recorder, both } = await refreshable(context, (response) =>
    give(response, { refresh_token: 'refresh-new' }),
  )
  assert.equal(await both(), ['access-new', 'access-new'])
  assert.equal(
    recorder.requests.map(({ form }) => form.get('refresh_token')),
    ['refresh-old'],
  )
})

test('invariant 1: two people whose tokens at one server are due at once have each their own afterwards', async (context) => {
  let asked = 0
  const { recorder, ofTwoPeople } = await refreshable(context, (response) =>
    give(response, { access_token: `access-${++asked}`, refresh_token: `refresh-${asked}` }),
  )
  const [alice, bob] = await ofTwoPeople()
  assert.equal([alice?.[0], bob?.[0]], ['users/alice', 'users/bob'])
  assert.is.not(alice?.[1], bob?.[1])
  assert.equal(recorder.requests.map(({ form }) => form.get('refresh_token')).sort(), [
    'refresh-alice',
    'refresh-bob',
  ])
})

test('a link that one process was refused for good is not asked for by another that waited', async (context) => {
  const { recorder, both } = await refreshable(context, (response) => {
    response.writeHead(400, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: 'invalid_grant' }))
  })
  assert.equal(await both(), [undefined, undefined])
  assert.is(recorder.count(), 1)
})

test('who waits too long for the refresh of another process is told to come again, and nothing is asked twice', async (context) => {
  const { recorder, clock, store, renewed } = await refreshable(context, (response) => give(response, {}))
  const { cas } = store
  store.cas = async (key, ...rest) => {
    if (!key.startsWith('lock/')) return cas(key, ...rest)
    // A minute goes by at each look.
    clock.nowMs += MINUTE_MS
    return false
  }
  assert.is(await renewed(), 'unavailable')
  assert.is(recorder.count(), 0)
})

test('an upstream that has too much to do ends no link, whatever it writes', async (context) => {
  let isUp = false
  const { clock, renewed } = await refreshable(context, (response) => {
    if (isUp) return give(response, {})
    response.writeHead(429, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ error: 'invalid_grant' }))
  })
  assert.is(await renewed(), 'unavailable')
  isUp = true
  clock.nowMs += 10_000
  assert.is(accessTokenOf(await renewed()), 'access-new')
})

test.run()
