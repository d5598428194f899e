// The gateway's own codes and tokens: what each is bound to, how often it works, and what a thief's use of it ends.
import * as assert from 'uvu/assert'
import { mintGrantId, mintToken } from '../../src/oauth/tokens.ts'
import { startOidc } from '../support/oidc.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute, oidcRoute } from '../support/yaml.ts'
import {
  type Answer,
  Client,
  callMcp,
  callTool,
  challengeOf,
  postForm,
  postJson,
  send,
  tokensOf,
} from './client.ts'
import {
  newBrowser,
  obtainCode,
  obtainTokens,
  startWorld,
  stillWorks,
  TWO_USERS,
  upstreamCalls,
  VICTIM,
  type World,
  withoutUpstream,
} from './world.ts'

const test = suite('security/tokens')

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

const twoRoutes = (github: World['github']) =>
  document(githubRoute('a', github), githubRoute('b', github)) + TWO_USERS

function assertRefused(answer: Answer, error: string, label = '') {
  assert.equal(
    [label, answer.status, answer.body.error],
    [label, error === 'invalid_client' ? 401 : 400, error],
  )
  assert.is(answer.body.access_token, undefined)
  assert.is(answer.body.refresh_token, undefined)
}

/** The gateway takes the token, and the request reaches the upstream. */
async function assertAccess(world: World, access: string, url = world.mcpUrl) {
  assert.is(await callTool(url, access, 'whoami'), world.github.knobs.login)
}

async function assertNoAccess(world: World, access: string, url = world.mcpUrl) {
  const before = world.github.recorder.count('/mcp/')
  const answer = await callMcp(url, access)
  assert.is(answer.status, 401)
  assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer error="invalid_token"/)
  assert.is(world.github.recorder.count('/mcp/'), before)
}

test('sec-T1: of fifty parallel redemptions of one code one succeeds, and its tokens end with the replay', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { code, trip } = await obtainCode({ client })
  const before = upstreamCalls(world)
  const answers = await Promise.all(Array.from({ length: 50 }, () => client.redeem(code, trip.verifier)))
  const [won, ...others] = answers.sort((a, b) => a.status - b.status)
  const { access, refresh } = tokensOf(won as Answer)
  for (const answer of others) assertRefused(answer, 'invalid_grant')
  assert.equal(upstreamCalls(world), before)
  await assertNoAccess(world, access)
  assertRefused(await client.refresh(refresh), 'invalid_grant')
  await stillWorks(world)
})

