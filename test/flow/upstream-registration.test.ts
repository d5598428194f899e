// As whom the gateway appears at an upstream authorization server: a configured client, its own metadata document, or a
// registration, which it renews when the server has forgotten it.
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import * as assert from 'uvu/assert'
import { parseClientDocument } from '../../src/oauth/client-document.ts'
import type { Subject } from '../../src/slots.ts'
import { Client, callTool } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import { type DiscoveryUpstream, RESOURCE } from '../support/discovery-upstream.ts'
import { USER } from '../support/gateway.ts'
import { signIn } from '../support/person.ts'
import { suite } from '../support/suite.ts'
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

const test = suite('flow/upstream-registration')

const OWN_DOCUMENT = 'https://gw.test/.well-known/oauth-client/demo'
const DOCUMENTS = { client_id_metadata_document_supported: true }

const serverRoute = (upstream: DiscoveryUpstream, server: string) =>
  route(upstream, `{ type: authorization_code, authorization_server: { ${server} } }`)

test('spec-U5: a server that takes metadata documents gets the gateway’s own, and assertions signed with its key', async (context) => {
  const upstream = await discoverable(context)
  publish(upstream, {
    ...DOCUMENTS,
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['RS256', 'ES256'],
  })
  const gateway = await gatewayFor(context, publicly(route(upstream)))
  const query = await connect(gateway)
  assert.is(query.get('client_id'), OWN_DOCUMENT)
  assert.is(query.get('redirect_uri'), 'https://gw.test/upstream/callback/demo')
  assert.equal(registrations(upstream), [], 'it did not register besides')

  // Judged as strictly as the gateway judges its own clients' documents.
  const { status, body } = await published(gateway, '/.well-known/oauth-client/demo')
  assert.is(status, 200)
  const described = parseClientDocument(OWN_DOCUMENT, body, [])
  assert.equal(described.redirectUris, ['https://gw.test/upstream/callback/demo'])
  assert.equal(described.keys, { uri: 'https://gw.test/.well-known/jwks.json' })
  const { grant_types, application_type, client_name } = JSON.parse(body) as Record<string, unknown>
  assert.equal(
    [grant_types, application_type, client_name],
    [['authorization_code', 'refresh_token'], 'web', 'MCP gateway'],
  )

  const form = upstream.recorder.to('POST /token')[0]?.form
  assert.is(form?.get('client_assertion_type'), 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  const keys = JSON.parse((await published(gateway, '/.well-known/jwks.json')).body) as JSONWebKeySet
  const { payload } = await jwtVerify(form?.get('client_assertion') ?? '', createLocalJWKSet(keys), {
    issuer: OWN_DOCUMENT,
    subject: OWN_DOCUMENT,
    audience: upstream.origin,
    requiredClaims: ['jti', 'exp', 'iat'],
  })
  assert.type(payload.aud, 'string', 'for the issuer alone')
  assert.not.match(JSON.stringify(keys), /"d"/, 'no private key is published')
})

test('spec-U5: a server that names no key-based method meets a public client; one that signs with other algorithms too', async (context) => {
  const silent = [undefined, ['none'], ['client_secret_basic', 'none']].map((methods) => ({
    token_endpoint_auth_methods_supported: methods,
  }))
  const other = {
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['RS256'],
  }
  for (const metadata of [...silent, other]) {
    const upstream = await discoverable(context)
    publish(upstream, { ...DOCUMENTS, ...metadata })
    const gateway = await gatewayFor(context, publicly(route(upstream)))
    assert.is((await connect(gateway)).get('client_id'), OWN_DOCUMENT)
    const { body } = await published(gateway, '/.well-known/oauth-client/demo')
    const described = parseClientDocument(OWN_DOCUMENT, body, [])
    assert.equal([described.authMethod, described.keys], ['none', undefined])
    assert.is(upstream.recorder.to('POST /token')[0]?.form.get('client_assertion'), null)
  }
})

test('a document is published only where it is what the gateway is known by', async (context) => {
  const upstream = await discoverable(context)
  const gateway = await gatewayFor(context, publicly(route(upstream)))
  await connect(gateway)
  for (const id of ['demo', 'other', 'constructor']) {
    const { status, body } = await published(gateway, `/.well-known/oauth-client/${id}`)
    assert.is(status, 404)
    assert.is((JSON.parse(body) as { error: string }).error, 'not_found')
  }
})

test('each server reads its own document at its own address, and another address is nobody’s', async (context) => {
  const routes = await Promise.all(
    ['demo', 'other'].map(async (name) => {
      const upstream = await discoverable(context)
      publish(upstream, DOCUMENTS)
      return `\n  ${name}: { upstream: ${upstream.mcpUrl}, auth: { type: authorization_code } }\n`
    }),
  )
  const gateway = await gatewayFor(context, publicly(document(...routes)))
  for (const { auth } of gateway.app.current().routes.values())
    await auth.link?.begin('users/gateway_user' as Subject, 'a-state', { requested: [], relink: false })
  const statusOf = async (id: string) => (await published(gateway, `/.well-known/oauth-client/${id}`)).status
  assert.equal([await statusOf('third'), await statusOf('dem')], [404, 404])
  for (const id of ['demo', 'other']) {
    const { status, body } = await published(gateway, `/.well-known/oauth-client/${id}`)
    const { client_id: clientId } = JSON.parse(body) as { client_id: string }
    assert.equal([status, clientId], [200, `https://gw.test/.well-known/oauth-client/${id}`])
  }
})

test('sec-C10: a server that the upstream names later is told another document, with a callback of its own', async (context) => {
  const [upstream, other] = [await discoverable(context), await discoverable(context)]
  for (const one of [upstream, other]) publish(one, DOCUMENTS)
  const gateway = await gatewayFor(context, publicly(route(upstream)))
  const signInAt = async () => {
    const { link } = gateway.app.current().routes.get('demo')?.auth ?? {}
    const subject = 'users/gateway_user' as Subject
    const begun = await link?.begin(subject, 'a-state', { requested: [], relink: true })
    const asked = new URL(begun?.location ?? '').searchParams
    return { client: new URL(asked.get('client_id') ?? ''), redirectUri: asked.get('redirect_uri') ?? '' }
  }
  const first = await signInAt()
  assert.equal(
    [first.client.href, first.redirectUri],
    [OWN_DOCUMENT, 'https://gw.test/upstream/callback/demo'],
  )

  upstream.knobs.documents[`${RESOURCE}/mcp`] = upstream.resourceDocument({
    authorization_servers: [other.origin],
  })
  const second = await signInAt()
  assert.match(second.client.href, /^https:\/\/gw\.test\/\.well-known\/oauth-client\/demo~[\w-]{22}$/)
  assert.match(second.redirectUri, /^https:\/\/gw\.test\/upstream\/callback\/demo~[\w-]{22}$/)
  const { status, body } = await published(gateway, second.client.pathname)
  const described = JSON.parse(body) as { client_id: string; redirect_uris: string[] }
  assert.is(status, 200)
  assert.equal([described.client_id, described.redirect_uris], [second.client.href, [second.redirectUri]])
  for (const path of [first.client.pathname, `${second.client.pathname}x`, `${first.client.pathname}~`])
    assert.is((await published(gateway, path)).status, 404, path)
  assert.is(gateway.log.filter(({ event }) => event === 'registered at the upstream').length, 0)
})

test('sec-C10: a server that gives the gateway the address of its document at another server as client_id gets no say in what stands there', async (context) => {
  const [honest, evil] = [await discoverable(context), await discoverable(context)]
  publish(honest, DOCUMENTS)
  evil.knobs.documents[`${RESOURCE}/mcp`] = evil.resourceDocument({ authorization_servers: [honest.origin] })
  const gateway = await gatewayFor(context, publicly(route(evil)))
  const { link } = gateway.app.current().routes.get('demo')?.auth ?? {}
  const begin = () => link?.begin('users/gateway_user' as Subject, 's', { requested: [], relink: true })
  const { pathname } = new URL(OWN_DOCUMENT)
  await begin()
  assert.is((await published(gateway, pathname)).status, 200)

  evil.knobs.documents[`${RESOURCE}/mcp`] = evil.resourceDocument()
  evil.knobs.registration = { client_id: OWN_DOCUMENT }
  const begun = await begin()
  assert.is(new URL(begun?.location ?? '').searchParams.get('client_id'), OWN_DOCUMENT)
  assert.is((await published(gateway, pathname)).status, 404)
})

interface Way {
  readonly metadata: Record<string, unknown>
  readonly server?: string
  readonly publicly?: boolean
  readonly answer?: Record<string, unknown>
  readonly clientId: RegExp
}

const HOSTED = 'https://www.example.com/gateway.json'
const WAYS: Record<string, Way> = {
  'a document that is hosted elsewhere is named where the server takes documents': {
    metadata: DOCUMENTS,
    server: `client_id_metadata_url: "${HOSTED}"`,
    clientId: /^https:\/\/www\.example\.com\/gateway\.json$/,
  },
  'and where it does not, the gateway registers': {
    metadata: {},
    server: `client_id_metadata_url: "${HOSTED}"`,
    clientId: /^client-/,
  },
  'a server that cannot fetch from here is registered with': { metadata: DOCUMENTS, clientId: /^client-/ },
  'registration: [dynamic] keeps the document back': {
    metadata: DOCUMENTS,
    server: 'registration: [dynamic]',
    publicly: true,
    clientId: /^client-/,
  },
  'registration: [dynamic, cimd] registers first': {
    metadata: DOCUMENTS,
    server: 'registration: [dynamic, cimd]',
    publicly: true,
    clientId: /^client-/,
  },
  'a method that needs a secret keeps the document back': {
    metadata: DOCUMENTS,
    server: 'token_endpoint_auth_method: client_secret_basic',
    publicly: true,
    answer: { client_secret: 's' },
    clientId: /^client-/,
  },
  'and takes the document where there is nothing to register at': {
    metadata: { ...DOCUMENTS, registration_endpoint: undefined },
    server: 'registration: [dynamic, cimd]',
    publicly: true,
    clientId: /^https:\/\/gw\.test\//,
  },
  'a configured client_id counts before everything': {
    metadata: DOCUMENTS,
    server: 'client_id: ours',
    publicly: true,
    clientId: /^ours$/,
  },
}

for (const [label, way] of Object.entries(WAYS)) {
  const { metadata, server = '', publicly: isPublic = false, answer = {}, clientId } = way
  test(`spec-U5: ${label}`, async (context) => {
    const upstream = await discoverable(context)
    publish(upstream, metadata)
    upstream.knobs.registration = answer
    const yaml = serverRoute(upstream, server)
    const gateway = await gatewayFor(context, isPublic ? publicly(yaml) : yaml)
    assert.match((await connect(gateway)).get('client_id') ?? '', clientId)
    assert.is(registrations(upstream).length, clientId.source.includes('client-') ? 1 : 0)
    assert.match(clientsAt(upstream, 'POST /token')[0] ?? '', clientId)
  })
}

test('a server that takes documents alone, and a gateway that nobody can fetch one from: the operator is told what helps', async (context) => {
  const upstream = await discoverable(context)
  publish(upstream, { ...DOCUMENTS, registration_endpoint: undefined })
  const gateway = await gatewayFor(context, route(upstream))
  const { error, description } = await attempt(gateway.url)
  assert.is(error, 'server_error')
  assert.match(description ?? '', 'give this gateway a public https URL')
  assert.equal(clientsAt(upstream, '/authorize'), [])
})

/** What the server offers, what it answers, and how the gateway then authenticates at its token endpoint. */
const METHODS: [
  offered: string[] | undefined,
  asked: string,
  echoed: Record<string, unknown>,
  used: 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt',
][] = [
  [undefined, 'client_secret_basic', { client_secret: 's' }, 'client_secret_basic'],
  [['client_secret_post', 'none'], 'client_secret_post', { client_secret: 's' }, 'client_secret_post'],
  [['none'], 'none', {}, 'none'],
  [['private_key_jwt', 'none'], 'private_key_jwt', {}, 'private_key_jwt'],
  [
    ['private_key_jwt', 'client_secret_basic'],
    'client_secret_basic',
    { client_secret: 's' },
    'client_secret_basic',
  ],
  [['tls_client_auth'], 'none', {}, 'none'],
  // What was echoed counts, unless nobody can do it.
  [
    ['client_secret_basic'],
    'client_secret_basic',
    { client_secret: 's', token_endpoint_auth_method: 'client_secret_post' },
    'client_secret_post',
  ],
  [
    ['client_secret_basic'],
    'client_secret_basic',
    { client_secret: 's', token_endpoint_auth_method: 'client_secret_jwt' },
    'client_secret_basic',
  ],
  [
    ['client_secret_basic'],
    'client_secret_basic',
    { token_endpoint_auth_method: 'client_secret_basic' },
    'none',
  ],
  [['client_secret_basic'], 'client_secret_basic', { token_endpoint_auth_method: 'private_key_jwt' }, 'none'],
  [['none'], 'none', { client_secret: 's', token_endpoint_auth_method: 'none' }, 'client_secret_basic'],
]

for (const [offered, asked, echoed, used] of METHODS) {
  test(`spec-U5: offered ${offered?.join(', ') ?? 'nothing'}, answered ${JSON.stringify(echoed)}: ${used}`, async (context) => {
    const upstream = await discoverable(context)
    publish(upstream, { token_endpoint_auth_methods_supported: offered })
    upstream.knobs.registration = echoed
    const gateway = await gatewayFor(context, route(upstream))
    await succeeds(gateway.url)
    const [registration] = registrations(upstream)
    assert.is(registration?.token_endpoint_auth_method, asked)
    assert.equal(registration?.grant_types, ['authorization_code', 'refresh_token'])
    assert.is(registration?.application_type, 'web')
    assert.is(methodOf(upstream), used)
    const keys = registration?.jwks as JSONWebKeySet | undefined
    assert.is(keys !== undefined, asked === 'private_key_jwt', 'keys are sent for assertions alone')
    if (keys === undefined) return
    const assertion = upstream.recorder.to('POST /token')[0]?.form.get('client_assertion') ?? ''
    await jwtVerify(assertion, createLocalJWKSet(keys), { audience: upstream.origin })
  })
}

function methodOf({ recorder }: DiscoveryUpstream): string {
  const { headers, form } = recorder.to('POST /token')[0] ?? {}
  if (headers?.authorization?.startsWith('Basic ')) return 'client_secret_basic'
  if (form?.has('client_assertion')) return 'private_key_jwt'
  return form?.has('client_secret') ? 'client_secret_post' : 'none'
}

for (const method of ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const)
  test(`token_endpoint_auth_method: ${method} in the file is registered and used`, async (context) => {
    for (const isSaid of [true, false]) {
      const upstream = await discoverable(context)
      const all = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none']
      publish(upstream, { token_endpoint_auth_methods_supported: isSaid ? all : undefined })
      upstream.knobs.registration = { client_secret: 's' }
      const gateway = await gatewayFor(
        context,
        serverRoute(upstream, `token_endpoint_auth_method: ${method}`),
      )
      await succeeds(gateway.url)
      const [registration] = registrations(upstream)
      assert.equal([registration?.token_endpoint_auth_method, methodOf(upstream)], [method, method])
    }
  })

test('token_endpoint_auth_method in the file, and a server that does not list it: the operator is told, and nothing is registered', async (context) => {
  const upstream = await discoverable(context)
  publish(upstream, { token_endpoint_auth_methods_supported: ['client_secret_basic'] })
  const gateway = await gatewayFor(context, serverRoute(upstream, 'token_endpoint_auth_method: none'))
  const { error, description } = await attempt(gateway.url)
  assert.is(error, 'server_error')
  assert.match(description ?? '', 'token_endpoint_auth_method')
  assert.equal([registrations(upstream), clientsAt(upstream, '/authorize')], [[], []])
  await gateway.app.reload(serverRoute(upstream, 'token_endpoint_auth_method: client_secret_basic'))
  upstream.knobs.registration = { client_secret: 's' }
  await succeeds(gateway.url)
})

test('an edit of token_endpoint_auth_method counts for a registration that nobody is signed in by, and signs nobody out', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.registration = { client_secret: 's' }
  const gateway = await gatewayFor(context, route(upstream))
  await gateway.logged('registered at the upstream')
  await gateway.app.reload(serverRoute(upstream, 'token_endpoint_auth_method: client_secret_post'))
  const { access } = await succeeds(gateway.url)
  const methods = () => registrations(upstream).map(({ token_endpoint_auth_method: method }) => method)
  assert.equal(methods(), ['client_secret_basic', 'client_secret_post'])
  assert.is(methodOf(upstream), 'client_secret_post')

  await gateway.app.reload(serverRoute(upstream, 'token_endpoint_auth_method: none'))
  await connect(gateway)
  assert.is(await callTool(`${gateway.url}/demo`, access, 'whoami'), upstream.origin)
  assert.is(methods().length, 2)
})

