// Auth types without a browser at an authorization server that is discovered: what they need of it, as whom the gateway
// appears there, and what happens when the server has forgotten it.
import * as assert from 'uvu/assert'
import type { Caller, Subject } from '../../src/slots.ts'
import { callMcp } from '../security/client.ts'
import { type DiscoveryUpstream, RESOURCE } from '../support/discovery-upstream.ts'
import type { TestGateway } from '../support/gateway.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import {
  attempt,
  clientsAt,
  connect,
  discoverable,
  gatewayFor,
  publicly,
  publish,
  published,
  registrations,
  route,
  succeeds,
} from './discovering.ts'

const test = suite('flow/service-registration')

const GRANT = 'urn:ietf:params:oauth:grant-type:'
const HOUR_MS = 60 * 60_000
const SERVICE = '{ type: client_credentials }'
/** The operator says where: what is sent there names people. */
const exchangeAt = ({ origin }: DiscoveryUpstream) =>
  `{ type: token_exchange, authorization_server: { issuer: "${origin}" } }`
const AUTHS = [
  { type: 'client_credentials', auth: () => SERVICE, grant: 'client_credentials' },
  { type: 'token_exchange', auth: exchangeAt, grant: `${GRANT}token-exchange` },
]
/** Of a server that programs alone use. */
const FOR_PROGRAMS = { authorization_endpoint: undefined, code_challenge_methods_supported: undefined }

/** Registers confidential clients, and gives them tokens. */
async function serviceUpstream(context: TestContext, metadata: Record<string, unknown> = FOR_PROGRAMS) {
  const upstream = await discoverable(context)
  publish(upstream, metadata)
  upstream.knobs.registration = { client_secret: 's' }
  return upstream
}

const grants = ({ recorder }: DiscoveryUpstream) =>
  recorder.to('POST /token').map(({ form }) => form.get('grant_type'))
const registeredGrants = (upstream: DiscoveryUpstream) =>
  registrations(upstream).map(({ grant_types }) => grant_types)

/** Forgets every client that it registered so far. */
function forget(upstream: DiscoveryUpstream): void {
  const gone = new Set(clientsAt(upstream, 'POST /token'))
  upstream.knobs.forgets = (clientId) => gone.has(clientId)
}

function clock() {
  let passedMs = 0
  return {
    now: () => Date.now() + passedMs,
    forward: (ms: number) => {
      passedMs += ms
    },
  }
}

/** What a call would carry, where the gateway is known by an address that this machine has not. */
async function attach(gateway: TestGateway, name = 'demo') {
  const caller: Caller = {
    subject: 'users/ann' as Subject,
    profile: { kind: 'person', name: 'ann', groups: [], claims: {} },
    clientId: 'c',
    grantId: 'g',
    tokenHash: 'h',
    route: name,
    scopes: [],
  }
  return gateway.app.current().routes.get(name)?.auth.attach(caller)
}

for (const { type, auth, grant } of AUTHS)
  test(`${type}: neither an authorization endpoint nor PKCE is needed, and the gateway registers for that grant alone`, async (context) => {
    const upstream = await serviceUpstream(context, { ...FOR_PROGRAMS, scopes_supported: ['offline_access'] })
    upstream.knobs.challenge = { ...upstream.knobs.challenge, scope: 'stock:read offline_access' }
    const gateway = await gatewayFor(context, route(upstream, auth(upstream)))
    assert.is((await succeeds(gateway.url)).issuer, upstream.origin)
    const [registered, ...others] = registrations(upstream)
    assert.equal(others, [])
    assert.equal(
      [registered?.grant_types, registered?.response_types, registered?.redirect_uris, registered?.scope],
      [[grant], [], [], 'stock:read'],
    )
    assert.equal(grants(upstream), [grant])
    assert.is(upstream.recorder.to('POST /token')[0]?.form.get('scope'), 'stock:read')
    assert.is(upstream.recorder.count('/authorize'), 0)
  })

test('nobody is sent to sign in at such a server', async (context) => {
  const upstream = await serviceUpstream(context)
  const gateway = await gatewayFor(context, route(upstream))
  assert.is((await attempt(gateway.url)).error, 'server_error')
  assert.equal([registrations(upstream), grants(upstream)], [[], []])
  publish(upstream, {})
  await succeeds(gateway.url)
})