test('sec-T1: a code that comes back later ends the tokens that were issued for it', async (context) => {
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

test('sec-T2: a code is bound to client, redirect_uri and resource, and a wrong one of these does not burn it', async (context) => {
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

test('sec-T3: a code works for a minute', async (context) => {
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

test('sec-T4: a refresh token that comes back after its grace ends the family', async (context) => {
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

test('sec-T4: a guess under the id of a living family ends it no more than it opens it', async (context) => {
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

test('sec-T5: twenty parallel refreshes with one token get one and the same pair', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client })
  const before = upstreamCalls(world)
  const answers = await Promise.all(Array.from({ length: 20 }, () => client.refresh(tokens.refresh)))
  const pairs = answers.map(tokensOf)
  const [first] = pairs
  assert.is.not(first?.refresh, tokens.refresh)
  for (const pair of pairs) assert.equal(pair, first)
  assert.equal(upstreamCalls(world), before, 'the upstream link was far from its end')
  await assertAccess(world, first?.access ?? '')
  const next = tokensOf(await client.refresh(first?.refresh ?? ''))
  await assertAccess(world, next.access)
})

test('sec-T5: twenty parallel refreshes near the end of the upstream token make one refresh there', async (context) => {
  const oidc = await startOidc({ accessTokenTtlSeconds: 600 })
  context.after(() => oidc.close())
  // Its refresh tokens work once: a second refresh with one would end the link for everybody.
  const clock = { now: Date.now() }
  const world = await startWorld(context, {
    now: () => clock.now,
    yaml: () => document(oidcRoute('oidc', oidc)) + TWO_USERS,
  })
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client, person: { ...VICTIM, upstreamName: 'ann' } })
  const url = `${world.url}/oidc`
  const codes = oidc.recorder.count('/token')
  let { access, refresh } = tokens
  for (const round of [1, 2]) {
    clock.now += 570_000
    const pairs = (await Promise.all(Array.from({ length: 20 }, () => client.refresh(refresh)))).map(tokensOf)
    ;({ access, refresh } = pairs[0] ?? tokens)
    for (const pair of pairs) assert.equal(pair, pairs[0])
    const calls = await Promise.all(Array.from({ length: 20 }, () => callMcp(url, access)))
    assert.ok(calls.every(({ status }) => status === 200))
    // Nobody waits for a refresh ahead of the end, so the test has to.
    await (await oidc.recorder.arrival('/token', codes + round)).outcome
    assert.is((await callMcp(url, access)).status, 200)
    assert.is(oidc.recorder.count('/token'), codes + round)
  }
})

test('sec-T6: a client that lost the answer asks again and gets the same pair, with an honest lifetime', async (context) => {
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

test('sec-T7: another client, a wider scope and another resource are refused, and the token stays good', async (context) => {
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
  clock.now += 2 * DAY_MS + 1
  await assertNoAccess(world, busy.access)
  assertRefused(await client.refresh(busy.refresh), 'invalid_grant')
  // The link to the upstream has been unused for 90 days as well, and is asked for anew.
  await stillWorks(world)
})

test('sec-T8: an access token lives for its hour, and no refresh prolongs it', async (context) => {
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

test("sec-T9: a token of one route is refused on another, with that one's metadata", async (context) => {
  const world = await startWorld(context, { yaml: twoRoutes })
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client, overrides: { resource: `${world.url}/a` } })
  const answer = await withoutUpstream(world, () => callMcp(`${world.url}/b`, tokens.access))
  assert.is(answer.status, 401)
  const challenge = answer.headers.get('www-authenticate') ?? ''
  assert.match(challenge, 'error="invalid_token"')
  assert.match(challenge, `resource_metadata="${world.url}/.well-known/oauth-protected-resource/b"`)
  assert.not.match(challenge, '/a"')
  await assertAccess(world, tokens.access, `${world.url}/a`)
})

test('sec-T9: only an access token opens a route, whatever else the client holds', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url, { token_endpoint_auth_method: 'client_secret_basic' })
  const { tokens } = await obtainTokens({ client })
  const unused = await obtainCode({ client })
  const [upstreamToken] = world.github.tokens()
  const others = [
    tokens.refresh,
    unused.code,
    client.secret ?? '',
    client.id,
    upstreamToken?.token ?? '',
    'null',
    'undefined',
  ]
  for (const bearer of others) await assertNoAccess(world, bearer)
  const schemes = ['Basic', 'DPoP', 'Token', 'BearerX', 'Bearer,Bearer', '']
  await withoutUpstream(world, async () => {
    for (const scheme of schemes) {
      const answer = await callMcp(world.mcpUrl, undefined, undefined, {
        authorization: `${scheme} ${tokens.access}`,
      })
      assert.equal([scheme, answer.status], [scheme, 401])
    }
    for (const twin of [
      `Bearer ${tokens.access} ${tokens.access}`,
      `Bearer ${tokens.access},`,
      `Bearer "${tokens.access}"`,
      `Bearer ${tokens.access}x`,
      `Bearer x${tokens.access}`,
    ]) {
      assert.is((await callMcp(world.mcpUrl, undefined, undefined, { authorization: twin })).status, 401)
    }
  })
  await assertAccess(world, tokens.access)
})

test('sec-T11: a revoked token is dead at the next request, and nobody revokes for another', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const evil = await Client.register(world.url)
  const revoke = (by: Client, token: string, hint?: string) =>
    postForm(`${world.url}/revoke`, { client_id: by.id, token, token_type_hint: hint })
  const { tokens } = await obtainTokens({ client })
  const { tokens: other } = await obtainTokens({ client })
  // RFC 7009 §2.2: whose token it is, and whether it is one, is told to nobody.
  for (const token of [tokens.refresh, tokens.access, 'unknown', `${tokens.refresh}x`]) {
    const answer = await revoke(evil, token)
    assert.equal([answer.status, answer.body], [200, {}])
  }
  const nobody = await postForm(`${world.url}/revoke`, { token: tokens.refresh })
  assert.equal([nobody.status, nobody.body.error], [401, 'invalid_client'])
  await assertAccess(world, tokens.access)

  assert.is((await revoke(client, tokens.access, 'refresh_token')).status, 200)
  await assertNoAccess(world, tokens.access)
  const next = tokensOf(await client.refresh(tokens.refresh))
  await assertAccess(world, next.access)
  assert.is((await revoke(client, next.refresh)).status, 200)
  await assertNoAccess(world, next.access)
  assertRefused(await client.refresh(next.refresh), 'invalid_grant')
  assertRefused(await client.refresh(tokens.refresh), 'invalid_grant', 'in its grace')
  await assertAccess(world, other.access)
})

test('sec-T12: introspection tells a client of its own tokens, and nobody of anything else', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url, { token_endpoint_auth_method: 'client_secret_post' })
  const evil = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client })
  const ask = (form: Record<string, string | undefined>, headers = {}) =>
    postForm(`${world.url}/introspect`, form, headers)
  for (const token of [tokens.access, tokens.refresh]) {
    for (const headers of [
      {},
      { authorization: `Bearer ${tokens.access}` },
      { authorization: `Bearer ${token}` },
    ]) {
      const stranger = await ask({ token }, headers)
      assert.equal([stranger.status, stranger.body.error], [401, 'invalid_client'])
    }
    assert.is((await ask({ token, client_id: client.id })).status, 401)
    assert.equal((await ask({ token, client_id: evil.id })).body, { active: false })
    const own = await ask({ token, client_id: client.id, client_secret: client.secret })
    assert.is(own.body.active, true)
    assert.is(own.headers.get('access-control-allow-credentials'), null)
  }
  assert.is((await send(`${world.url}/introspect?token=${tokens.access}`)).status, 404)
})

