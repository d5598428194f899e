// The gateway as a client that was told a URL and nothing else: where it looks for who signs people in there, what it
// believes, what it refuses, and what it sends to whom.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { startApp } from '../../src/app.ts'
import { silentLog } from '../../src/ops/log.ts'
import { callMcp, callTool } from '../security/client.ts'
import { temporaryFolder } from '../store/temporary.ts'
import { connectV1, connectV2 } from '../support/clients.ts'
import { type DiscoveryUpstream, OPENID, RESOURCE, SERVER } from '../support/discovery-upstream.ts'
import { USER } from '../support/gateway.ts'
import { startOidc } from '../support/oidc.ts'
import { freePort, onPort } from '../support/ports.ts'
import { startSink } from '../support/sink.ts'
import { suite } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import { attempt, connect, discoverable, gatewayFor, route, succeeds } from './discovering.ts'

const test = suite('flow/upstream-discovery')

/** The paths that were asked for, each once and in order. */
const asked = ({ recorder }: DiscoveryUpstream, pattern = /^\/.*well-known/) =>
  [...new Set(recorder.requests.map(({ path }) => path))].filter((path) => pattern.test(path))

const exchanges = ({ recorder }: DiscoveryUpstream) => recorder.count('POST /token')

test('spec-U5, spec-U3: upstream URL alone: challenge, metadata, registration as a web client, PKCE, resource, both screens, tools', async (context) => {
  const oidc = await startOidc()
  context.after(() => oidc.close())
  const gateway = await gatewayFor(context, document(`\n  demo: { upstream: ${oidc.mcpUrl} }\n`))
  const person = { ...USER, upstreamName: 'ann' }
  const session = await connectV1(`${gateway.url}/demo`, { person })
  context.after(() => session.close())
  assert.match(await session.call('whoami'), 'ann')

  const [registration] = oidc.recorder.to('POST /register')
  const registered = JSON.parse(registration?.body ?? '{}') as Record<string, unknown>
  assert.is(registered.application_type, 'web')
  assert.equal(registered.redirect_uris, [`${gateway.url}/upstream/callback/demo`])
  const query = oidc.recorder.to('/authorize')[0]?.query
  assert.is(query?.get('code_challenge_method'), 'S256')
  assert.is(query?.get('resource'), oidc.mcpUrl)
  assert.is(oidc.recorder.to('POST /token')[0]?.form.get('resource'), oidc.mcpUrl)

  const second = await connectV2(`${gateway.url}/demo`, { person, mode: 'auto' })
  context.after(() => second.close())
  assert.match(await second.call('whoami'), 'ann')
  assert.is(oidc.recorder.count('POST /register'), 1, 'registered once')
  assert.is(oidc.recorder.to('POST /token').length, 1, 'one link for both clients')
})

type Arrange = (upstream: DiscoveryUpstream) => void

const RESOURCE_PLACES: Record<string, [arrange: Arrange, looked: string[]]> = {
  'where the challenge says': [
    ({ knobs, origin, resourceDocument, serverDocument }) => {
      knobs.challenge = { resource_metadata: `${origin}/somewhere/else.json` }
      knobs.documents = { '/somewhere/else.json': resourceDocument(), [SERVER]: serverDocument() }
    },
    ['/somewhere/else.json', SERVER],
  ],
  'under the path of the resource': [
    ({ knobs }) => {
      knobs.challenge = { error: 'invalid_token' }
    },
    [`${RESOURCE}/mcp`, SERVER],
  ],
  'at the root': [
    ({ knobs, resourceDocument, serverDocument }) => {
      knobs.challenge = {}
      knobs.documents = { [RESOURCE]: resourceDocument(), [SERVER]: serverDocument() }
    },
    [`${RESOURCE}/mcp`, RESOURCE, SERVER],
  ],
  'nowhere, as before 2025-06-18': [
    ({ knobs, serverDocument }) => {
      knobs.challenge = {}
      knobs.documents = { [SERVER]: serverDocument() }
    },
    [`${RESOURCE}/mcp`, RESOURCE, SERVER],
  ],
}

