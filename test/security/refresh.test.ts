// Refresh tokens: one successor however many ask, an end when a spent one comes back, and never more than was
// granted.
import { connect } from 'node:net'
import * as assert from 'uvu/assert'
import { startOidc } from '../support/oidc.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, oidcRoute } from '../support/yaml.ts'
import { type Answer, Client, callMcp, tokensOf } from './client.ts'
import {
  assertAccess,
  assertNoAccess,
  assertRefused,
  atOnce,
  obtainTokens,
  startWorld,
  stillWorks,
  TWO_USERS,
  twoRoutes,
  upstreamCalls,
  VICTIM,
} from './world.ts'

const test = suite('security/refresh')

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

test('sec-T4, spec-T3: a refresh token that comes back after its grace ends the family', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const { tokens: stolen } = await obtainTokens({ client })
  const second = tokensOf(await client.refresh(stolen.refresh))
  clock.now += 59_000
  assert.equal(tokensOf(await client.refresh(stolen.refresh)), second, 'in the grace: the same pair')
  const third = tokensOf(await client.refresh(second.refresh))
  clock.now += 2_000
  assertRefused(await client.refresh(stolen.refresh), 'invalid_grant')
  for (const { access, refresh } of [stolen, second, third]) {
    await assertNoAccess(world, access)
    assertRefused(await client.refresh(refresh), 'invalid_grant')
  }
  await stillWorks(world)
})

test('sec-T4: another client that guesses under the id of a living family neither opens nor ends it', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const evil = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client })
  const guessed = `${tokens.refresh.slice(0, -43)}${'A'.repeat(43)}`
  assertRefused(await evil.refresh(guessed), 'invalid_grant')
  assertRefused(await evil.refresh(tokens.refresh), 'invalid_grant')
  await assertAccess(world, tokens.access)
  assert.is((await client.refresh(tokens.refresh)).status, 200)
})

test('sec-T5, spec-T3: twenty parallel refreshes with one token get one and the same pair', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client })
  const before = upstreamCalls(world)
  const answers = await atOnce(world, 20, () => client.refresh(tokens.refresh))
  const pairs = answers.map(tokensOf)
  const [first] = pairs
  assert.is.not(first?.refresh, tokens.refresh)
  for (const pair of pairs) assert.equal(pair, first)
  assert.equal(upstreamCalls(world), before, 'the upstream link was far from its end')
  await assertAccess(world, first?.access ?? '')
  const next = tokensOf(await client.refresh(first?.refresh ?? ''))
  await assertAccess(world, next.access)
})

/** Its refresh tokens work once: a second refresh with one would end the link for everybody. */
async function startRotating(context: TestContext) {
  const oidc = await startOidc({ accessTokenTtlSeconds: 600 })
  context.after(() => oidc.close())
  const clock = { now: Date.now() }
  const world = await startWorld(context, {
    now: () => clock.now,
    yaml: () => document(oidcRoute('oidc', oidc)) + TWO_USERS,
  })
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client, person: { ...VICTIM, upstreamName: 'ann' } })
  const url = `${world.url}/oidc`
  return { oidc, clock, world, client, tokens, url }
}

test('sec-T5, spec-U8: twenty parallel refreshes near the end of the upstream token make one refresh there', async (context) => {
  const { oidc, clock, world, client, tokens, url } = await startRotating(context)
  const codes = oidc.recorder.count('/token')
  let { access, refresh } = tokens
  for (const round of [1, 2]) {
    clock.now += 570_000
    const pairs = (await atOnce(world, 20, () => client.refresh(refresh))).map(tokensOf)
    ;({ access, refresh } = pairs[0] ?? tokens)
    for (const pair of pairs) assert.equal(pair, pairs[0])
    const calls = await atOnce(world, 20, () => callMcp(url, access))
    assert.ok(calls.every(({ status }) => status === 200))
    // Nobody waits for a refresh ahead of the end, so the test has to.
    await (await oidc.recorder.arrival('/token', codes + round)).outcome
    assert.is((await callMcp(url, access)).status, 200)
    assert.is(oidc.recorder.count('/token'), codes + round)
  }
})

test('sec-T6, spec-T3: a client that lost the answer asks again and gets the same pair, with an honest lifetime', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client })
  const lost = await client.refresh(tokens.refresh)
  clock.now += 30_000
  const again = await client.refresh(tokens.refresh)
  assert.equal(tokensOf(again), tokensOf(lost))
  assert.is(again.body.expires_in, Number(lost.body.expires_in) - 30)
})