/** Answers with status 201 that give the gateway nothing to be known by. */
const UNUSABLE: Record<string, Record<string, unknown>> = {
  'no client_id': { client_id: undefined },
  'an empty client_id': { client_id: '' },
  'a number as client_id': { client_id: 42 },
  'a client_id that no form of RFC 6749 may carry': { client_id: 'client\n1' },
  'a client_id that fits into no address': { client_id: 'c'.repeat(5_000) },
  'a secret that is no text': { client_secret: 42 },
  'a list as secret': { client_secret: ['s'] },
}

test('a registration answered with nothing to be known by is none: it is said, nothing is kept, and a good answer later is taken', async (context) => {
  const upstream = await discoverable(context)
  const gateway = await gatewayFor(context, route(upstream))
  for (const [label, registration] of Object.entries(UNUSABLE)) {
    upstream.knobs.registration = registration
    const { error, description } = await attempt(gateway.url)
    assert.equal(
      [label, error, description],
      [label, 'server_error', 'the upstream did not register this gateway'],
    )
  }
  assert.equal(clientsAt(upstream, '/authorize'), [])
  assert.equal(clientsAt(upstream, 'POST /token'), [])
  upstream.knobs.registration = {}
  await succeeds(gateway.url)
  const made = registrations(upstream).length
  await connect(gateway)
  assert.is(registrations(upstream).length, made)
})