const LAST_SLASH: Record<string, [documentAt: string, looked: string[]]> = {
  'with it, as RFC 9728 has it': [`${RESOURCE}/mcp/`, [`${RESOURCE}/mcp/`]],
  'without it, as many servers have it': [`${RESOURCE}/mcp`, [`${RESOURCE}/mcp/`, `${RESOURCE}/mcp`]],
  'at the root': [RESOURCE, [`${RESOURCE}/mcp/`, `${RESOURCE}/mcp`, RESOURCE]],
}

for (const [place, [documentAt, looked]] of Object.entries(LAST_SLASH)) {
  test(`spec-U1: metadata of a resource whose path ends in a slash is found ${place}`, async (context) => {
    const upstream = await discoverable(context)
    const mcpUrl = `${upstream.mcpUrl}/`
    upstream.knobs.documents = {
      [documentAt]: upstream.resourceDocument({ resource: mcpUrl }),
      [SERVER]: upstream.serverDocument(),
    }
    const gateway = await gatewayFor(context, route({ ...upstream, mcpUrl }))
    assert.is((await connect(gateway)).get('resource'), mcpUrl)
    assert.equal(asked(upstream), [...looked, SERVER])
  })
}

for (const status of [401, 403, 404]) {
  test(`spec-U1: a well-known address that answers ${status}, as guards and file hosts do for what is not there: the next one is asked`, async (context) => {
    const upstream = await discoverable(context)
    upstream.knobs.challenge = {}
    upstream.knobs.documents = {
      [RESOURCE]: upstream.resourceDocument(),
      [OPENID]: upstream.serverDocument(),
    }
    upstream.knobs.wellKnown = (path) => (path in upstream.knobs.documents ? undefined : status)
    const gateway = await gatewayFor(context, route(upstream))
    await succeeds(gateway.url)
    assert.equal(asked(upstream), [`${RESOURCE}/mcp`, RESOURCE, SERVER, OPENID])
  })
}

test('spec-U1: JSON that is no metadata, from a server that answers so whatever it does not know, is not there', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.challenge = {}
  const unknown = { message: 'not found', status: 'error' }
  upstream.knobs.documents = {
    [`${RESOURCE}/mcp`]: unknown,
    [RESOURCE]: upstream.resourceDocument(),
    [SERVER]: unknown,
    [OPENID]: upstream.serverDocument(),
  }
  const gateway = await gatewayFor(context, route(upstream))
  await succeeds(gateway.url)
  assert.equal(asked(upstream), [`${RESOURCE}/mcp`, RESOURCE, SERVER, OPENID])
})

test('a byte order mark before every document and answer disturbs nobody', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.marksBytes = true
  const gateway = await gatewayFor(context, route(upstream))
  assert.is((await succeeds(gateway.url)).issuer, upstream.origin)
})

for (const [place, [arrange, looked]] of Object.entries(RESOURCE_PLACES)) {
  test(`spec-U1: metadata of the resource is found ${place}`, async (context) => {
    const upstream = await discoverable(context)
    arrange(upstream)
    const gateway = await gatewayFor(context, route(upstream))
    assert.is((await succeeds(gateway.url)).issuer, upstream.origin)
    assert.equal(asked(upstream, /well-known|else/), looked)
    assert.is(upstream.recorder.to('/authorize')[0]?.query.get('resource'), upstream.mcpUrl)
  })
}

const TENANT = '/tenant/1'
/** Every place there is for the metadata of an issuer, in the order of the specification. */
const SERVER_PLACES: [issuerPath: string, places: string[]][] = [
  ['', [SERVER, OPENID]],
  [TENANT, [`${SERVER}${TENANT}`, `${OPENID}${TENANT}`, `${TENANT}${OPENID}`]],
]

