// Access tokens: each opens one route, for whom it was issued, until it is revoked; and none can be guessed.
import * as assert from 'uvu/assert'
import { mintGrantId, mintToken } from '../../src/oauth/tokens.ts'
import { suite } from '../support/suite.ts'
import { Client, callMcp, postForm, send, tokensOf } from './client.ts'
import {
  assertAccess,
  assertNoAccess,
  assertRefused,
  obtainCode,
  obtainTokens,
  startWorld,
  twoRoutes,
  withoutUpstream,
} from './world.ts'

const test = suite('security/access-tokens')

test("sec-T9, spec-T1: a token of one route is refused on another, with that one's metadata", async (context) => {
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

test('sec-T9, spec-T1, spec-R2: only an access token opens a route, whatever else the client holds', async (context) => {
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

test('sec-T11, spec-T7: a revoked token is dead at the next request, and nobody revokes for another', async (context) => {
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

test.run()
