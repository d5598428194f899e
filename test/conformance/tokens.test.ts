// The token endpoint as clients use it, over all that is not an attack (spec-A…, spec-T…).
import * as assert from 'uvu/assert'
import { Client, callMcp, callTool, postForm, send, tokensOf } from '../security/client.ts'
import {
  assertClientError,
  newBrowser,
  obtainCode,
  obtainTokens,
  openConsent,
  startWorld,
  twoRoutes,
  withoutUpstream,
} from '../security/world.ts'
import { suite } from '../support/suite.ts'

const test = suite('conformance/tokens')

/** What clients ask for that were told nothing of it. */
const HABITS = [
  'claudeai',
  'openid email profile',
  'openid email profile offline_access',
  'offline_access mcp:github',
  'mcp:github mcp:github',
  'mcp:elsewhere read write admin:*',
  '  mcp:github   x ',
  '',
]

test('spec-A10, spec-T9: unknown scopes are ignored, and the answer says what was granted, refresh token included', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const plain = await redeemed(client, undefined)
  assert.match(String(plain.body.scope), /^mcp:github\b/)
  for (const scope of HABITS) {
    const answer = await redeemed(client, scope)
    assert.is(answer.body.scope, plain.body.scope, scope)
    assert.type(answer.body.refresh_token, 'string', 'nobody has to ask for it')
    assert.is((await callMcp(world.mcpUrl, String(answer.body.access_token))).status, 200)
  }
})

async function redeemed(client: Client, scope: string | undefined) {
  const { code, trip } = await obtainCode({ client, overrides: { scope } })
  const answer = await client.redeem(code, trip.verifier)
  assert.is(answer.status, 200, scope)
  return answer
}

test('spec-T9, spec-T3: where the upstream has no refresh tokens ours are refreshed all the same', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  let { tokens } = await obtainTokens({ client })
  const exchanges = world.github.recorder.count('/login/oauth/access_token')
  for (let round = 0; round < 5; round += 1) {
    const next = tokensOf(await client.refresh(tokens.refresh))
    assert.is.not(next.refresh, tokens.refresh)
    assert.is.not(next.access, tokens.access)
    assert.is(await callTool(world.mcpUrl, next.access, 'whoami'), 'octocat')
    tokens = next
  }
  assert.is(world.github.recorder.count('/login/oauth/access_token'), exchanges)
})

test('spec-A9: a resource is understood with a slash more, as the bare gateway, or not at all; another is refused', async (context) => {
  const world = await startWorld(context, { yaml: twoRoutes })
  const { url } = world
  const client = await Client.register(url)
  for (const [asked, redeems] of [
    [`${url}/a`, `${url}/a`],
    [`${url}/a/`, `${url}/a`],
    [`${url}/a`, `${url}/a/`],
    [`${url}/a`, undefined],
    [`${url}/a`, url],
    [`${url}/a`, `${url}/`],
  ]) {
    const { code, trip } = await obtainCode({ client, overrides: { resource: asked } })
    const answer = await client.redeem(code, trip.verifier, { resource: redeems })
    assert.equal([asked, redeems, answer.status], [asked, redeems, 200])
    assert.is((await callMcp(`${url}/a`, String(answer.body.access_token))).status, 200)
    const refreshed = await client.refresh(String(answer.body.refresh_token), { resource: redeems })
    assert.equal([asked, redeems, refreshed.status], [asked, redeems, 200])
  }
  // By scope, where a client knows no resource parameter.
  const { code, trip } = await obtainCode({ client, overrides: { scope: 'mcp:b' } })
  const { access } = tokensOf(await client.redeem(code, trip.verifier))
  assert.is((await callMcp(`${url}/b`, access)).status, 200)
  await withoutUpstream(world, async () => {
    const { trip, page } = await openConsent(newBrowser(), client, { resource: `${url}/c` })
    assertClientError(page, trip, client.redirectUri, 'invalid_target', url)
  })
})

test('spec-T5, spec-T4: whatever is wrong, the token endpoint answers in JSON, with a 4xx, and keeps nothing', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client })
  const { url } = world
  const form = (fields: Record<string, string>) => postForm(`${url}/token`, fields)
  await withoutUpstream(world, async () => {
    for (const answer of [
      await form({}),
      await form({ client_id: client.id }),
      await form({ client_id: client.id, grant_type: 'authorization_code' }),
      await form({ client_id: client.id, grant_type: 'refresh_token', refresh_token: 'x'.repeat(5_000) }),
      await form({ client_id: client.id, grant_type: 'refresh_token', refresh_token: '\u0000\u202e' }),
      await form({ client_id: 'x'.repeat(60_000) }),
      await form({ client_id: '%00%ff', grant_type: '\ud800' }),
      await send(`${url}/token`, {
        method: 'POST',
        body: '%%%=%%%&&&===',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
      await send(`${url}/token`, { method: 'POST', body: new Uint8Array([0xff, 0xfe, 0x00]) }),
      await send(`${url}/token`, { method: 'POST' }),
    ]) {
      assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status}`)
      assert.type(answer.body.error, 'string', answer.text)
      assert.is(answer.headers.get('cache-control'), 'no-store')
    }
  })
  assert.is((await client.refresh(tokens.refresh)).status, 200)
})

test.run()