for (const [issuerPath, places] of SERVER_PLACES) {
  for (const [at, place] of places.entries()) {
    test(`spec-D7: metadata of an issuer ${issuerPath || 'without a path'} is found at ${place}`, async (context) => {
      const upstream = await discoverable(context)
      const { knobs, origin, resourceDocument, serverDocument } = upstream
      const issuer = origin + issuerPath
      knobs.documents = {
        [`${RESOURCE}/mcp`]: resourceDocument({ authorization_servers: [issuer] }),
        [place]: serverDocument({ issuer }),
      }
      const gateway = await gatewayFor(context, route(upstream))
      await succeeds(gateway.url)
      assert.equal(asked(upstream).slice(1), places.slice(0, at + 1))
    })
  }
}

const RESOURCES: Record<string, [resource: (origin: string) => string, isRefused?: boolean]> = {
  'the URL itself': [(origin) => `${origin}/mcp`],
  'the URL with a slash more': [(origin) => `${origin}/mcp/`],
  'the origin, an ancestor': [(origin) => origin],
  'the origin with its slash': [(origin) => `${origin}/`],
  'a sibling': [(origin) => `${origin}/other`, true],
  'a child': [(origin) => `${origin}/mcp/deeper`, true],
  'a prefix that is no segment': [(origin) => `${origin}/mc`, true],
  'another case': [(origin) => `${origin}/MCP`, true],
  'another host': [() => 'https://evil.test/mcp', true],
  'another port': [(origin) => `${origin.replace(/:\d+$/, ':1')}/mcp`, true],
  'the URL with a query': [(origin) => `${origin}/mcp?tenant=2`, true],
  'no URL': [() => 'mcp', true],
}

test('spec-U1: metadata counts for the URL itself, one slash apart, and an ancestor; nothing else is believed', async (context) => {
  for (const [label, [resource, isRefused = false]] of Object.entries(RESOURCES)) {
    const upstream = await discoverable(context)
    const { knobs, origin, resourceDocument } = upstream
    knobs.documents[`${RESOURCE}/mcp`] = resourceDocument({ resource: resource(origin) })
    const gateway = await gatewayFor(context, route(upstream))
    if (isRefused) {
      assert.is((await attempt(gateway.url)).error, 'server_error', label)
      assert.equal([asked(upstream), exchanges(upstream)], [[`${RESOURCE}/mcp`], 0], label)
    } else {
      await succeeds(gateway.url)
      const sent = upstream.recorder.to('/authorize')[0]?.query.get('resource')
      assert.is(sent, resource(origin), `${label}, as the server writes it`)
    }
  }
})

/** Each is a URL, and nothing could be asked there; or what stands before the host would be a secret. */
const NO_WEB_ADDRESSES = [
  'urn:example:as',
  'mailto:as@as.test',
  'javascript:alert(1)',
  'file:///etc/passwd',
  'ftp://as.test/',
  'https://user:secret@as.test',
  'as.test',
  '',
]

test('sec-C12: a document that names something else than a web address as its server is refused, and a better one is taken', async (context) => {
  const upstream = await discoverable(context)
  const { knobs, resourceDocument } = upstream
  const gateway = await gatewayFor(context, route(upstream))
  for (const issuer of NO_WEB_ADDRESSES) {
    knobs.documents[`${RESOURCE}/mcp`] = resourceDocument({ authorization_servers: [issuer] })
    assert.equal(
      [issuer, await attempt(gateway.url)],
      [
        issuer,
        {
          error: 'server_error',
          description: 'the upstream cannot be used: its authorization server is no http or https URL',
        },
      ],
    )
  }
  assert.equal(asked(upstream, /^\/(register|authorize|token)/), [])
  assert.not.ok(gateway.log.some(({ event }) => event === 'unexpected error'))
  assert.not.match(JSON.stringify(gateway.log), 'secret@')
  knobs.documents[`${RESOURCE}/mcp`] = resourceDocument()
  await succeeds(gateway.url)
})

