// Machine clients (SEP-1046, RFC 6749 §4.4): how they get tokens, what those are good for, and when they end.
import * as assert from 'uvu/assert'
import { startHeldUpstream } from '../durable/held-upstream.ts'
import { openStream } from '../durable/open-stream.ts'
import { basic, Client, callMcp, postForm, send } from '../security/client.ts'
import { assertRefused } from '../security/world.ts'
import { startClientHost } from '../support/client-host.ts'
import { suite } from '../support/suite.ts'
import { openRoute } from '../support/yaml.ts'
import {
  ASSERTION_TYPE,
  clientAssertion,
  machineToken,
  OTHER_SECRET,
  SECRET,
  startMachineWorld,
  statusOnRoute,
  sumOnRoute,
  tokenFor,
  upstreamRequests,
} from './machine-world.ts'

const test = suite('grants/client-credentials')

test('spec-X1: a machine gets an access token for one route and calls a tool with it; there is no refresh token', async (context) => {
  const world = await startMachineWorld(context)
  const answer = await machineToken(world, { resource: `${world.url}/open` })
  assert.is(answer.status, 200, answer.text)
  assert.is(answer.headers.get('cache-control'), 'no-store')
  assert.equal(Object.keys(answer.body).sort(), ['access_token', 'expires_in', 'scope', 'token_type'])
  assert.is(answer.body.scope, 'mcp:open')
  assert.is(answer.body.token_type, 'Bearer')
  const seconds = Number(answer.body.expires_in)
  assert.ok(seconds > 3590 && seconds <= 3600, `${seconds}`)
  assert.match(await sumOnRoute(world, 'open', String(answer.body.access_token)), '5')
  assert.not.ok(world.open.recorder.saw(String(answer.body.access_token)), 'it stays here')
})

test('spec-X1: the secret may come in the body, and keys may stand for it: private_key_jwt with keys from the file', async (context) => {
  const world = await startMachineWorld(context)
  const form = { grant_type: 'client_credentials', resource: `${world.url}/keyed` }
  const post = await postForm(`${world.url}/token`, { ...form, client_id: 'batch', client_secret: SECRET })
  assert.match(await sumOnRoute(world, 'keyed', String(post.body.access_token)), '5')

  const assertion = await clientAssertion(world)
  const signed = { ...form, client_assertion_type: ASSERTION_TYPE, client_assertion: assertion }
  const jwt = await postForm(`${world.url}/token`, signed)
  assert.match(await sumOnRoute(world, 'keyed', String(jwt.body.access_token)), '5')
  assertRefused(await postForm(`${world.url}/token`, signed), 'invalid_client', 'the assertion a second time')
  assertRefused(await machineToken(world, {}, 'signer', SECRET), 'invalid_client', 'a secret instead of keys')
  const alien = await clientAssertion({ ...world, key: (await startMachineWorld(context)).key })
  assertRefused(
    await postForm(`${world.url}/token`, { ...signed, client_assertion: alien }),
    'invalid_client',
    'signed by a stranger',
  )
})

test('sec-R8: a client assertion gives one token, however many ask at once; a refused request leaves it', async (context) => {
  const world = await startMachineWorld(context)
  const signed = {
    grant_type: 'client_credentials',
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await clientAssertion(world),
  }
  const ask = (route: string) =>
    postForm(`${world.url}/token`, { ...signed, resource: `${world.url}/${route}` })
  assertRefused(await ask('nowhere'), 'invalid_target')
  assertRefused(await ask('github'), 'invalid_target', 'a route with the accounts of people')
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('open')))
  const [taken, ...others] = answers.filter(({ status }) => status === 200)
  assert.is(others.length, 0)
  assert.match(await sumOnRoute(world, 'open', String(taken?.body.access_token)), '5')
  for (const answer of answers) if (answer !== taken) assertRefused(answer, 'invalid_client')
  assertRefused(await ask('open'), 'invalid_client', 'and later')
})

test('the keys of a static client may lie inside, where the configuration says', async (context) => {
  const host = await startClientHost()
  context.after(() => host.close())
  const world = await startMachineWorld(context, {
    clients: `\n    signer: { grant_types: [client_credentials], jwks_uri: "${host.origin}/jwks.json" }\n`,
  })
  const body = JSON.stringify({ keys: [world.key.public] })
  host.paths.set('/jwks.json', { status: 200, headers: { 'content-type': 'application/json' }, body })
  const answer = await postForm(`${world.url}/token`, {
    grant_type: 'client_credentials',
    resource: `${world.url}/open`,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await clientAssertion(world),
  })
  assert.is(answer.status, 200, answer.text)
  assert.match(await sumOnRoute(world, 'open', String(answer.body.access_token)), '5')
})