test('sec-T13: ten thousand tokens share nothing but their tag', () => {
  const tokens = Array.from({ length: 10_000 }, () => mintToken('access', mintGrantId())).sort()
  const longest = Math.max(...tokens.slice(1).map((token, index) => commonPrefix(token, tokens[index] ?? '')))
  // 10,000 random strings over 64 letters agree in 4 or 5 of them somewhere; in 12 about once in 10^14 runs.
  assert.ok(longest < 'mga_'.length + 12, `${longest}`)
  const secrets = tokens.map((token) => token.split('.')[1] ?? '')
  assert.is(new Set(secrets).size, tokens.length)
  for (const secret of secrets) assert.is(Buffer.from(secret, 'base64url').length, 32)
})

function commonPrefix(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length += 1
  return length
}

test('sec-T13: a token altered in any letter opens nothing', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client })
  await withoutUpstream(world, async () => {
    for (const index of tokens.access.split('').keys()) {
      const letter = tokens.access[index]
      const altered = `${tokens.access.slice(0, index)}${letter === 'a' ? 'Z' : 'a'}${tokens.access.slice(index + 1)}`
      const answer = await callMcp(world.mcpUrl, altered)
      assert.equal([index, answer.status], [index, 401])
    }
  })
  await assertAccess(world, tokens.access)
})

test('sec-T15: tokens are given for a posted form only, and their answers are not stored', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { code, trip } = await obtainCode({ client })
  const form = { grant_type: 'authorization_code', client_id: client.id, code, code_verifier: trip.verifier }
  const query = new URLSearchParams(form).toString()
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
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