test('spec-U1: a challenge that names no web address is as one that names none', async (context) => {
  for (const address of [...NO_WEB_ADDRESSES, '/relative']) {
    const upstream = await discoverable(context)
    upstream.knobs.challenge = { resource_metadata: address }
    const gateway = await gatewayFor(context, route(upstream))
    await succeeds(gateway.url)
    assert.equal(asked(upstream), [`${RESOURCE}/mcp`, SERVER], address)
  }
})

test('a revocation endpoint that nothing can be sent to is none, and nobody is kept out for it', async (context) => {
  for (const address of [...NO_WEB_ADDRESSES, 42]) {
    const upstream = await discoverable(context)
    upstream.knobs.documents[SERVER] = upstream.serverDocument({ revocation_endpoint: address })
    const gateway = await gatewayFor(context, route(upstream))
    await succeeds(gateway.url)
  }
})

const DISTRUSTED: Record<string, (origin: string) => Record<string, unknown>> = {
  'another issuer': () => ({ issuer: 'https://evil.test' }),
  'its issuer with a slash more': (origin) => ({ issuer: `${origin}/` }),
  'its issuer in capitals': (origin) => ({ issuer: origin.toUpperCase() }),
  'no issuer': () => ({ issuer: undefined }),
  'no word of PKCE': () => ({ code_challenge_methods_supported: undefined }),
  'PKCE in plain text only': () => ({ code_challenge_methods_supported: ['plain'] }),
  'no authorization endpoint': () => ({ authorization_endpoint: undefined }),
  'no token endpoint': () => ({ token_endpoint: undefined }),
}

test('spec-U1: server metadata with a wrong issuer, or without S256, is not believed: nobody registers or signs in there', async (context) => {
  for (const [label, change] of Object.entries(DISTRUSTED)) {
    const upstream = await discoverable(context)
    const { knobs, origin, serverDocument } = upstream
    knobs.documents[SERVER] = serverDocument(change(origin))
    const gateway = await gatewayFor(context, route(upstream))
    const { error, description } = await attempt(gateway.url)
    assert.is(error, 'server_error', label)
    assert.match(description ?? '', 'the upstream cannot be used', label)
    assert.equal(asked(upstream, /^\/(register|authorize|token)/), [], label)
  }
})

/** To make a text of it throws. */
const NO_TEXT: unknown = { toString: 1, valueOf: 1 }
const TEXTLESS: Record<string, (upstream: DiscoveryUpstream, value: unknown) => void> = {
  'the resource': ({ knobs, resourceDocument }, resource) => {
    knobs.documents[`${RESOURCE}/mcp`] = resourceDocument({ resource })
  },
  'the issuer': ({ knobs, serverDocument }, issuer) => {
    knobs.documents[SERVER] = serverDocument({ issuer })
  },
}

test('spec-U1: metadata with an object where a text belongs is refused as any other, and the log says so', async (context) => {
  for (const [label, change] of Object.entries(TEXTLESS))
    for (const value of [NO_TEXT, [NO_TEXT], [[[]]]]) {
      const upstream = await discoverable(context)
      change(upstream, value)
      const gateway = await gatewayFor(context, route(upstream))
      const { error, description } = await attempt(gateway.url)
      assert.equal([label, error], [label, 'server_error'])
      assert.match(description ?? '', 'the upstream cannot be used')
      assert.ok(gateway.log.some(({ fields }) => fields.found === 'not a text'))
      assert.equal(asked(upstream, /^\/(register|authorize|token)/), [])
      upstream.knobs.documents[`${RESOURCE}/mcp`] = upstream.resourceDocument()
      upstream.knobs.documents[SERVER] = upstream.serverDocument()
      await succeeds(gateway.url)
    }
})

/** Addresses that are no endpoint, and one that is nobody's business: each could make a browser or the gateway go there. */
const HOSTILE = (evil: string) => [
  'javascript:alert(1)',
  'data:text/html,hello',
  'file:///etc/passwd',
  'ftp://as.test/token',
  'http://as.test/token',
  'http://169.254.169.254/latest/meta-data',
  'https://user:secret@as.test/token',
  evil.replace('127.0.0.1', '127.0.0.1.nip.test'),
  '//as.test/token',
  '/token',
  42,
  ['https://as.test/token'],
]

