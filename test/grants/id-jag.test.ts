// Enterprise-Managed Authorization (spec.md EMA, RFC 7523): an identity provider's assertion instead of a sign-in. Each
// forgery is refused before any upstream hears of it, and a good assertion still works.
import { SignJWT, UnsecuredJWT } from 'jose'
import * as assert from 'uvu/assert'
import { basic, Client, postForm, send } from '../security/client.ts'
import { assertRefused } from '../security/world.ts'
import { startClientHost } from '../support/client-host.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { type IdentityProvider, PERSON, startIdentityProvider } from './identity-provider.ts'
import {
  ASSERTION_TYPE,
  clientAssertion,
  type MachineWorld,
  OTHER_SECRET,
  SECRET,
  startMachineWorld,
  statusOnRoute,
  sumOnRoute,
  upstreamRequests,
} from './machine-world.ts'

const test = suite('grants/id-jag')
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

const CLIENTS = `
    agent: { client_secret: "\${BATCH_SECRET}", grant_types: ["${JWT_BEARER}"] }
    other: { client_secret: "\${OTHER_SECRET}", grant_types: ["${JWT_BEARER}", client_credentials] }
    batch: { client_secret: "\${BATCH_SECRET}", grant_types: [client_credentials] }
    public: { redirect_uris: ["https://public.test/cb"] }
`

