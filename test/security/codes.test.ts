// Authorization codes and the token endpoint: what a code is bound to, that it works once, and what a thief's use of
// it ends.
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'
import { type Answer, Client, callMcp, challengeOf, postForm, postJson, send, tokensOf } from './client.ts'
import {
  assertAccess,
  assertNoAccess,
  assertRefused,
  atOnce,
  newBrowser,
  obtainCode,
  obtainTokens,
  startWorld,
  stillWorks,
  twoRoutes,
  upstreamCalls,
} from './world.ts'

const test = suite('security/codes')

test('sec-T1, spec-A7: of fifty parallel redemptions of one code one succeeds, and its tokens end with the replay', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { code, trip } = await obtainCode({ client })
  const before = upstreamCalls(world)
  const answers = await atOnce(world, 50, () => client.redeem(code, trip.verifier))
  const [won, ...others] = answers.sort((a, b) => a.status - b.status)
  const { access, refresh } = tokensOf(won as Answer)
  for (const answer of others) assertRefused(answer, 'invalid_grant')
  assert.equal(upstreamCalls(world), before)
  await assertNoAccess(world, access)
  assertRefused(await client.refresh(refresh), 'invalid_grant')
  await stillWorks(world)
})

test('sec-T1, spec-A7: a code that comes back later ends the tokens that were issued for it', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const { tokens, code, trip } = await obtainTokens({ client })
  await assertAccess(world, tokens.access)
  clock.now += 5_000
  assertRefused(await client.redeem(code, trip.verifier), 'invalid_grant')
  await assertNoAccess(world, tokens.access)
  assertRefused(await client.refresh(tokens.refresh), 'invalid_grant')
  await stillWorks(world)
})

test('sec-T1: a replay by another client ends nothing', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { tokens, code, trip } = await obtainTokens({ client })
  const evil = await Client.register(world.url)
  assertRefused(await evil.redeem(code, trip.verifier, { redirect_uri: client.redirectUri }), 'invalid_grant')
  await assertAccess(world, tokens.access)
})

test('sec-T2, spec-A7, spec-A9: a code is bound to client, redirect_uri and resource, and a wrong one of these does not burn it', async (context) => {
  const world = await startWorld(context, { yaml: twoRoutes })
  const resource = `${world.url}/a`
  const redirectUris = ['https://client.test/1', 'https://client.test/2']
  const client = await Client.register(world.url, { redirect_uris: redirectUris })
  const evil = await Client.register(world.url, { redirect_uris: redirectUris })
  const { code, trip } = await obtainCode({ client, overrides: { resource } })
  const wrong: [label: string, answer: Answer, error: string][] = [
    ['another client', await evil.redeem(code, trip.verifier), 'invalid_grant'],
    [
      'another registered redirect_uri',
      await client.redeem(code, trip.verifier, { redirect_uri: redirectUris[1] }),
      'invalid_grant',
    ],
    [
      'a foreign redirect_uri',
      await client.redeem(code, trip.verifier, { redirect_uri: 'https://evil.test/' }),
      'invalid_grant',
    ],
    [
      'another resource',
      await client.redeem(code, trip.verifier, { resource: `${world.url}/b` }),
      'invalid_target',
    ],
    [
      'a foreign resource',
      await client.redeem(code, trip.verifier, { resource: 'https://evil.test/a' }),
      'invalid_target',
    ],
    ['as a refresh token', await client.refresh(code), 'invalid_grant'],
  ]
  for (const [label, answer, error] of wrong) assertRefused(answer, error, label)
  const { access } = tokensOf(await client.redeem(code, trip.verifier, { resource }))
  await assertAccess(world, access, resource)
})

test('sec-T2: a wrong verifier burns the code', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { code, trip } = await obtainCode({ client })
  assertRefused(await client.redeem(code, challengeOf(trip.verifier)), 'invalid_grant')
  assertRefused(await client.redeem(code, trip.verifier), 'invalid_grant')
  await stillWorks(world)
})

test('sec-T3, spec-A7: a code works for a minute', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const late = await obtainCode({ client })
  clock.now += 61_000
  assertRefused(await client.redeem(late.code, late.trip.verifier), 'invalid_grant')
  const timely = await obtainCode({ client })
  clock.now += 59_000
  assert.is((await client.redeem(timely.code, timely.trip.verifier)).status, 200)
})

test('sec-T15, spec-T4: tokens are given for a posted form only, and their answers are not stored', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { code, trip } = await obtainCode({ client })
  const form = { grant_type: 'authorization_code', client_id: client.id, code, code_verifier: trip.verifier }
  const query = new URLSearchParams(form).toString()
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH']) {
    const answer = await send(`${world.url}/token?${query}`, { method })
    assert.ok([404, 405].includes(answer.status), `${method}: ${answer.status}`)
    assert.not.match(answer.text, 'access_token')
  }
  const refused = [
    await postJson(`${world.url}/token`, form),
    await postJson(`${world.url}/token?${query}`, {}),
    await postForm(`${world.url}/token?${query}`, {}),
    await postForm(`${world.url}/token`, form, { 'content-type': 'text/plain' }),
    await postForm(`${world.url}/token`, form, { 'content-type': 'multipart/form-data; boundary=x' }),
    await postForm(`${world.url}/token`, form, { 'content-type': 'application/x-www-form-urlencoded-not' }),
  ]
  for (const answer of refused) assert.ok([400, 401, 415].includes(answer.status), `${answer.status}`)

  const answer = await client.redeem(code, trip.verifier)
  const wrong = await client.redeem(code, trip.verifier)
  const { access } = tokensOf(answer)
  for (const { headers } of [answer, wrong, ...refused]) {
    assert.is(headers.get('cache-control'), 'no-store')
    assert.match(headers.get('content-type') ?? '', /^application\/json/)
    assert.is(headers.get('x-content-type-options'), 'nosniff')
  }
  assert.is(answer.headers.get('pragma'), 'no-cache')
  assert.is((await callMcp(world.mcpUrl, access)).status, 401, 'the replay ended the grant')
})

test('sec-T15: a form with a parameter twice, or of absurd size, is refused and spends nothing', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { code, trip } = await obtainCode({ client, browser: newBrowser() })
  const form = { grant_type: 'authorization_code', client_id: client.id, code, code_verifier: trip.verifier }
  for (const [name, value] of Object.entries(form)) {
    const body = new URLSearchParams(form)
    body.append(name, value)
    const answer = await send(`${world.url}/token`, { method: 'POST', body })
    assertRefused(answer, 'invalid_request', name)
  }
  const huge = await postForm(`${world.url}/token`, { ...form, padding: 'x'.repeat(100_000) })
  assert.ok([400, 413].includes(huge.status), `${huge.status}`)
  assert.is((await client.redeem(code, trip.verifier)).status, 200)
})

test.run()