test('sec-R2: a stranger who asks the host of those keys for documents does not keep the client out', async (context) => {
  const host = await startClientHost()
  context.after(() => host.close())
  const nowMs = Date.now()
  const clients = `\n    signer: { grant_types: [client_credentials], jwks_uri: "${host.origin}/jwks.json" }\n`
  const rules = '  cimd: { allow_private_hosts: [127.0.0.1] }\n'
  const world = await startMachineWorld(context, { clients, rules }, () => nowMs)
  const body = JSON.stringify({ keys: [world.key.public] })
  host.paths.set('/jwks.json', { status: 200, headers: { 'content-type': 'application/json' }, body })
  for (let junk = 0; junk < 8; junk++) {
    const query = new URLSearchParams({ client_id: `${host.origin}/junk-${junk}.json` })
    assert.is((await send(`${world.url}/authorize?${query}`)).status, 400)
  }
  assert.is(host.recorder.count(), 5)
  const answer = await postForm(`${world.url}/token`, {
    grant_type: 'client_credentials',
    resource: `${world.url}/open`,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await clientAssertion(world),
  })
  assert.is(answer.status, 200, answer.text)
})

test('a key set that the file names may have certificates beside its keys, up to 64 KiB', async (context) => {
  const host = await startClientHost()
  context.after(() => host.close())
  const world = await startMachineWorld(context, {
    clients: `\n    signer: { grant_types: [client_credentials], jwks_uri: "${host.origin}/jwks.json" }\n`,
  })
  const publish = (bytes: number) => {
    const key = { ...world.key.public, x5c: ['A'.repeat(bytes)] }
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
    host.paths.set('/jwks.json', { status: 200, headers, body: JSON.stringify({ keys: [key] }) })
  }
  const ask = async () =>
    postForm(`${world.url}/token`, {
      grant_type: 'client_credentials',
      resource: `${world.url}/open`,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await clientAssertion(world),
    })
  publish(64 * 1024)
  const refused = await ask()
  assert.equal([refused.status, refused.body.error], [503, 'temporarily_unavailable'])
  publish(60 * 1024)
  assert.is((await ask()).status, 200)
})

test('spec-X1: the route is the resource, else the scope, else the only one', async (context) => {
  const world = await startMachineWorld(context)
  const scopeOf = async (form: Record<string, string>) => (await machineToken(world, form)).body.scope
  assert.is(await scopeOf({ resource: `${world.url}/second` }), 'mcp:second')
  assert.is(await scopeOf({ resource: `${world.url}/second/` }), 'mcp:second', 'a trailing slash')
  assert.is(await scopeOf({ scope: 'mcp:second' }), 'mcp:second')
  assert.is(await scopeOf({ resource: world.url, scope: 'mcp:second' }), 'mcp:second', 'the bare issuer')
  assert.is(await scopeOf({ resource: `${world.url}/open`, scope: 'mcp:second admin' }), 'mcp:open')
  assertRefused(await machineToken(world, {}), 'invalid_target', 'several routes, and none is named')
  assertRefused(await machineToken(world, { scope: 'mcp:nowhere' }), 'invalid_target', 'an unknown scope')

  const lonely = await startMachineWorld(context, { routes: [] })
  assert.is((await machineToken(lonely, {})).body.scope, 'mcp:open')
})