test('an empty secret, or null, is none, and its end is no concern', async (context) => {
  for (const secret of ['', null]) {
    const upstream = await discoverable(context)
    const soon = Math.ceil(Date.now() / 1000) + 600
    upstream.knobs.registration = { client_secret: secret, client_secret_expires_at: soon }
    let nowMs = Date.now()
    const gateway = await gatewayFor(context, route(upstream), {}, () => nowMs)
    await connect(gateway)
    assert.is(methodOf(upstream), 'none')
    nowMs += 60 * 60_000
    await connect(gateway)
    assert.is(registrations(upstream).length, 1)
  }
})

test('a client_id as long as this gateway makes its own, and ends that no clock reaches, are taken', async (context) => {
  const upstream = await discoverable(context)
  const clientId = 'c'.repeat(4_000)
  upstream.knobs.registration = {
    client_id: clientId,
    client_secret: 's',
    client_secret_expires_at: '1e999',
  }
  const gateway = await gatewayFor(context, route(upstream))
  await succeeds(gateway.url)
  assert.equal(clientsAt(upstream, '/authorize'), [clientId])
  await connect(gateway)
  assert.is(registrations(upstream).length, 1)
})

test('RFC 7591 §3.2.1: an end that is no number is none: the secret is used, and nothing is registered again', async (context) => {
  for (const odd of [{ toString: 1, valueOf: 1 }, [1], {}, true]) {
    const upstream = await discoverable(context)
    upstream.knobs.registration = { client_secret: 's', client_secret_expires_at: odd }
    let nowMs = Date.now()
    const gateway = await gatewayFor(context, route(upstream), {}, () => nowMs)
    await succeeds(gateway.url)
    assert.is(methodOf(upstream), 'client_secret_basic')
    nowMs += 24 * 60 * 60_000
    await connect(gateway)
    assert.is(registrations(upstream).length, 1)
  }
})