for (const [what, spoil] of Object.entries<(upstream: DiscoveryUpstream) => void>({
  'metadata of another issuer': (upstream) =>
    publish(upstream, { ...FOR_PROGRAMS, issuer: 'https://as.test' }),
  'a document about another resource': ({ knobs, resourceDocument }) => {
    knobs.documents[`${RESOURCE}/mcp`] = resourceDocument({ resource: 'https://mcp.test/mcp' })
  },
  'a token endpoint that is no https address': (upstream) =>
    publish(upstream, { ...FOR_PROGRAMS, token_endpoint: 'javascript:alert(1)' }),
}))
  test(`sec-C12: ${what} is refused for services too`, async (context) => {
    const upstream = await serviceUpstream(context)
    const good = { ...upstream.knobs.documents }
    spoil(upstream)
    const time = clock()
    const gateway = await gatewayFor(context, route(upstream, SERVICE), {}, time.now)
    assert.is(await succeeds(gateway.url).catch(() => 'no call'), 'no call')
    assert.equal([registrations(upstream), grants(upstream)], [[], []])
    upstream.knobs.documents = good
    time.forward(2_000)
    await succeeds(gateway.url)
  })

test('a service that was there first does not make the authorization endpoint one that moved', async (context) => {
  const upstream = await serviceUpstream(context, { authorization_endpoint: 'https://login.test/authorize' })
  const gateway = await gatewayFor(
    context,
    document(
      `\n  demo: { upstream: ${upstream.mcpUrl}, auth: ${SERVICE} }`,
      `\n  people: { upstream: ${upstream.mcpUrl} }\n`,
    ),
  )
  await attach(gateway)
  const link = gateway.app.current().routes.get('people')?.auth.link
  const begun = await link?.begin('users/ann' as Subject, 's', { requested: [], relink: false })
  assert.is(new URL(begun?.location ?? '').origin, 'https://login.test')
})

test('people and services at one server are two clients there, and the one is not registered for the other’s grants', async (context) => {
  const upstream = await serviceUpstream(context, {})
  const named = (auth: string) =>
    `{ upstream: "${upstream.mcpUrl}", auth: { type: ${auth}, authorization_server: it } }`
  const gateway = await gatewayFor(
    context,
    `${document(`\n  demo: ${named('authorization_code')}`, `\n  nightly: ${named('client_credentials')}\n`)}authorization_servers: { it: { issuer: "${upstream.origin}" } }\n`,
  )
  await connect(gateway)
  await attach(gateway, 'nightly')
  assert.equal(registeredGrants(upstream).sort(), [
    ['authorization_code', 'refresh_token'],
    ['client_credentials'],
  ])
  assert.is(new Set(clientsAt(upstream, 'POST /token')).size, 2)
})

const DOCUMENTS = {
  ...FOR_PROGRAMS,
  client_id_metadata_document_supported: true,
  token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
}

test('spec-U5: a metadata document of a service says its grant, and nothing of codes', async (context) => {
  const upstream = await serviceUpstream(context, DOCUMENTS)
  const gateway = await gatewayFor(context, publicly(route(upstream, SERVICE)))
  await attach(gateway)
  assert.equal(registrations(upstream), [])
  const { form } = upstream.recorder.to('POST /token')[0] ?? {}
  assert.ok(form?.has('client_assertion'))
  const { status, body } = await published(gateway, '/.well-known/oauth-client/demo')
  assert.is(status, 200)
  const { client_id, grant_types, response_types, token_endpoint_auth_method } = JSON.parse(body)
  assert.equal(
    [client_id, grant_types, response_types, token_endpoint_auth_method],
    ['https://gw.test/.well-known/oauth-client/demo', ['client_credentials'], [], 'private_key_jwt'],
  )
})

test('routes that share a server share its document, with the grants of all of them from the start', async (context) => {
  const upstream = await serviceUpstream(context, { ...DOCUMENTS, ...upstreamForPeople })
  const named = (auth: string) =>
    `{ upstream: "${upstream.mcpUrl}", auth: { type: ${auth}, authorization_server: it } }`
  const yaml = `${document(
    `\n  people: ${named('authorization_code')}`,
    `\n  demo: ${named('client_credentials')}`,
    `\n  each: ${named('token_exchange')}\n`,
  )}authorization_servers: { it: { issuer: "${upstream.origin}" } }\n`
  const gateway = await gatewayFor(context, publicly(yaml))
  await attach(gateway)
  const { grant_types, response_types } = JSON.parse(
    (await published(gateway, '/.well-known/oauth-client/it')).body,
  )
  assert.equal(grant_types, [
    'authorization_code',
    'refresh_token',
    'client_credentials',
    `${GRANT}token-exchange`,
  ])
  assert.equal(response_types, ['code'])
})