test('spec-X1: every request that must not give a token gives none, and the upstreams hear nothing', async (context) => {
  const world = await startMachineWorld(context)
  const { url } = world
  const grant_type = 'client_credentials'
  const resource = `${url}/open`
  const dynamic = await Client.register(url, {
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'client_credentials'],
  })
  const cases: [string, string, Promise<Awaited<ReturnType<typeof machineToken>>>][] = [
    ['a wrong secret', 'invalid_client', machineToken(world, { resource }, 'batch', 'wrong')],
    ["another client's secret", 'invalid_client', machineToken(world, { resource }, 'batch', OTHER_SECRET)],
    ['no secret', 'invalid_client', postForm(`${url}/token`, { grant_type, resource, client_id: 'batch' })],
    ['no client', 'invalid_client', postForm(`${url}/token`, { grant_type, resource })],
    ['an unknown client', 'invalid_client', machineToken(world, { resource }, 'nobody')],
    [
      'a public client',
      'unauthorized_client',
      postForm(`${url}/token`, { grant_type, resource, client_id: 'public' }),
    ],
    ['a client for people', 'unauthorized_client', machineToken(world, { resource }, 'person')],
    ['sec-R9: who registered itself', 'unauthorized_client', dynamic.token({ grant_type, resource })],
    ['an unknown resource', 'invalid_target', machineToken(world, { resource: `${url}/nowhere` })],
    ['a resource elsewhere', 'invalid_target', machineToken(world, { resource: 'https://evil.test/open' })],
    ['a fragment', 'invalid_target', machineToken(world, { resource: `${resource}#x` })],
    ["a route with people's accounts", 'invalid_target', machineToken(world, { resource: `${url}/github` })],
    [
      'the grant type in capitals',
      'unsupported_grant_type',
      machineToken(world, { grant_type: 'CLIENT_CREDENTIALS' }),
    ],
    [
      'two resources',
      'invalid_target',
      send(`${url}/token`, {
        method: 'POST',
        body: new URLSearchParams([
          ['grant_type', grant_type],
          ['resource', resource],
          ['resource', `${url}/second`],
        ]),
        headers: { authorization: basic('batch', SECRET) },
      }),
    ],
    [
      'a refresh token of its own making',
      'unauthorized_client',
      machineToken(world, { grant_type: 'refresh_token', refresh_token: 'mgr_x' }),
    ],
    [
      'a code',
      'unauthorized_client',
      machineToken(world, { grant_type: 'authorization_code', code: 'mgc_x' }),
    ],
    [
      'no one offers jwt-bearer',
      'unsupported_grant_type',
      machineToken(world, { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'x' }),
    ],
    ['a password', 'unsupported_grant_type', machineToken(world, { grant_type: 'password' })],
  ]
  for (const [name, error, answer] of cases) assertRefused(await answer, error, name)
  assert.match((await machineToken(world, { resource: `${url}/github` })).text, 'account of a person')
  assert.is(upstreamRequests(world), 0)
  assert.match(await sumOnRoute(world, 'open', await tokenFor(world, 'open')), '5')
})

test("sec-T9: a machine's token is worth nothing on another route, and nobody else's subject is its own", async (context) => {
  const world = await startMachineWorld(context)
  const token = await tokenFor(world, 'open')
  for (const route of ['second', 'keyed', 'github'])
    assert.is(await statusOnRoute(world, route, token), 401, route)
  const answer = await callMcp(`${world.url}/second`, token)
  assert.match(
    answer.headers.get('www-authenticate') ?? '',
    `${world.url}/.well-known/oauth-protected-resource/second`,
  )
  assert.is(upstreamRequests(world), 0)
  assert.match(await sumOnRoute(world, 'open', token), '5')
})

test('sec-R9: a registration that asks for client_credentials is told that it did not get it', async (context) => {
  const world = await startMachineWorld(context)
  const registered = await send(`${world.url}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: ['https://dynamic.test/cb'],
      grant_types: ['authorization_code', 'client_credentials', 'refresh_token'],
    }),
  })
  assert.is(registered.status, 201)
  assert.equal(registered.body.grant_types, ['authorization_code', 'refresh_token'])
})

test('a client for machines alone can send nobody to /authorize', async (context) => {
  const world = await startMachineWorld(context)
  const query = (id: string) =>
    new URLSearchParams({
      client_id: id,
      response_type: 'code',
      redirect_uri: `https://${id}.test/cb`,
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      resource: `${world.url}/open`,
    })
  const page = await send(`${world.url}/authorize?${query('batch')}`)
  assert.is(page.status, 400)
  assert.is(page.headers.get('location'), null)
  assert.match(page.headers.get('content-type') ?? '', 'text/html')
  assert.is((await send(`${world.url}/authorize?${query('both')}`)).status, 200, 'one that does both can')
  assert.match(await sumOnRoute(world, 'open', await tokenFor(world, 'open', 'both')), '5')
})

test('spec-X1: the metadata promises the grant while some client may use it, with the methods and algorithms (SEP-1046)', async (context) => {
  const world = await startMachineWorld(context)
  const metadata = async () => (await send(`${world.url}/.well-known/oauth-authorization-server`)).body
  const before = await metadata()
  assert.equal(before.grant_types_supported, ['authorization_code', 'refresh_token', 'client_credentials'])
  const methods = before.token_endpoint_auth_methods_supported as string[]
  assert.ok(methods.includes('private_key_jwt') && methods.includes('client_secret_basic'))
  assert.ok((before.token_endpoint_auth_signing_alg_values_supported as string[]).includes('ES256'))
  assert.not.ok('authorization_grant_profiles_supported' in before)
  await world.edit({ clients: `\n    person: { client_secret: "\${BATCH_SECRET}" }\n` })
  assert.equal((await metadata()).grant_types_supported, ['authorization_code', 'refresh_token'])
  assertRefused(await machineToken(world, {}, 'person'), 'unsupported_grant_type')
})

