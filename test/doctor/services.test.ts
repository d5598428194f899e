// What `doctor` says of what works without a browser: authorization servers that give tokens to programs, identity
// providers, and the issuers that the configuration trusts.
import * as assert from 'uvu/assert'
import { type DiscoveryUpstream, SERVER, startDiscoveryUpstream } from '../support/discovery-upstream.ts'
import { intercept } from '../support/intercept.ts'
import { CLIENT, startServiceUpstream } from '../support/service-upstream.ts'
import { suite, type TestContext } from '../support/suite.ts'
import {
  METADATA,
  newSigningKey,
  OPENID,
  startTokenIssuer,
  type TokenIssuer,
} from '../support/token-issuer.ts'
import { about, CANARY, visit } from './visit.ts'

const test = suite('doctor/services')

const head = 'version: 1\nserver: { port: 0, public_url: "http://localhost:9999" }\nstore: { type: memory }\n'
const GRANT = 'urn:ietf:params:oauth:grant-type:'

type Wrong = (error: string) => string

const KNOWS = 'ok authorization_servers.it: the token endpoint knows the client'
const FIXED = 'ok authorization_servers.it: token_endpoint is set, so its metadata is not read'
const UNKNOWN: Wrong = (error) =>
  `FAIL authorization_servers.it: the token endpoint does not know the client (${error}) → Check client_id, client_secret and token_endpoint_auth_method.`
const UNTOLD: Wrong = (error) =>
  `warn authorization_servers.it: the token endpoint answers ${error}, which does not tell whether it knows the client → Use the route once to see.`
const refuses =
  (grant: string): Wrong =>
  (error) =>
    `FAIL authorization_servers.it: the token endpoint refuses the grant ${GRANT}${grant} (${error}) → Allow this grant for this client at the provider.`

/** What is said of the server `it`, by what its token endpoint answers. */
const TYPES: Record<string, { auth: string; said: Record<string, string | Wrong> }> = {
  client_credentials: {
    auth: 'type: client_credentials',
    said: {
      invalid_grant: KNOWS,
      unauthorized_client: KNOWS,
      unsupported_grant_type: UNTOLD,
      invalid_client: UNKNOWN,
    },
  },
  token_exchange: {
    auth: 'type: token_exchange',
    said: {
      invalid_grant: KNOWS,
      invalid_request: KNOWS,
      unauthorized_client: refuses('token-exchange'),
      unsupported_grant_type: refuses('token-exchange'),
      invalid_client: UNKNOWN,
      odd_answer: UNTOLD,
    },
  },
  'token_exchange with an identity provider': {
    auth: 'type: token_exchange, identity_provider: idp, subject_token: gateway',
    said: { invalid_grant: KNOWS, unsupported_grant_type: refuses('jwt-bearer'), invalid_client: UNKNOWN },
  },
}

for (const [name, { auth, said }] of Object.entries(TYPES))
  test(`${name}: the client is known when only what was made up is refused`, async ({ after }) => {
    const [upstream, provider] = await Promise.all([startServiceUpstream(), startServiceUpstream()])
    after(() => upstream.close())
    after(() => provider.close())
    const entry = (endpoint: string) =>
      `{ token_endpoint: "${endpoint}", client_id: ${CLIENT.id}, client_secret: "\${SECRET}" }`
    const yaml = `${head}authorization_servers:
  it: ${entry(upstream.tokenEndpoint)}
${auth.includes('idp') ? `  idp: ${entry(provider.tokenEndpoint)}\n` : ''}routes:
  one: { upstream: "${upstream.mcpUrl}", auth: { ${auth}, authorization_server: it } }
  two: { upstream: "${upstream.mcpUrl}", auth: { ${auth}, authorization_server: it } }
`
    const ask = (secret: string = CLIENT.secret) => visit(yaml, { env: { SECRET: secret } })
    const told = await ask()
    assert.equal(about('authorization_servers.it', told), [FIXED, KNOWS])
    assert.equal(upstream.requests('').length, 1, 'a shared server is asked once')
    assert.is(about('authorization_servers.idp', told).length, auth.includes('idp') ? 2 : 0)
    assert.equal(about('routes.one', told).length, 1)
    assert.equal(about('authorization_servers.it', await ask(`${CANARY}-wrong`)), [
      FIXED,
      UNKNOWN('invalid_client'),
    ])
    for (const [error, expected] of Object.entries(said)) {
      upstream.knobs.answer = { status: 400, body: { error } }
      const line = typeof expected === 'string' ? expected : expected(error)
      assert.equal(about('authorization_servers.it', await ask()), [FIXED, line])
    }
    assert.equal([...upstream.tokens, ...provider.tokens], [], 'no token was asked for')
  })