const upstreamForPeople = {
  authorization_endpoint: 'https://login.test/authorize',
  code_challenge_methods_supported: ['S256'],
}

test('a server that takes documents but no signatures gets no public client for client_credentials: the gateway registers', async (context) => {
  const upstream = await serviceUpstream(context, {
    ...DOCUMENTS,
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic'],
  })
  const gateway = await gatewayFor(context, publicly(route(upstream, SERVICE)))
  await attach(gateway)
  assert.equal(registeredGrants(upstream), [['client_credentials']])
  assert.is((await published(gateway, '/.well-known/oauth-client/demo')).status, 404)
})

for (const { type, auth } of AUTHS)
  test(`${type}: a server that forgot the gateway is registered with anew, and the call goes through`, async (context) => {
    const upstream = await serviceUpstream(context)
    upstream.knobs.lifetimeSeconds = 600
    const time = clock()
    const yaml = `tokens: { access_ttl: 12h }\n${route(upstream, auth(upstream))}`
    const gateway = await gatewayFor(context, yaml, {}, time.now)
    const { access } = await succeeds(gateway.url)
    forget(upstream)
    time.forward(HOUR_MS / 2)
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => callMcp(`${gateway.url}/demo`, access)),
    )
    assert.equal([...new Set(answers.map(({ status }) => status))], [200])
    assert.is(registrations(upstream).length, 2)
    await gateway.logged('the upstream forgot this gateway: it registers anew')
    assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 200)
    assert.is(registrations(upstream).length, 2)
  })

/** A client with tokens, at a server whose own ones last ten minutes. */
async function connected(context: TestContext) {
  const upstream = await serviceUpstream(context)
  upstream.knobs.lifetimeSeconds = 600
  const time = clock()
  const yaml = `tokens: { access_ttl: 12h }\n${route(upstream, SERVICE)}`
  const gateway = await gatewayFor(context, yaml, {}, time.now)
  const { access } = await succeeds(gateway.url)
  return { upstream, time, gateway, access }
}

test('a server that refuses every client it registers is not registered with over and over', async (context) => {
  const { upstream, time, gateway, access } = await connected(context)
  upstream.knobs.forgets = () => true
  time.forward(HOUR_MS / 2)
  for (let tries = 0; tries < 4; tries += 1) {
    const { status, text } = await callMcp(`${gateway.url}/demo`, access)
    assert.is(status, 502)
    assert.match(text, 'its operator has to act')
    // Longer than a failure is remembered.
    time.forward(20_000)
  }
  assert.is(registrations(upstream).length, 2, 'the one that it knew, and one more')
  upstream.knobs.forgets = () => false
  assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 200)
  assert.is(registrations(upstream).length, 2)
})

test('a client that may not use the grant is known: it is not registered anew', async (context) => {
  const { upstream, time, gateway, access } = await connected(context)
  upstream.knobs.refuses = true
  time.forward(HOUR_MS / 2)
  assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 502)
  assert.is(registrations(upstream).length, 1)
})

test('with an identity provider each server has a client of its own, and only the one that forgot it gets another', async (context) => {
  const [upstream, provider] = await Promise.all([serviceUpstream(context), serviceUpstream(context)])
  upstream.knobs.lifetimeSeconds = 600
  const time = clock()
  const auth = `{ type: token_exchange, identity_provider: idp, authorization_server: { issuer: "${upstream.origin}" } }`
  const yaml = `tokens: { access_ttl: 12h }\n${route(upstream, auth)}authorization_servers: { idp: { issuer: "${provider.origin}" } }\n`
  const gateway = await gatewayFor(context, yaml, {}, time.now)
  const { access } = await succeeds(gateway.url)
  assert.equal(registeredGrants(upstream), [[`${GRANT}jwt-bearer`]])
  assert.equal(registeredGrants(provider), [[`${GRANT}token-exchange`]])
  forget(provider)
  time.forward(HOUR_MS / 2)
  assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 200)
  assert.equal([registrations(provider).length, registrations(upstream).length], [2, 1])
  forget(upstream)
  time.forward(HOUR_MS / 2)
  assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 200)
  assert.equal([registrations(provider).length, registrations(upstream).length], [2, 2])
})