test('who is edited out is shut out at the next request, and coming back inherits no token', async (context) => {
  const world = await startMachineWorld(context)
  const tokens = [await tokenFor(world, 'open'), await tokenFor(world, 'open', 'both')] as const
  const other = await tokenFor(world, 'open', 'other', OTHER_SECRET)
  assert.is(await statusOnRoute(world, 'open', tokens[0]), 200)
  await world.edit({
    clients: `
    other: { client_secret: "\${OTHER_SECRET}", grant_types: [client_credentials] }
    both: { client_secret: "\${BATCH_SECRET}", redirect_uris: ["https://both.test/cb"] }
`,
  })
  const before = world.open.recorder.count()
  assert.is(await statusOnRoute(world, 'open', tokens[0]), 401, 'removed')
  assert.is(await statusOnRoute(world, 'open', tokens[1]), 401, 'without client_credentials now')
  assert.is(world.open.recorder.count(), before)
  assertRefused(await machineToken(world, { resource: `${world.url}/open` }), 'invalid_client')
  assert.is(await statusOnRoute(world, 'open', other), 200, 'others go on')

  await world.edit({})
  for (const token of tokens) assert.is(await statusOnRoute(world, 'open', token), 401)
  assert.match(await sumOnRoute(world, 'open', await tokenFor(world, 'open')), '5')
})

test('spec-X1, sec-T10: a machine that loses access is refused at issuance and on every request', async (context) => {
  const world = await startMachineWorld(context)
  const resource = `${world.url}/open`
  const batch = await tokenFor(world, 'open')
  await world.edit({ open: '    access: { clients: [other] }' })
  assert.is(await statusOnRoute(world, 'open', batch), 403)
  assertRefused(await machineToken(world, { resource }), 'unauthorized_client')
  const other = await tokenFor(world, 'open', 'other', OTHER_SECRET)
  assert.is(await statusOnRoute(world, 'open', other), 200)
  await world.edit({ open: '    access: { deny: { clients: [other] } }' })
  assert.is(await statusOnRoute(world, 'open', other), 403)
  assert.is(await statusOnRoute(world, 'open', batch), 200)
  await world.edit({ open: '    access: { users: [victim] }' })
  assert.is(await statusOnRoute(world, 'open', batch), 403, 'people only')
  await world.edit({ open: '    access: anyone' })
  assert.is(await statusOnRoute(world, 'open', batch), 200)
})

test('introspection tells of a token without a person, revocation ends it', async (context) => {
  const world = await startMachineWorld(context)
  const token = await tokenFor(world, 'open')
  const ask = async (path: string, id: string, secret = SECRET) =>
    (await postForm(`${world.url}/${path}`, { token }, { authorization: basic(id, secret) })).body
  const told = await ask('introspect', 'batch')
  assert.equal(
    { ...told, exp: 0, iat: 0 },
    {
      active: true,
      scope: 'mcp:open',
      client_id: 'batch',
      sub: 'clients/batch',
      aud: `${world.url}/open`,
      iss: world.url,
      exp: 0,
      iat: 0,
      token_type: 'Bearer',
    },
  )
  assert.is((await ask('introspect', 'auditor')).active, true)
  assert.equal(await ask('introspect', 'other', OTHER_SECRET), { active: false })
  await ask('revoke', 'other', OTHER_SECRET)
  assert.is(await statusOnRoute(world, 'open', token), 200, "another client's revocation has no effect")
  await ask('revoke', 'batch')
  assert.is(await statusOnRoute(world, 'open', token), 401)
  assert.equal(await ask('introspect', 'batch'), { active: false })
})

test('a stream of a machine ends when the machine leaves the configuration', async (context) => {
  const held = await startHeldUpstream()
  context.after(() => held.close())
  const routes = [openRoute('held', held)]
  const world = await startMachineWorld(context, { routes })
  const [leaving, staying] = await Promise.all([
    openStream(`${world.url}/held`, await tokenFor(world, 'held')),
    openStream(`${world.url}/held`, await tokenFor(world, 'held', 'other', OTHER_SECRET)),
  ])
  await world.edit({
    routes,
    clients: `\n    other: { client_secret: "\${OTHER_SECRET}", grant_types: [client_credentials] }\n`,
  })
  await leaving.ended
  assert.ok(staying.isOpen())
  staying.close()
})

test('expires_in is honest, and the token ends with it', async (context) => {
  let passed = 0
  const world = await startMachineWorld(context, {}, () => Date.now() + passed)
  const token = await tokenFor(world, 'open')
  passed = 3_590_000
  assert.is(await statusOnRoute(world, 'open', token), 200)
  passed = 3_601_000
  assert.is(await statusOnRoute(world, 'open', token), 401)
  assert.is(await statusOnRoute(world, 'open', await tokenFor(world, 'open')), 200)
})

test.run()
