// Why an authorization server is not found or not believed, and what `doctor` says to write: each cause has a way out of its
// own, and where it can be tried here, taking it leads to a configuration that is well.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import * as assert from 'uvu/assert'
import {
  type DiscoveryUpstream,
  RESOURCE,
  SERVER,
  startDiscoveryUpstream,
} from '../support/discovery-upstream.ts'
import { startServiceUpstream } from '../support/service-upstream.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { about, CANARY, visit } from './visit.ts'

const test = suite('doctor/causes')

const head = 'version: 1\nserver: { port: 0, public_url: "http://localhost:9999" }\nstore: { type: memory }\n'

async function start({ after }: TestContext): Promise<DiscoveryUpstream> {
  const upstream = await startDiscoveryUpstream()
  after(() => upstream.close())
  return upstream
}

/** What is said of the one route `a`, with this written as its authorization server. */
async function said({ mcpUrl, origin }: DiscoveryUpstream, server: string): Promise<string[]> {
  const auth = server && `, auth: { type: authorization_code, authorization_server: { ${server} } }`
  const told = await visit(`${head}routes: { a: { upstream: "${mcpUrl}"${auth} } }\n`)
  return about('routes.a', told).map((line) => line.replaceAll(origin, '(origin)'))
}

const isFailure = (line: string) => line.startsWith('FAIL')
const PLACE = 'routes.a.auth.authorization_server'
const ENDPOINTS = `authorization_endpoint, token_endpoint and client_id under ${PLACE}.`
const NOT_ISSUER = `Write ${ENDPOINTS} An issuer alone does not help: the upstream is asked all the same.`

interface Cause {
  readonly spoil: (upstream: DiscoveryUpstream) => void
  readonly server?: (origin: string) => string
  /** Of the one failure. */
  readonly why: string
  readonly hint: string
  /** What the hint says to write. */
  readonly cure?: (origin: string) => string
}

const endpoints = (origin: string) =>
  `authorization_endpoint: "${origin}/authorize", token_endpoint: "${origin}/token", client_id: a`
const issuer = (origin: string) => `issuer: "${origin}"`
const resource =
  (change: Record<string, unknown>): Cause['spoil'] =>
  ({ knobs, resourceDocument }) => {
    knobs.documents[`${RESOURCE}/mcp`] = resourceDocument(change)
  }
const metadata =
  (change: Record<string, unknown>): Cause['spoil'] =>
  ({ knobs, serverDocument }) => {
    knobs.documents[SERVER] = serverDocument(change)
  }