test('sec-C10: an identity provider and a server of one route read a document each, and are told nothing of each other', async (context) => {
  const [upstream, provider] = await Promise.all([
    serviceUpstream(context, { ...DOCUMENTS, token_endpoint_auth_methods_supported: ['none'] }),
    serviceUpstream(context, { ...DOCUMENTS, token_endpoint_auth_methods_supported: ['private_key_jwt'] }),
  ])
  const auth = `{ type: token_exchange, identity_provider: { issuer: "${provider.origin}" }, authorization_server: { issuer: "${upstream.origin}" } }`
  const gateway = await gatewayFor(context, publicly(route(upstream, auth)))
  await attach(gateway)
  const paths = {
    provider: '/.well-known/oauth-client/demo.identity_provider',
    upstream: '/.well-known/oauth-client/demo',
  }
  const sentTo = ({ recorder }: DiscoveryUpstream) => {
    const [{ form } = { form: new URLSearchParams() }] = recorder.to('POST /token')
    return [form.get('client_id'), form.get('grant_type'), form.has('client_assertion')]
  }
  assert.equal(sentTo(provider), [`https://gw.test${paths.provider}`, `${GRANT}token-exchange`, true])
  assert.equal(sentTo(upstream), [`https://gw.test${paths.upstream}`, `${GRANT}jwt-bearer`, false])
  const readAt = async (path: string) => {
    const { client_id, grant_types, token_endpoint_auth_method } = JSON.parse(
      (await published(gateway, path)).body,
    )
    return [client_id, grant_types, token_endpoint_auth_method]
  }
  assert.equal(await readAt(paths.provider), [
    `https://gw.test${paths.provider}`,
    [`${GRANT}token-exchange`],
    'private_key_jwt',
  ])
  assert.equal(await readAt(paths.upstream), [
    `https://gw.test${paths.upstream}`,
    [`${GRANT}jwt-bearer`],
    'none',
  ])
})

test('sec-C10: a route is not called like a server that it does not use, or the two would read one document', async (context) => {
  const [upstream, other] = await Promise.all([serviceUpstream(context), serviceUpstream(context)])
  const yaml = `${document(
    `\n  corp: { upstream: "${upstream.mcpUrl}", auth: ${exchangeAt(upstream)} }`,
    `\n  demo: { upstream: "${upstream.mcpUrl}", auth: { type: client_credentials, authorization_server: corp } }\n`,
  )}authorization_servers: { corp: { issuer: "${other.origin}" } }\n`
  const outcome = await gatewayFor(context, yaml).then(() => 'started', String)
  assert.match(outcome, 'the client ID metadata document /.well-known/oauth-client/corp is already taken')
  assert.equal([upstream.recorder.requests, other.recorder.requests], [[], []])
})

for (const [what, auth] of Object.entries({
  'left out': '{ type: token_exchange }',
  'without an address': '{ type: token_exchange, authorization_server: { registration: [dynamic] } }',
  'left out behind an identity provider':
    '{ type: token_exchange, identity_provider: { issuer: "https://idp.example" } }',
}))
  test(`token_exchange: an authorization server ${what} is refused, so what names a caller never goes where an upstream points`, async (context) => {
    const upstream = await serviceUpstream(context)
    const outcome = await gatewayFor(context, route(upstream, auth)).then(() => 'started', String)
    assert.match(outcome, 'the upstream would say who gets what names the caller')
    assert.is(upstream.recorder.requests.length, 0)
  })

test('token_exchange: a server that the upstream names in place of the configured one gets nothing', async (context) => {
  const tokens = new Map<string, string>()
  const [upstream, named] = [await discoverable(context, tokens), await discoverable(context, tokens)]
  for (const server of [upstream, named]) {
    publish(server, FOR_PROGRAMS)
    server.knobs.registration = { client_secret: 's' }
  }
  upstream.knobs.documents[`${RESOURCE}/mcp`] = upstream.resourceDocument({
    authorization_servers: [named.origin],
  })
  const gateway = await gatewayFor(context, route(upstream, exchangeAt(upstream)))
  assert.is((await succeeds(gateway.url)).issuer, upstream.origin)
  assert.equal([grants(upstream), named.recorder.requests.length], [[`${GRANT}token-exchange`], 0])
})

test.run()