test('sec-T5, sec-T6, sec-T4: of twenty refreshes five lose their answer; all others get one pair, for a minute, and after it a thief ends it', async (context) => {
  const { oidc, clock, client, tokens, url } = await startRotating(context)
  // Past its end, so that whoever comes first has to refresh at the upstream, whose refresh tokens work once.
  clock.now += 601_000
  const before = oidc.recorder.count('/token')
  const cut = (request: number) => request % 4 === 0
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, request) =>
      cut(request) ? refreshAndHangUp(client, tokens.refresh) : client.refresh(tokens.refresh),
    ),
  )
  const pairs = answers.flatMap((answer) => (answer === undefined ? [] : [tokensOf(answer)]))
  const [pair] = pairs
  assert.is(pairs.length, 15)
  for (const other of pairs) assert.equal(other, pair)
  assert.is((await callMcp(url, pair?.access ?? '')).status, 200)
  assert.is(oidc.recorder.count('/token'), before + 1)

  clock.now += 59_000
  assert.equal(tokensOf(await client.refresh(tokens.refresh)), pair)
  clock.now += 2_000
  assertRefused(await client.refresh(tokens.refresh), 'invalid_grant')
  assertRefused(await client.refresh(pair?.refresh ?? ''), 'invalid_grant')
  const mcp = oidc.recorder.count('/mcp')
  assert.is((await callMcp(url, pair?.access ?? '')).status, 401)
  assert.is(oidc.recorder.count('/mcp'), mcp)
  const again = await obtainTokens({ client, person: { ...VICTIM, upstreamName: 'ann' } })
  assert.is((await callMcp(url, again.tokens.access)).status, 200)
})

/** Sends the whole request, and is gone before the answer. */
function refreshAndHangUp(client: Client, token: string): Promise<undefined> {
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: client.id,
    refresh_token: token,
  }).toString()
  const { hostname, port, host } = new URL(client.gateway)
  const socket = connect(Number(port), hostname)
  const head = [
    'POST /token HTTP/1.1',
    `Host: ${host}`,
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${body.length}`,
  ]
  return new Promise((resolve) => {
    socket.on('error', () => {}).on('close', () => resolve(undefined))
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.resetAndDestroy())
  })
}

test('sec-T7, spec-T4: another client, a wider scope and another resource are refused, and the token stays good', async (context) => {
  const world = await startWorld(context, { yaml: twoRoutes })
  const resource = `${world.url}/a`
  const client = await Client.register(world.url)
  const confidential = await Client.register(world.url, { token_endpoint_auth_method: 'client_secret_post' })
  const { tokens } = await obtainTokens({ client, overrides: { resource } })
  const wrong: [label: string, answer: Answer, error: string][] = [
    [
      'another public client',
      await (await Client.register(world.url)).refresh(tokens.refresh),
      'invalid_grant',
    ],
    ['another confidential client', await confidential.refresh(tokens.refresh), 'invalid_grant'],
    ['a wider scope', await client.refresh(tokens.refresh, { scope: 'mcp:a mcp:b' }), 'invalid_scope'],
    ['an upstream scope', await client.refresh(tokens.refresh, { scope: 'mcp:a admin' }), 'invalid_scope'],
    [
      'another resource',
      await client.refresh(tokens.refresh, { resource: `${world.url}/b` }),
      'invalid_target',
    ],
    [
      'a foreign resource',
      await client.refresh(tokens.refresh, { resource: 'https://evil.test' }),
      'invalid_target',
    ],
    ['the access token', await client.refresh(tokens.access), 'invalid_grant'],
    ['the refresh token as a code', await client.redeem(tokens.refresh, 'v'.repeat(43)), 'invalid_grant'],
  ]
  for (const [label, answer, error] of wrong) assertRefused(answer, error, label)
  const next = tokensOf(await client.refresh(tokens.refresh, { resource, scope: 'mcp:a' }))
  await assertAccess(world, next.access, resource)
})

test('sec-T8: a family ends after 30 idle days, and after 90 days whatever is refreshed', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const { tokens: idle } = await obtainTokens({ client })
  let { tokens: busy } = await obtainTokens({ client })
  for (let days = 0; days < 88; days += 22) {
    clock.now += 22 * DAY_MS
    busy = tokensOf(await client.refresh(busy.refresh))
    if (days === 22) assertRefused(await client.refresh(idle.refresh), 'invalid_grant')
  }
  // The last half hour: an access token lives for an hour, but not beyond its family.
  clock.now += 2 * DAY_MS - 30 * MINUTE_MS
  const last = await client.refresh(busy.refresh)
  assert.ok(Number(last.body.expires_in) <= 30 * 60, `${last.body.expires_in}`)
  busy = tokensOf(last)
  clock.now += 30 * MINUTE_MS + 1
  await assertNoAccess(world, busy.access)
  assertRefused(await client.refresh(busy.refresh), 'invalid_grant')
  // The link to the upstream has been unused for 90 days as well, and is asked for anew.
  await stillWorks(world)
})

test('sec-T8, spec-T2: an access token lives for its hour, and no refresh prolongs it', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client })
  clock.now += 59 * MINUTE_MS
  await assertAccess(world, tokens.access)
  const next = tokensOf(await client.refresh(tokens.refresh))
  clock.now += MINUTE_MS + 1
  await assertNoAccess(world, tokens.access)
  await assertAccess(world, next.access)
})

test.run()