test('sec-C12, spec-U7: a hostile address in the metadata is refused before anybody is sent there', async (context) => {
  const evil = await startSink()
  context.after(() => evil.close())
  for (const name of ['authorization_endpoint', 'token_endpoint', 'registration_endpoint']) {
    const upstream = await discoverable(context)
    const gateway = await gatewayFor(context, route(upstream))
    for (const address of HOSTILE(evil.url)) {
      upstream.knobs.documents[SERVER] = upstream.serverDocument({ [name]: address })
      const { error, description } = await attempt(gateway.url)
      assert.equal([name, address, error], [name, address, 'server_error'])
      assert.is(
        description,
        `the upstream cannot be used: its authorization server metadata has no usable ${name}`,
      )
    }
    assert.equal(asked(upstream, /^\/(authorize|token)/), [])
  }
  evil.assertUntouched()
})

test('sec-C12, sec-F9, spec-U7: what is derived from an upstream is asked nowhere else on the machine or its network', async (context) => {
  const evil = await startSink()
  context.after(() => evil.close())
  // The same machine under another name than the operator wrote.
  const inside = evil.url.replace('127.0.0.1', 'localhost')
  const documents: Record<string, Arrange> = {
    'the document of the resource': ({ knobs }) => {
      knobs.challenge = { resource_metadata: `${inside}resource` }
    },
    'the issuer': ({ knobs, resourceDocument }) => {
      knobs.documents[`${RESOURCE}/mcp`] = resourceDocument({ authorization_servers: [inside] })
    },
    'the registration endpoint': ({ knobs, serverDocument }) => {
      knobs.documents[SERVER] = serverDocument({ registration_endpoint: `${inside}register` })
    },
    'the token endpoint': ({ knobs, serverDocument }) => {
      knobs.documents[SERVER] = serverDocument({ token_endpoint: `${inside}token` })
    },
  }
  for (const [label, arrange] of Object.entries(documents)) {
    const upstream = await discoverable(context)
    arrange(upstream)
    const gateway = await gatewayFor(context, route(upstream))
    assert.ok((await attempt(gateway.url)).error, label)
  }
  evil.assertUntouched()
})

/** RFC 9207 §2.4 and the table of the MCP specification. `own`: the issuer itself. */
const ISS: [isAdvertised: boolean, iss: 'own' | 'wrong' | 'slash' | 'none', isGood: boolean][] = [
  [true, 'own', true],
  [true, 'none', false],
  [true, 'wrong', false],
  [true, 'slash', false],
  [false, 'own', true],
  [false, 'none', true],
  [false, 'wrong', false],
  [false, 'slash', false],
]

for (const [isAdvertised, iss, isGood] of ISS) {
  const promise = isAdvertised ? 'advertised' : 'not advertised'
  test(`spec-U2: iss ${promise}, ${iss}: ${isGood ? 'taken' : 'refused before the code is redeemed'}`, async (context) => {
    const upstream = await discoverable(context)
    const { knobs, origin, serverDocument } = upstream
    const supported = { authorization_response_iss_parameter_supported: isAdvertised }
    knobs.documents[SERVER] = serverDocument(supported)
    knobs.iss = { own: origin, wrong: 'https://evil.test', slash: `${origin}/`, none: undefined }[iss]
    const gateway = await gatewayFor(context, route(upstream))
    const { error } = await attempt(gateway.url)
    assert.is(error, isGood ? undefined : 'server_error')
    assert.is(exchanges(upstream), isGood ? 1 : 0)
    // An error is an answer like any other: from a stranger it says nothing.
    knobs.error = 'access_denied'
    const again = await gatewayFor(context, route(upstream))
    assert.is((await attempt(again.url)).error, isGood ? 'access_denied' : 'server_error')
  })
}