interface World extends MachineWorld {
  readonly idp: IdentityProvider
  /** A good assertion for `agent` on the route `open`, with these claims over it. */
  assertion(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
  claims(claims?: Record<string, unknown>): Record<string, unknown>
}

const trusting = (...issuers: string[]) => `
trusted_issuers:
${issuers.map((issuer, index) => `  idp${index}: { issuer: "${issuer}", id_jag: true }`).join('\n')}
`

async function startWorld(
  context: TestContext,
  changes: Partial<Parameters<typeof startMachineWorld>[1]> = {},
  now?: () => number,
): Promise<World> {
  const idp = await startIdentityProvider(now)
  context.after(() => idp.close())
  const given = { clients: CLIENTS, more: trusting(idp.issuer), ...changes }
  const machines = await startMachineWorld(context, given, now)
  const claims = (more: Record<string, unknown> = {}) => ({
    aud: machines.url,
    resource: `${machines.url}/open`,
    client_id: 'agent',
    ...more,
  })
  return {
    ...machines,
    edit: (edited) => machines.edit({ ...given, ...edited }),
    idp,
    claims,
    assertion: (more, header) => idp.assertion(claims(more), header),
  }
}

const present = (
  { url }: { readonly url: string },
  assertion: string | undefined,
  form = {},
  id = 'agent',
  secret = SECRET,
) =>
  postForm(
    `${url}/token`,
    { grant_type: JWT_BEARER, assertion, ...form },
    { authorization: basic(id, secret) },
  )

async function tokenFrom(world: World, claims: Record<string, unknown> = {}): Promise<string> {
  const answer = await present(world, await world.assertion(claims))
  assert.is(answer.status, 200, answer.text)
  return String(answer.body.access_token)
}

test('spec-X2: an assertion gives one access token for its person on its server; there is no refresh token', async (context) => {
  const world = await startWorld(context)
  const answer = await present(world, await world.assertion())
  assert.is(answer.status, 200, answer.text)
  assert.equal(Object.keys(answer.body).sort(), ['access_token', 'expires_in', 'scope', 'token_type'])
  assert.is(answer.body.scope, 'mcp:open')
  assert.is(answer.headers.get('cache-control'), 'no-store')
  const token = String(answer.body.access_token)
  assert.match(await sumOnRoute(world, 'open', token), '5')
  assert.is(await statusOnRoute(world, 'second', token), 401, 'sec-T9: and on no other server')
  assert.not.ok(world.open.recorder.saw(token))

  const told = await postForm(`${world.url}/introspect`, { token }, { authorization: basic('agent', SECRET) })
  assert.equal(
    [told.body.active, told.body.sub, told.body.client_id, told.body.aud],
    [true, `oidc/${world.idp.issuer}#u-1`, 'agent', `${world.url}/open`],
  )
  const revocation = { authorization: basic('agent', SECRET) }
  assert.is((await postForm(`${world.url}/revoke`, { token }, revocation)).status, 200)
  assert.is(await statusOnRoute(world, 'open', token), 401)
})

test('spec-X2: the metadata promises the grant and the profile while an issuer is trusted with it (EMA §6)', async (context) => {
  const world = await startWorld(context)
  const metadata = async () => (await send(`${world.url}/.well-known/oauth-authorization-server`)).body
  const before = await metadata()
  assert.ok((before.grant_types_supported as string[]).includes(JWT_BEARER))
  assert.equal(before.authorization_grant_profiles_supported, ['urn:ietf:params:oauth:grant-profile:id-jag'])
  const token = await tokenFrom(world)
  await world.edit({ more: trusting(world.idp.issuer).replace('id_jag: true', 'id_jag: false') })
  const after = await metadata()
  assert.not.ok((after.grant_types_supported as string[]).includes(JWT_BEARER))
  assert.not.ok('authorization_grant_profiles_supported' in after)
  assertRefused(await present(world, await world.assertion()), 'unsupported_grant_type')
  assert.is(await statusOnRoute(world, 'open', token), 401, 'nobody vouches for the person any more')
})

test('spec-X2: whatever does not bind an assertion to this request is refused, and the upstreams hear nothing', async (context) => {
  const world = await startWorld(context)
  const { url, idp, claims } = world
  const stranger = await startIdentityProvider()
  context.after(() => stranger.close())
  const now = Math.floor(Date.now() / 1000)
  const publicKey = new TextEncoder().encode(await (await fetch(`${idp.issuer}/jwks`)).text())
  const symmetric = (key: Uint8Array) =>
    new SignJWT({ ...PERSON, ...claims(), iss: idp.issuer, jti: 'hs', iat: now, exp: now + 60 })
      .setProtectedHeader({ alg: 'HS256', typ: 'oauth-id-jag+jwt', kid: idp.key.kid })
      .sign(key)
  const unsigned = new UnsecuredJWT({
    ...PERSON,
    ...claims(),
    iss: idp.issuer,
    jti: 'none',
    iat: now,
    exp: now + 60,
  })
  const [head = '', body = '', signature = ''] = (await world.assertion()).split('.')
  const cases: Record<string, string | Promise<string>> = {
    'not a JWT': 'abc',
    'no signature': unsigned.encode(),
    'a JWT cut short': `${head}.${body}`,
    'another payload under a good signature': `${head}.${Buffer.from('{"sub":"root"}').toString('base64url')}.${signature}`,
    'HS256 with the public key as secret': symmetric(publicKey),
    "another's key": idp.forged(claims()),
    'a key that the issuer does not have': idp.forged(claims(), { kid: 'made-up' }),
    'an issuer that nobody trusts': stranger.assertion(claims()),
    'an issuer that claims to be the trusted one': stranger.assertion(claims({ iss: idp.issuer })),
    'no issuer': world.assertion({ iss: undefined }),
    'the issuer with a slash more': world.assertion({ iss: `${idp.issuer}/` }),
    'no typ': world.assertion({}, { typ: undefined }),
    'typ JWT, as ID tokens have': world.assertion({}, { typ: 'JWT' }),
    'typ at+jwt, as access tokens have': world.assertion({}, { typ: 'at+jwt' }),
    'an ID token with the right typ': world.assertion({ nonce: 'n' }),
    'another audience': world.assertion({ aud: 'https://other.example' }),
    'the audience with a slash more': world.assertion({ aud: `${url}/` }),
    'the token endpoint as audience': world.assertion({ aud: `${url}/token` }),
    'the route as audience': world.assertion({ aud: `${url}/open` }),
    'two audiences': world.assertion({ aud: [url, 'https://other.example'] }),
    'no audience': world.assertion({ aud: undefined }),
    expired: world.assertion({ exp: now - 1, iat: now - 300 }),
    'no end': world.assertion({ exp: undefined }),
    'an end in ten years': world.assertion({ exp: now + 315_360_000 }),
    'not yet': world.assertion({ nbf: now + 3_600 }),
    'made in the future': world.assertion({ iat: now + 3_600, exp: now + 3_700 }),
    'no iat': world.assertion({ iat: undefined }),
    'no jti': world.assertion({ jti: undefined }),
    'no subject': world.assertion({ sub: undefined }),
    'an empty subject': world.assertion({ sub: '' }),
    'another client': world.assertion({ client_id: 'other' }),
    'no client': world.assertion({ client_id: undefined }),
    'the client as azp only': world.assertion({ client_id: undefined, azp: 'agent' }),
    'no resource': world.assertion({ resource: undefined }),
    'a resource elsewhere': world.assertion({ resource: 'https://other.example/open' }),
    'a resource that is no server here': world.assertion({ resource: `${url}/nowhere` }),
    'the gateway as resource': world.assertion({ resource: url }),
    'several resources': world.assertion({ resource: [`${url}/open`, `${url}/second`] }),
    'scopes of something else': world.assertion({ scope: 'chat.read' }),
    'bound to a key that is not shown': world.assertion({ cnf: { jkt: 'x' } }),
    'a route with the accounts of people': world.assertion({ resource: `${url}/github` }),
  }
  for (const [name, assertion] of Object.entries(cases)) {
    assertRefused(await present(world, await assertion), 'invalid_grant', name)
  }
  assertRefused(await present(world, undefined), 'invalid_request', 'none at all')
  assertRefused(await present(world, 'x'.repeat(9_000)), 'invalid_request', 'longer than any')
  const elsewhere = { resource: `${url}/second` }
  assertRefused(
    await present(world, await world.assertion(), elsewhere),
    'invalid_grant',
    'another is asked for',
  )
  assert.match(
    (await present(world, await world.assertion({ resource: `${url}/github` }))).text,
    'not connected',
  )
  assert.is(upstreamRequests(world), 0)
  assert.is(stranger.recorder.count(), 0, 'nobody asks a stranger for keys')
  assert.match(await sumOnRoute(world, 'open', await tokenFrom(world)), '5')
})

test('spec-X2: only a client that proves itself, and that the configuration or its own document lets, may bring one', async (context) => {
  const host = await startClientHost()
  context.after(() => host.close())
  const world = await startWorld(context, {
    rules: '  cimd: { allow_private_hosts: [127.0.0.1] }\n',
  })
  const { url, key } = world
  const resource = `${url}/open`
  const dynamic = await Client.register(url, { token_endpoint_auth_method: 'client_secret_basic' })
  const bring = async (form: Record<string, string>, headers = {}) =>
    postForm(`${url}/token`, { grant_type: JWT_BEARER, ...form }, headers)

  assertRefused(
    await bring({ client_id: 'public', assertion: await world.assertion({ client_id: 'public' }) }),
    'unauthorized_client',
    'a public client',
  )
  assertRefused(
    await dynamic.token({
      grant_type: JWT_BEARER,
      assertion: await world.assertion({ client_id: dynamic.id }),
    }),
    'unauthorized_client',
    'who registered itself',
  )
  assertRefused(
    await present(world, await world.assertion({ client_id: 'batch' }), {}, 'batch'),
    'unauthorized_client',
    'without the grant type',
  )
  assertRefused(
    await bring({ client_id: 'agent', assertion: await world.assertion() }),
    'invalid_client',
    'without its secret',
  )
  assertRefused(
    await present(world, await world.assertion(), {}, 'agent', OTHER_SECRET),
    'invalid_client',
    'with the secret of another',
  )
  assertRefused(
    await present(world, await world.assertion(), {}, 'other', OTHER_SECRET),
    'invalid_grant',
    "with another client's assertion",
  )
  assertRefused(
    await bring({ client_id: host.id, assertion: await world.assertion({ client_id: host.id }) }),
    'unauthorized_client',
    'a document client without keys',
  )
  assert.is(upstreamRequests(world), 0)

  host.publish(
    { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.public] } },
    { 'cache-control': 'no-store' },
  )
  const second = await startWorld(context, { rules: '  cimd: { allow_private_hosts: [127.0.0.1] }\n' })
  const taken = await postForm(`${second.url}/token`, {
    grant_type: JWT_BEARER,
    resource: resource.replace(url, second.url),
    assertion: await second.assertion({ client_id: host.id }),
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await clientAssertion({ ...second, key }, host.id),
  })
  assert.is(taken.status, 200, taken.text)
  assert.match(await sumOnRoute(second, 'open', String(taken.body.access_token)), '5')