test('a token endpoint that gives tokens for anything, is down, or is none, is told', async ({ after }) => {
  const upstream = await startServiceUpstream()
  after(() => upstream.close())
  const yaml = `${head}routes:
  a: { upstream: "${upstream.mcpUrl}", auth: { type: token_exchange, authorization_server: { token_endpoint: "${upstream.tokenEndpoint}", client_id: a } } }
`
  const said = async () => about('routes.a', await visit(yaml)).at(-1) ?? ''
  upstream.knobs.answer = { status: 200, body: { access_token: CANARY, token_type: 'Bearer' } }
  assert.match(await said(), /^warn .* gave a token for a made-up code or token/)
  upstream.knobs.answer = { status: 200, body: '<html>' }
  assert.match(await said(), /^FAIL .* is not OAuth/)
  intercept(upstream.server, (request) => {
    if (request.url === '/token') request.socket.destroy()
    return request.url === '/token'
  })
  assert.match(await said(), /^FAIL .* gave no answer/)
})

/** An upstream whose server is discovered, and what is said of the one route to it. */
async function discovered(
  { after }: TestContext,
  auth: string,
  change: Record<string, unknown>,
  publicUrl = 'http://localhost:9999',
): Promise<{ told: string[]; upstream: DiscoveryUpstream }> {
  const upstream = await startDiscoveryUpstream()
  after(() => upstream.close())
  const forPrograms = { authorization_endpoint: undefined, code_challenge_methods_supported: undefined }
  upstream.knobs.documents[SERVER] = upstream.serverDocument({ ...forPrograms, ...change })
  const yaml = `${head.replace('http://localhost:9999', publicUrl)}routes:\n  a: { upstream: "${upstream.mcpUrl}", auth: ${auth.replace('(origin)', upstream.origin)} }\n`
  const told = about('routes.a', await visit(yaml)).map((line) =>
    line.replaceAll(upstream.origin, '(origin)'),
  )
  return { told: told.slice(1), upstream }
}

const SERVICE = '{ type: client_credentials }'
const EXCHANGE = '{ type: token_exchange, authorization_server: { issuer: "(origin)" } }'
const FOUND = 'ok routes.a: (origin) is the authorization server'

test('a discovered server for programs needs neither an authorization endpoint nor PKCE, and is not registered at', async (context) => {
  const { told, upstream } = await discovered(context, SERVICE, {})
  assert.equal(told, [
    FOUND,
    'ok routes.a: it takes registrations: the gateway registers itself at the first use',
  ])
  assert.equal([upstream.recorder.count('/register'), upstream.recorder.count('/token')], [0, 0])
})

test('a grant that its metadata does not list is a warning', async (context) => {
  const { told } = await discovered(context, EXCHANGE, {
    grant_types_supported: ['client_credentials'],
  })
  assert.is(
    told[1],
    `warn routes.a: its metadata does not list the grant ${GRANT}token-exchange → Some servers do not list all that they support: ask whoever runs it.`,
  )
  const fine = await discovered(context, SERVICE, { grant_types_supported: ['client_credentials'] })
  assert.is(fine.told.length, 2)
})

test('as whom the gateway would appear, as the gateway itself would choose', async (context) => {
  const documents = { registration_endpoint: undefined, client_id_metadata_document_supported: true }
  const said = async (auth: string, methods: string[]) => {
    const change = { ...documents, token_endpoint_auth_methods_supported: methods }
    return (await discovered(context, auth, change, 'https://gw.example')).told[1] ?? ''
  }
  const byDocument =
    "ok routes.a: it takes client ID metadata documents: the gateway's client_id is https://gw.example/.well-known/oauth-client/a"
  // On loopback, where a public address cannot be expected to be fetched from, it still may be.
  assert.is(await said(SERVICE, ['private_key_jwt']), byDocument)
  assert.match(
    await said(SERVICE, ['none']),
    /^FAIL .* → Create a client there for the grant client_credentials/,
  )
  assert.is(await said(EXCHANGE, ['none']), byDocument)
  const fixed = '{ token_endpoint: "http://127.0.0.1:9/token", client_id: a }'
  const behindProvider = `{ type: token_exchange, authorization_server: ${fixed}, identity_provider: { issuer: "(origin)" } }`
  const { told } = await discovered(
    context,
    behindProvider,
    { ...documents, token_endpoint_auth_methods_supported: ['none'] },
    'https://gw.example',
  )
  assert.ok(told.includes(`${byDocument}.identity_provider`), told.join('\n'))
})

test('metadata that speaks for another issuer is refused for programs too', async (context) => {
  const { told } = await discovered(context, SERVICE, { issuer: 'https://evil.example' })
  assert.match(told[0] ?? '', 'names another issuer: expected (origin), found https://evil.example')
  assert.is(told.length, 1)
})

