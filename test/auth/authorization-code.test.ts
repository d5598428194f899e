// A person's link while requests go out with it: when it is refreshed, and what a refusal means for it.
import * as assert from 'uvu/assert'
import { authorizationCode } from '../../src/auth/authorization-code.ts'
import { bearer } from '../../src/auth/bearer.ts'
import { refreshSpread } from '../../src/auth/refresh.ts'
import type { Caller, Subject } from '../../src/slots.ts'
import type { UpstreamTokens } from '../../src/upstream/server.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { startScene, writtenServer } from './scene.ts'

const test = suite('auth/authorization-code')
const ALICE = 'users/alice' as Subject
const HOUR_MS = 3_600_000
const callerOf = (subject: Subject) => ({ subject }) as Caller

/** A person who is connected, with a token for an hour. */
async function connected(context: TestContext) {
  const scene = await startScene(context, { entry: writtenServer })
  const { clock, upstream, context: route } = scene
  const { links } = route.deps
  const auth = authorizationCode({ type: 'authorization_code', disconnect: 'never' }, route)
  const { link } = auth
  if (link === undefined || auth.rejected === undefined) throw new Error('no link')
  const fingerprint = await link.fingerprint()
  if (fingerprint === undefined) throw new Error('nothing is known of the server')
  const connect = (name: string, more: Partial<UpstreamTokens> = {}, subject = ALICE) =>
    links.save(
      subject,
      fingerprint,
      {
        accessToken: name,
        refreshToken: `refresh-${name}`,
        obtainedAtMs: clock.nowMs,
        expiresAtMs: clock.nowMs + HOUR_MS,
        scope: undefined,
        ...more,
      },
      [],
    )
  const sent = async () => (await auth.attach(callerOf(ALICE))).headers.authorization
  const refreshes = () => upstream.recorder.count('POST /token')
  return { ...scene, auth, link, fingerprint, connect, sent, refreshes, rejected: auth.rejected }
}

test('a refusal that comes after the person has signed in again is not one of the new token, and asks the upstream nothing', async (context) => {
  const { connect, sent, refreshes, rejected } = await connected(context)
  await connect('old')
  const old = bearer('old')
  await connect('new')
  assert.is(await rejected(callerOf(ALICE), old, 1), true)
  assert.is(await sent(), 'Bearer new')
  await rejected(callerOf(ALICE), old, 2)
  assert.is(await sent(), 'Bearer new')
  assert.is(refreshes(), 0)

  assert.is(await rejected(callerOf(ALICE), bearer('new'), 2), false)
  assert.match(await sent().then(String, String), 'sign in again')
})

test('where there is nothing to refresh by, a token is good until it has ended, and is no good link then', async (context) => {
  const { connect, link, clock, sent } = await connected(context)
  await connect('only', { refreshToken: undefined })
  assert.is(await link.isGood(ALICE, []), true)
  clock.nowMs += HOUR_MS - 1
  assert.is(await sent(), 'Bearer only')
  assert.is(await link.isGood(ALICE, []), true)
  clock.nowMs += 1
  assert.is(await link.isGood(ALICE, []), false)
})

test('each link is refreshed ahead of its end at a moment of its own', async (context) => {
  const { auth, connect, clock, upstream, fingerprint, refreshes } = await connected(context)
  const all = Array.from({ length: 100 }, (_, index) => `users/${index}` as Subject)
  const spreadOf = (subject: Subject) => refreshSpread(subject, fingerprint)
  const [early] = all.filter((subject) => spreadOf(subject) > 1.1)
  const [late] = all.filter((subject) => spreadOf(subject) < 0.9)
  assert.ok(early && late)
  for (const subject of [early, late]) await connect('first', {}, subject)
  const call = async (subject: Subject) => (await auth.attach(callerOf(subject))).headers.authorization
  clock.nowMs += HOUR_MS - 60_000
  assert.is(await call(late), 'Bearer first')
  assert.is(await call(early), 'Bearer first')
  await upstream.recorder.arrival('POST /token')
  assert.is(refreshes(), 1)
  while ((await call(early)) === 'Bearer first') await new Promise((resolve) => setImmediate(resolve))
  assert.is(await call(late), 'Bearer first')
  assert.is(refreshes(), 1)
})

test('before anything is known of the server, what the file asks for is what people are shown', async (context) => {
  const { context: route, sent } = await startScene(context)
  const scopes = { required: ['base'], optional: [], implies: {} }
  const { link } = authorizationCode(
    { type: 'authorization_code', disconnect: 'never', scope: 'read write' },
    { ...route, scopes },
  )
  assert.equal(await link?.scopes(undefined, ['more']), ['read', 'write', 'base', 'more'])
  assert.is(sent(), 0)
})

test.run()