  const once = await clientAssertion({ ...second, key }, host.id)
  const jags = await Promise.all([1, 2].map(() => second.assertion({ client_id: host.id })))
  const bringWith = (clientJwt: string, assertion: string | undefined) =>
    postForm(`${second.url}/token`, {
      grant_type: JWT_BEARER,
      assertion,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: clientJwt,
    })
  const answers = await Promise.all(jags.map((jag) => bringWith(once, jag)))
  assert.equal(
    answers.map(({ status }) => status).sort(),
    [200, 401],
    'a client assertion serves one request',
  )
  const left = jags[answers.findIndex(({ status }) => status === 401)]
  assert.is((await bringWith(await clientAssertion({ ...second, key }, host.id), left)).status, 200)
})

test('spec-X2: an assertion is taken once: not again, not by twenty at once; a failed attempt leaves it', async (context) => {
  const world = await startWorld(context)
  const assertion = await world.assertion()
  assertRefused(await present(world, assertion, { resource: `${world.url}/second` }), 'invalid_grant')
  assertRefused(
    await present(world, assertion, {}, 'other', OTHER_SECRET),
    'invalid_grant',
    'brought by another',
  )
  const answers = await Promise.all(Array.from({ length: 20 }, () => present(world, assertion)))
  assert.is(answers.filter(({ status }) => status === 200).length, 1)
  for (const answer of answers.filter(({ status }) => status !== 200)) assertRefused(answer, 'invalid_grant')
  assertRefused(await present(world, assertion), 'invalid_grant', 'and later')

  const jti = 'the-same'
  assert.is((await present(world, await world.assertion({ jti }))).status, 200)
  assertRefused(
    await present(world, await world.assertion({ jti })),
    'invalid_grant',
    'signed anew with an old jti',
  )
  assert.is(
    (await present(world, await world.assertion({ jti, sub: 'u-2' }))).status,
    200,
    'of somebody else',
  )
})