/** What is said of a trusted issuer. */
async function issuerSaid(
  issuer: TokenIssuer,
  more = '',
  { route = 'token_issuer: idp', routes }: { route?: string; routes?: string[] } = {},
) {
  const yaml = `${head}trusted_issuers: { idp: { issuer: "${issuer.issuer}"${more} } }
routes:
  reports: { upstream: "http://127.0.0.1:9/mcp", auth: none${route && `, ${route}`} }
  other: { upstream: "http://127.0.0.1:9/mcp", auth: none, token_issuer: idp }
`
  const told = about('trusted_issuers.idp', await visit(yaml, { routes: routes ?? ['reports'] }))
  return told.map((line) => line.replaceAll(issuer.issuer, '(issuer)'))
}

async function issuerFor({ after }: TestContext): Promise<TokenIssuer> {
  const issuer = await startTokenIssuer()
  after(() => issuer.close())
  return issuer
}

/** Metadata of a server that people sign in at. */
function openUp(issuer: TokenIssuer, more: Record<string, unknown> = {}): void {
  const document = {
    issuer: issuer.issuer,
    jwks_uri: issuer.knobs.jwksUri,
    authorization_endpoint: `${issuer.issuer}/authorize`,
    token_endpoint: `${issuer.issuer}/token`,
    code_challenge_methods_supported: ['S256'],
    ...more,
  }
  intercept(issuer.server, (request, response) => {
    if (![METADATA, OPENID].includes(request.url ?? '')) return false
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
    return true
  })
}

test('a trusted issuer with keys and everything that clients need is well', async (context) => {
  const issuer = await issuerFor(context)
  issuer.knobs.keys.push(await newSigningKey('key-2', 'RS256'), await newSigningKey('key-3', 'ES384'))
  openUp(issuer, { registration_endpoint: `${issuer.issuer}/register` })
  assert.equal(await issuerSaid(issuer, ', algorithms: [ES256, RS256, PS256]'), [
    'ok trusted_issuers.idp: 3 keys at (issuer)/jwks, for ES256, RS256',
    'ok trusted_issuers.idp: clients of reports sign in there',
  ])
  assert.match(
    (await issuerSaid(issuer, '', { routes: ['reports', 'other'] }))[1] ?? '',
    'clients of reports, other sign in there',
  )
})

test('an issuer that registers nobody, or lacks PKCE, is told: who gets a token there', async (context) => {
  const closed = await issuerFor(context)
  openUp(closed)
  assert.is(
    (await issuerSaid(closed))[1],
    'ok trusted_issuers.idp: clients of reports need a client_id of it: it takes no registrations',
  )
  const plain = await issuerFor(context)
  openUp(plain, { code_challenge_methods_supported: undefined })
  const [keys = '', clients = ''] = await issuerSaid(plain)
  assert.match(keys, /^ok /)
  assert.match(clients, /^warn .* clients of reports cannot sign in there: .*PKCE with S256/)
})

const SPOILT: Record<string, [spoil: (issuer: TokenIssuer) => unknown, said: RegExp, more?: string]> = {
  'metadata of another issuer': [
    ({ knobs }) => {
      knobs.named = 'https://evil.example'
    },
    /^FAIL .*names another issuer/,
  ],
  'no metadata': [
    ({ knobs }) => {
      knobs.metadataPaths = []
    },
    /^FAIL .*publishes no metadata/,
  ],
  'keys that are not there': [
    ({ knobs, issuer }) => {
      knobs.jwksUri = `${issuer}/nowhere`
    },
    /^FAIL .*holds no key set/,
  ],
  'a key set over http elsewhere': [
    ({ knobs }) => {
      knobs.jwksUri = 'http://evil.example/jwks'
    },
    /^FAIL .*no usable jwks_uri/,
  ],
  'no keys': [
    ({ knobs }) => {
      knobs.keys = []
    },
    /^FAIL .*none of 0 keys at \(issuer\)\/jwks is for/,
  ],
  'keys for other algorithms': [
    () => {},
    /^FAIL .*none of 1 key at \(issuer\)\/jwks is for RS256, so every token is refused → Add the algorithm/,
    ', algorithms: [RS256]',
  ],
  'an error page': [
    ({ knobs }) => {
      knobs.status = 503
    },
    /^FAIL .*answered with 503/,
  ],
  'nobody there': [({ close }) => close(), /^FAIL .*connection refused/],
}

for (const [what, [spoil, said, more]] of Object.entries(SPOILT))
  test(`a trusted issuer with ${what} is a failure`, async (context) => {
    const issuer = await issuerFor(context)
    assert.match((await issuerSaid(issuer))[0] ?? '', /^ok /)
    await spoil(issuer)
    assert.match((await issuerSaid(issuer, more))[0] ?? '', said)
  })

test('an issuer of assertions is asked for its keys alone, and one that no visited route uses is not asked', async (context) => {
  const issuer = await issuerFor(context)
  const own = { route: '' }
  assert.equal(await issuerSaid(issuer, ', id_jag: true', own), [
    'ok trusted_issuers.idp: 1 key at (issuer)/jwks, for ES256',
  ])
  issuer.recorder.clear()
  assert.equal(await issuerSaid(issuer, '', own), [])
  assert.is(issuer.recorder.count(), 0)
})

test.run()