const CAUSES: Record<string, Cause> = {
  'an issuer that is written one slash off': {
    spoil: () => {},
    server: (origin) => `issuer: "${origin}/"`,
    why: 'its authorization server metadata names another issuer: expected (origin)/, found (origin)',
    hint: `One slash makes another issuer: write issuer: (origin) under ${PLACE}.`,
    cure: issuer,
  },
  'an issuer that the upstream names one slash off': {
    spoil: (upstream) => resource({ authorization_servers: [`${upstream.origin}/`] })(upstream),
    why: 'its authorization server metadata names another issuer: expected (origin)/, found (origin)',
    hint: `One slash makes another issuer: write issuer: (origin) under ${PLACE}.`,
    cure: issuer,
  },
  'metadata of another issuer': {
    spoil: metadata({ issuer: 'https://evil.example' }),
    why: 'its authorization server metadata names another issuer: expected (origin), found https://evil.example',
    hint: `If that is the server you mean, write issuer: https://evil.example under ${PLACE}. If not, do not use it.`,
  },
  'an issuer that is no text': {
    spoil: metadata({ issuer: 7 }),
    why: 'its authorization server metadata names another issuer: expected (origin), found 7',
    hint: `Ask whoever runs it to correct its metadata. Or write ${ENDPOINTS}`,
    cure: endpoints,
  },
  'no PKCE with S256': {
    spoil: metadata({ code_challenge_methods_supported: ['plain'] }),
    server: issuer,
    why: 'its authorization server does not support PKCE with S256',
    hint: `If it supports PKCE with S256 and only does not say so, write ${ENDPOINTS}`,
    cure: endpoints,
  },
  'an endpoint that is no https address': {
    spoil: metadata({ token_endpoint: 'http://elsewhere.example/token' }),
    why: 'its authorization server metadata has no usable token_endpoint',
    hint: `Write ${ENDPOINTS}`,
    cure: endpoints,
  },
  'no metadata at the issuer that is written': {
    spoil: ({ knobs }) => {
      delete knobs.documents[SERVER]
    },
    server: issuer,
    why: 'its authorization server publishes no metadata: (origin)',
    hint: `Check issuer. If it is right, write ${ENDPOINTS}`,
    cure: endpoints,
  },
  'no metadata at the issuer that the upstream names': {
    spoil: ({ knobs }) => {
      delete knobs.documents[SERVER]
    },
    why: 'its authorization server publishes no metadata: (origin)',
    hint: `Write ${ENDPOINTS}`,
    cure: endpoints,
  },
  'an upstream that names nobody and publishes nothing': {
    spoil: ({ knobs }) => {
      knobs.challenge = {}
      knobs.documents = {}
    },
    server: issuer,
    why: 'its authorization server publishes no metadata: (origin)',
    hint: `Check issuer. If it is right, write ${ENDPOINTS}`,
    cure: endpoints,
  },
  'an upstream that speaks for another resource': {
    spoil: resource({ resource: 'https://other.example/mcp' }),
    server: issuer,
    why: 'its protected resource metadata is about another resource: found https://other.example/mcp',
    hint: `If that is the upstream's real URL, write it as the route's upstream. If not, write ${ENDPOINTS}`,
    cure: endpoints,
  },
  'an upstream that names no server, with an issuer written': {
    spoil: resource({ authorization_servers: [] }),
    server: issuer,
    why: 'its protected resource metadata names no authorization server',
    hint: NOT_ISSUER,
    cure: endpoints,
  },
  'an upstream that names no server': {
    spoil: resource({ authorization_servers: [] }),
    why: 'its protected resource metadata names no authorization server',
    hint: NOT_ISSUER,
    cure: endpoints,
  },
  'an upstream that names metadata which is not there': {
    spoil: ({ knobs }) => {
      delete knobs.documents[`${RESOURCE}/mcp`]
    },
    server: issuer,
    why: 'it names protected resource metadata that is not there',
    hint: NOT_ISSUER,
    cure: endpoints,
  },
  'an upstream that names something which is no URL': {
    spoil: resource({ authorization_servers: ['login'] }),
    why: 'its authorization server is no http or https URL',
    hint: `Write issuer under ${PLACE}.`,
    cure: issuer,
  },
  'an upstream that names this gateway': {
    spoil: resource({ authorization_servers: ['http://localhost:9999'] }),
    why: 'its authorization server would be this gateway itself: found http://localhost:9999',
    hint: `If it takes the gateway's callers without a token, write auth: none. If not, write the issuer of its own server under ${PLACE}.`,
    cure: issuer,
  },
  'endpoints that are those of this gateway': {
    spoil: metadata({ token_endpoint: 'http://localhost:9999/token' }),
    server: issuer,
    why: 'its authorization server would be this gateway itself: found http://localhost:9999/token',
    hint: `Write the issuer of its own server under ${PLACE}.`,
    cure: endpoints,
  },
  'an upstream that names a private address elsewhere': {
    spoil: resource({ authorization_servers: ['https://10.0.0.1'] }),
    why: 'it names a private address, which only the configuration may',
    hint: `If you trust it, write issuer: https://10.0.0.1 under ${PLACE}.`,
  },
}