test('the key in the file signs for the client in the file, for the issuer alone', async (context) => {
  const upstream = await discoverable(context)
  const { generateKeyPair, exportPKCS8, exportJWK } = await import('jose')
  for (const algorithm of ['ES256', 'ES384', 'RS256', 'EdDSA']) {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
    const server = 'client_id: ours, private_key: "${KEY}", private_key_id: k1'
    const gateway = await gatewayFor(context, serverRoute(upstream, server), {
      KEY: await exportPKCS8(privateKey),
    })
    await succeeds(gateway.url)
    const assertion = upstream.recorder.to('POST /token').at(-1)?.form.get('client_assertion') ?? ''
    const { alg, kid } = decodeProtectedHeader(assertion)
    assert.equal([alg, kid], [algorithm, 'k1'])
    const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1' }] }
    await jwtVerify(assertion, createLocalJWKSet(keys), {
      issuer: 'ours',
      subject: 'ours',
      audience: upstream.origin,
    })
  }
  assert.equal(registrations(upstream), [])
})

for (const [listed, expected] of [
  [['EdDSA'], 'EdDSA'],
  [['ES256', 'Ed25519'], 'Ed25519'],
  [['Ed25519', 'EdDSA'], 'EdDSA'],
  [['ES256'], 'EdDSA'],
] as const)
  test(`a server that lists ${listed.join(' and ')} gets an Ed25519 signature named ${expected}`, async (context) => {
    const upstream = await discoverable(context)
    publish(upstream, { token_endpoint_auth_signing_alg_values_supported: listed })
    const { generateKeyPair, exportPKCS8 } = await import('jose')
    const { privateKey, publicKey } = await generateKeyPair('Ed25519', { extractable: true })
    const server = 'client_id: ours, private_key: "${KEY}"'
    const KEY = await exportPKCS8(privateKey)
    await succeeds((await gatewayFor(context, serverRoute(upstream, server), { KEY })).url)
    const assertion = upstream.recorder.to('POST /token').at(-1)?.form.get('client_assertion') ?? ''
    assert.is(decodeProtectedHeader(assertion).alg, expected)
    await jwtVerify(assertion, publicKey, { issuer: 'ours', audience: upstream.origin })
  })