test('an upstream that takes no registrations: the operator is told what to write, and who signs in is told the same', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.documents[SERVER] = upstream.serverDocument({ registration_endpoint: undefined })
  const gateway = await gatewayFor(context, route(upstream))
  const sentence =
    'the upstream takes no registrations: create a client there and write its client_id into the configuration'
  const { fields } = await gateway.logged('the upstream could not be looked up yet')
  assert.equal([fields.route, fields.reason], ['demo', sentence])
  assert.equal(await attempt(gateway.url), { error: 'server_error', description: sentence })
})

test('spec-U5: an issuer and a client_id in the configuration: its metadata is looked up there, and nothing is registered', async (context) => {
  const upstream = await discoverable(context)
  const { knobs, origin, resourceDocument, serverDocument } = upstream
  const issuer = origin + TENANT
  knobs.documents = {
    // What the upstream would say of itself does not count against what the operator wrote.
    [`${RESOURCE}/mcp`]: resourceDocument({ authorization_servers: ['https://elsewhere.test'] }),
    [`${SERVER}${TENANT}`]: serverDocument({
      issuer,
      token_endpoint_auth_methods_supported: ['client_secret_post'],
    }),
  }
  const server = `{ issuer: "${issuer}", client_id: ours, client_secret: "\${SECRET}" }`
  const yaml = route(upstream, `{ type: authorization_code, scope: read, authorization_server: ${server} }`)
  const gateway = await gatewayFor(context, yaml, { SECRET: 'secret-canary' })
  await succeeds(gateway.url)
  assert.is(upstream.recorder.count('POST /register'), 0)
  const query = upstream.recorder.to('/authorize')[0]?.query
  assert.equal([query?.get('client_id'), query?.get('scope')], ['ours', 'read'])
  const form = upstream.recorder.to('POST /token')[0]?.form
  assert.equal([form?.get('client_id'), form?.get('client_secret')], ['ours', 'secret-canary'])
})

const SCOPES: Record<string, [arrange: Arrange, scope: string | null]> = {
  'of the challenge, before that of the document': [
    ({ knobs, resourceDocument }) => {
      knobs.challenge.scope = 'read'
      knobs.documents[`${RESOURCE}/mcp`] = resourceDocument({ scopes_supported: ['read', 'write'] })
    },
    'read',
  ],
  'of the document': [
    ({ knobs, resourceDocument }) => {
      knobs.documents[`${RESOURCE}/mcp`] = resourceDocument({ scopes_supported: ['read', 'write'] })
    },
    'read write',
  ],
  'of the document, where the challenge names an empty one': [
    ({ knobs, resourceDocument }) => {
      knobs.challenge.scope = ' '
      knobs.documents[`${RESOURCE}/mcp`] = resourceDocument({ scopes_supported: ['read', 'write'] })
    },
    'read write',
  ],
  'left to the server when the upstream names none, however many the server has': [
    ({ knobs, serverDocument }) => {
      knobs.documents[SERVER] = serverDocument({ scopes_supported: ['all', 'admin', 'offline_access'] })
    },
    null,
  ],
  'with offline_access where it is offered': [
    ({ knobs, serverDocument }) => {
      knobs.challenge.scope = 'read'
      knobs.documents[SERVER] = serverDocument({ scopes_supported: ['offline_access'] })
    },
    'read offline_access',
  ],
}

for (const [rule, [arrange, scope]] of Object.entries(SCOPES)) {
  test(`spec-U6, sec-C13: the scope is the one ${rule}`, async (context) => {
    const upstream = await discoverable(context)
    arrange(upstream)
    const gateway = await gatewayFor(context, route(upstream))
    await succeeds(gateway.url)
    assert.is(upstream.recorder.to('/authorize')[0]?.query.get('scope'), scope)
  })
}

const MOVES: Record<string, Arrange> = {
  'which then refuses what it issued': ({ knobs }) => {
    knobs.refuses = true
  },
  'which is gone then': ({ knobs }) => {
    knobs.isDown = true
  },
}