for (const [what, { spoil, server = () => '', why, hint, cure }] of Object.entries(CAUSES))
  test(`${what} is a failure with a way out of its own`, async (context) => {
    const upstream = await start(context)
    assert.equal((await said(upstream, '')).filter(isFailure), [])
    spoil(upstream)
    const told = await said(upstream, server(upstream.origin))
    assert.equal(told.filter(isFailure), [`FAIL routes.a: ${why} → ${hint}`])
    assert.is(upstream.recorder.count('/register'), 0)
    if (cure) assert.equal((await said(upstream, cure(upstream.origin))).filter(isFailure), [])
  })

test('a server that several routes share is asked once, and each of their upstreams where to sign in', async (context) => {
  const [good, bad] = [await start(context), await start(context)]
  bad.knobs.documents[`${RESOURCE}/mcp`] = bad.resourceDocument({ resource: 'https://other.example/mcp' })
  const auth = 'auth: { type: authorization_code, authorization_server: it }'
  const told = await visit(`${head}authorization_servers: { it: { issuer: "${good.origin}" } }
routes:
  one: { upstream: "${good.mcpUrl}", ${auth} }
  two: { upstream: "${bad.mcpUrl}", ${auth} }
`)
  assert.equal(about('routes.one', told).filter(isFailure), [])
  assert.match(about('routes.two', told).filter(isFailure).join(), 'is about another resource')
  assert.is(about('authorization_servers.it', told).length, 2)
  assert.is(good.recorder.count(SERVER), 1)
})

test('what a server says for two kinds of grants is told once', async ({ after }) => {
  const upstream = await startServiceUpstream()
  after(() => upstream.close())
  const route = (type: string) =>
    `{ upstream: "${upstream.mcpUrl}", auth: { type: ${type}, authorization_server: it } }`
  const told = await visit(
    `${head}authorization_servers:
  it: { token_endpoint: "${upstream.tokenEndpoint}", client_id: gateway, client_secret: "\${SECRET}" }
routes:
  one: ${route('client_credentials')}
  two: ${route('token_exchange')}
`,
    { env: { SECRET: 'between-servers' } },
  )
  assert.equal(about('authorization_servers.it', told), [
    'ok authorization_servers.it: token_endpoint is set, so its metadata is not read',
    'ok authorization_servers.it: the token endpoint knows the client',
  ])
  assert.is(upstream.recorder.count('/token'), 2, 'each grant is asked about')
})

test('what a server says of itself cannot write to the terminal', async (context) => {
  const upstream = await start(context)
  metadata({ issuer: `https://evil.example/\u001b[2J\u202e${CANARY.length}` })(upstream)
  const [line = ''] = (await said(upstream, '')).filter(isFailure)
  assert.match(line, 'https://evil.example/\ufffd[2J\ufffd')
})

test('sec-F3: an address that the guard refuses is not called for its certificate either', async (context) => {
  const upstream = await start(context)
  let called = 0
  const inside = createServer((socket) => {
    called += 1
    socket.destroy()
  })
  inside.listen(0, '127.0.0.1')
  await once(inside, 'listening')
  context.after(() => inside.close())
  const { port } = inside.address() as AddressInfo
  // The upstream's own host name is another one, so this address is private and elsewhere.
  const url = upstream.mcpUrl.replace('127.0.0.1', 'localhost')
  upstream.knobs.challenge = {}
  upstream.knobs.documents[`${RESOURCE}/mcp`] = upstream.resourceDocument({
    resource: url,
    authorization_servers: [`https://127.0.0.1:${port}`],
  })
  const told = await visit(`${head}routes: { a: { upstream: "${url}" } }\n`)
  assert.match(about('routes.a', told).filter(isFailure).join(), 'it names a private address')
  assert.is(called, 0)
  const written = `auth: { type: authorization_code, authorization_server: { issuer: "https://127.0.0.1:${port}" } }`
  await visit(`${head}routes: { a: { upstream: "${url}", ${written} } }\n`)
  assert.ok(called > 0, 'what the operator writes is')
})

test.run()