test('spec-X2: scopes: the assertion, the request and the route must all agree to what is beyond the route itself', async (context) => {
  const world = await startWorld(context, {
    open: '    scopes: { required: [read], optional: [write, admin] }',
  })
  const scopeOf = async (scope: string | undefined, form = {}) =>
    (await present(world, await world.assertion({ scope }), form)).body.scope
  assert.is(await scopeOf(undefined), 'mcp:open read')
  assert.is(await scopeOf('mcp:open read write'), 'mcp:open read write')
  assert.is(await scopeOf('mcp:open read write', { scope: 'admin' }), 'mcp:open read')
  assert.is(await scopeOf('mcp:open read write', { scope: 'mcp:open write other' }), 'mcp:open read write')
  assert.is(await scopeOf(undefined, { scope: 'admin other' }), 'mcp:open read admin')
  assertRefused(
    await present(world, await world.assertion({ scope: 'mcp:open' })),
    'invalid_grant',
    'read is missing',
  )
})

test('sec-T10: access holds by what the assertion said, when it is brought and on every request', async (context) => {
  const world = await startWorld(context)
  const token = await tokenFrom(world)
  const edits: [access: string, status: number][] = [
    ['{ email_domains: [example.com] }', 200],
    ['{ email_domains: [other.example] }', 403],
    ['{ groups: [staff] }', 200],
    ['{ groups: [admins] }', 403],
    ['{ deny: { groups: [staff] } }', 403],
    ['{ users: [victim] }', 403],
    ['{ clients: [agent, other] }', 403],
    ['anyone', 200],
  ]
  for (const [access, status] of edits) {
    await world.edit({ open: `    access: ${access}` })
    assert.is(await statusOnRoute(world, 'open', token), status, access)
    const brought = await present(world, await world.assertion())
    if (status === 200) assert.is(brought.status, 200, access)
    else assertRefused(brought, 'invalid_grant', access)
  }
  await world.edit({ open: '    access: { email_domains: [example.com] }' })
  const unverified = await world.assertion({ email_verified: false })
  assertRefused(await present(world, unverified), 'invalid_grant', 'an address that nobody checked')
})