test('a gateway behind a gateway: the inner one is an authorization server like any other', async (context) => {
  const upstream = await discoverable(context)
  const inner = await gatewayFor(context, route(upstream))
  const outer = await gatewayFor(
    context,
    document(`\n  demo: { upstream: ${inner.url}/demo, auth: { type: authorization_code } }\n`),
  )
  const client = await Client.register(outer.url)
  const trip = client.trip()
  const { callback } = await signIn(newBrowser(), trip.url, USER)
  const answer = await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier)
  assert.is(await callTool(`${outer.url}/demo`, String(answer.body.access_token), 'whoami'), upstream.origin)
  const sent = upstream.recorder.to('/mcp').map(({ headers }) => headers.authorization)
  assert.not.ok(sent.includes(`Bearer ${answer.body.access_token}`))
})

test('what a client_id may hold is sent as every server can read it', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.registration = { client_id: 'my-client_1.x', client_secret: 'a-b_c.d~e f:g/h+é' }
  const gateway = await gatewayFor(context, route(upstream))
  await succeeds(gateway.url)
  const { authorization = '' } = upstream.recorder.to('POST /token')[0]?.headers ?? {}
  const basic = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()
  // RFC 6749 Appendix B: as in a form, and nothing more than a form demands.
  assert.is(basic, 'my-client_1.x:a-b_c.d%7Ee+f%3Ag%2Fh%2B%C3%A9')
})

test.run()