for (const [fate, end] of Object.entries(MOVES)) {
  test(`spec-U4: away from an authorization server ${fate}: registered and signed in to anew, and nothing of the old one goes to the new one`, async (context) => {
    const tokens = new Map<string, string>()
    const [upstream, first, second] = [
      await discoverable(context, tokens),
      await discoverable(context, tokens),
      await discoverable(context, tokens),
    ]
    const signsInAt = ({ origin }: DiscoveryUpstream) => {
      upstream.knobs.documents = {
        [`${RESOURCE}/mcp`]: upstream.resourceDocument({ authorization_servers: [origin] }),
      }
    }
    signsInAt(first)
    first.knobs.registration = { client_secret: 'secret-of-the-first' }
    const gateway = await gatewayFor(context, route(upstream))
    const before = await succeeds(gateway.url)
    assert.is(before.issuer, first.origin)

    signsInAt(second)
    end(first)
    const [token = ''] = tokens.keys()
    tokens.delete(token)
    await signedOut(gateway.url, before.access)
    const after = await succeeds(gateway.url)
    assert.is(after.issuer, second.origin)
    assert.is(second.recorder.count('POST /register'), 1)
    const { authorization = '' } = first.recorder.to('POST /token')[0]?.headers ?? {}
    const basic = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()
    const [clientId = '', secret = ''] = basic.split(':').map(decodeURIComponent)
    assert.match(clientId, /^client-./)
    assert.is(secret, 'secret-of-the-first')
    for (const own of [clientId, secret, token, basic, authorization]) {
      assert.not.ok(second.recorder.saw(own), 'each server sees its own')
    }
    const other = await callMcp(`${gateway.url}/demo`, before.access)
    assert.is(other.status, 200, 'the other client of that person goes on with the new account')
  })
}

/** While nobody can tell whether the server comes back it is 503, never a way around signing in. */
async function signedOut(url: string, access: string): Promise<void> {
  for (;;) {
    const { status } = await callMcp(`${url}/demo`, access)
    if (status === 401) return
    assert.is(status, 503)
    await delay(20)
  }
}

test('an upstream that is down at the start: the gateway starts, its route answers, and who signs in later can', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.isDown = true
  const gateway = await gatewayFor(context, route(upstream))
  await gateway.logged('the upstream could not be looked up yet')
  const answer = await callMcp(`${gateway.url}/demo`, undefined)
  assert.is(answer.status, 401)
  assert.match(answer.headers.get('www-authenticate') ?? '', `${gateway.url}${RESOURCE}/demo`)
  assert.is((await attempt(gateway.url)).error, 'temporarily_unavailable')
  upstream.knobs.isDown = false
  assert.is((await succeeds(gateway.url)).issuer, upstream.origin)
})

test('a restart while the authorization server is down: who was connected goes on, from what was kept', async (context) => {
  const tokens = new Map<string, string>()
  const upstream = await discoverable(context, tokens)
  const server = await discoverable(context, tokens)
  upstream.knobs.documents[`${RESOURCE}/mcp`] = upstream.resourceDocument({
    authorization_servers: [server.origin],
  })
  const folder = await temporaryFolder(context)
  const text = onPort(await freePort(), route(upstream))
  const start = () =>
    startApp({
      source: { name: 'gateways.yaml', folder, text },
      env: { MCP_GATEWAY_PASSWORD: USER.password },
      stateFolder: join(folder, 'state'),
      log: silentLog,
    })
  const first = await start()
  const { access } = await succeeds(first.publicUrl)
  await first.close()
  server.knobs.isDown = true
  const calls = server.recorder.count()

  const second = await start()
  context.after(() => second.close())
  assert.is(await callTool(`${second.publicUrl}/demo`, access, 'whoami'), server.origin)
  assert.is(server.recorder.count(), calls, 'nobody asked it anything')
})

test.run()