test("a server that takes another issuer's tokens gets none of the gateway's, by no grant", async (context) => {
  const world = await startWorld(context, { open: '    token_issuer: idp0' })
  const other = { resource: `${world.url}/second` }
  assertRefused(await present(world, await world.assertion()), 'invalid_grant')
  const machine = (form: Record<string, string>) =>
    postForm(
      `${world.url}/token`,
      { grant_type: 'client_credentials', ...form },
      { authorization: basic('batch', SECRET) },
    )
  assertRefused(await machine({ resource: `${world.url}/open` }), 'invalid_target')
  assertRefused(await machine({ scope: 'mcp:open' }), 'invalid_target')
  assert.is((await machine(other)).status, 200)
  const taken = await present(world, await world.assertion(other))
  assert.is(taken.status, 200, taken.text)
  assert.is(await statusOnRoute(world, 'open', String(taken.body.access_token)), 401)
  assert.is(await statusOnRoute(world, 'open', await world.assertion()), 401, 'an ID-JAG is no access token')
  assert.is(world.open.recorder.count(), 0)
})

test('a person whose identity provider leaves the configuration is shut out at the next request', async (context) => {
  const second = await startIdentityProvider()
  context.after(() => second.close())
  const world = await startWorld(context)
  await world.edit({ more: trusting(world.idp.issuer, second.issuer) })
  const token = await tokenFrom(world)
  const other = await present(world, await second.assertion(world.claims()))
  assert.is(other.status, 200, other.text)
  await world.edit({ more: trusting(second.issuer) })
  assert.is(await statusOnRoute(world, 'open', token), 401)
  assertRefused(await present(world, await world.assertion()), 'invalid_grant')
  assert.is(
    await statusOnRoute(world, 'open', String(other.body.access_token)),
    200,
    'people of the other go on',
  )
  await world.edit({ more: trusting(world.idp.issuer, second.issuer) })
  assert.is(await statusOnRoute(world, 'open', token), 401, 'what they had does not come back with it')
  assert.is(await statusOnRoute(world, 'open', await tokenFrom(world)), 200)
})

test('while the identity provider is down nobody is told that the assertion was bad', async (context) => {
  const world = await startWorld(context)
  const assertion = await world.assertion()
  world.idp.knobs.isDown = true
  const answer = await present(world, assertion)
  assert.equal([answer.status, answer.body.error], [503, 'temporarily_unavailable'])
  assert.ok(answer.headers.get('retry-after'))
  assert.is(upstreamRequests(world), 0)
})

test('expires_in is honest, whatever is left of the assertion, and the token ends with it', async (context) => {
  let passed = 0
  const world = await startWorld(context, {}, () => Date.now() + passed)
  const answer = await present(world, await world.assertion())
  const token = String(answer.body.access_token)
  const seconds = Number(answer.body.expires_in)
  assert.ok(seconds > 3_590 && seconds <= 3_600, `${seconds}`)
  passed = (seconds - 10) * 1_000
  assert.is(await statusOnRoute(world, 'open', token), 200)
  passed = (seconds + 1) * 1_000
  assert.is(await statusOnRoute(world, 'open', token), 401)
  assert.is(await statusOnRoute(world, 'open', await tokenFrom(world)), 200)
})

test.run()
