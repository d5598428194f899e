// What `doctor` says of routes: upstreams, authorization servers, the client, the redirect URI.
import type { ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { adviceFor, reasonOf } from '../../src/doctor/observe.ts'
import { UpstreamError } from '../../src/errors.ts'
import { startDiscoveryUpstream } from '../support/discovery-upstream.ts'
import { startGithub } from '../support/github.ts'
import { type Handler, listen } from '../support/http.ts'
import { startOidc } from '../support/oidc.ts'
import { freePort } from '../support/ports.ts'
import { suite } from '../support/suite.ts'
import { about, CANARY, visit } from './visit.ts'

const test = suite('doctor/routes')

const head = 'version: 1\nserver: { port: 0 }\nstore: { type: memory }\nroutes:\n'
const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

test('a server that says everything about itself is well', async ({ after }) => {
  const oidc = await startOidc()
  after(oidc.close)
  assert.equal(await visit(`${head}  demo: { upstream: "${oidc.url}" }\n`), [
    'ok file: the gateway sees edits to (folder)/gateways.yaml',
    'ok server.port: the gateway takes any free port at its start',
    `ok routes.demo: ${oidc.issuer} answers, and wants a sign-in (401)`,
    `ok routes.demo: ${oidc.issuer} is the authorization server, and supports PKCE with S256`,
    'ok routes.demo: it takes registrations: the gateway registers itself at the first sign-in',
    `ok clock: this machine's clock agrees with ${new URL(oidc.issuer).host}`,
  ])
  const asked = oidc.recorder.requests.map(({ method, path }) => `${method} ${path.split('?')[0]}`)
  assert.not.ok(asked.includes('POST /register'), 'nothing is registered')
})

interface GithubCase {
  readonly id?: string
  readonly secret?: string
}

async function askGithub({ id, secret }: GithubCase) {
  const github = await startGithub({ clientSecret: `${CANARY}-right` })
  const yaml = `version: 1
server: { port: 0, public_url: "http://localhost:9999" }
store: { type: memory }
authorization_servers:
  hub:
    authorization_endpoint: ${github.authorizationEndpoint}
    token_endpoint: ${github.tokenEndpoint}
    client_id: ${id ?? github.knobs.clientId}
    client_secret: \${SECRET}
    token_endpoint_auth_method: client_secret_post
routes:
  one: { upstream: "${github.mcpUrl}", auth: { type: authorization_code, authorization_server: hub, scope: repo } }
  two: { upstream: "${github.mcpUrl}", auth: { type: authorization_code, authorization_server: hub } }
`
  try {
    const told = await visit(yaml, { env: { SECRET: secret ?? `${CANARY}-right` } })
    return { server: about('authorization_servers.hub', told), told, tokens: github.tokens() }
  } finally {
    await github.close()
  }
}

test('fixed endpoints: the client is known when only the code is refused', async () => {
  const { server, told, tokens } = await askGithub({})
  assert.equal(server, [
    'ok authorization_servers.hub: authorization_endpoint and token_endpoint are set, so its metadata is not read: whether it supports PKCE is unknown. The gateway sends S256',
    'ok authorization_servers.hub: the client needs this redirect URI: http://localhost:9999/upstream/callback/hub',
    'ok authorization_servers.hub: the token endpoint knows the client',
    'ok authorization_servers.hub: the authorization endpoint begins a sign-in',
  ])
  assert.is(about('routes.two', told).length, 1, 'a shared server is asked once')
  assert.equal(tokens, [])
})

test('a wrong secret is found, and not repeated', async () => {
  const { server } = await askGithub({ secret: `${CANARY}-wrong` })
  assert.ok(
    server.includes(
      'FAIL authorization_servers.hub: the token endpoint does not know the client (invalid_client) → Check client_id, client_secret and token_endpoint_auth_method.',
    ),
    server.join('\n'),
  )
})

test('a wrong client_id is found at both endpoints', async () => {
  const { server } = await askGithub({ id: 'nobody' })
  assert.is(server.filter((line) => line.startsWith('FAIL')).length, 2)
  assert.match(
    server.join('\n'),
    'the authorization endpoint refuses client or redirect URI (404) → Check client_id, and register http://localhost:9999/upstream/callback/hub there.',
  )
})

test('a redirect URI that is not registered is found', async ({ after }) => {
  const oidc = await startOidc()
  after(oidc.close)
  const route = (name: string) =>
    `${head}  ${name}: { upstream: "${oidc.url}", auth: { type: authorization_code, authorization_server: { issuer: "${oidc.issuer}", client_id: ${oidc.clientId} } } }\n`
  const good = about('routes.demo', await visit(route('demo')))
  assert.equal(
    good.filter((line) => !line.startsWith('ok')),
    [],
  )
  assert.match(good.join('\n'), 'the token endpoint knows the client')
  const bad = about('routes.elsewhere', await visit(route('elsewhere')))
  assert.match(bad.join('\n'), /FAIL .* refuses client or redirect URI \(400\)/)
})

const KEY = 'auth: { type: api_key, value: "${KEY}" }'
const CODE =
  'auth: { type: authorization_code, authorization_server: { authorization_endpoint: "https://x.invalid/a", token_endpoint: "https://x.invalid/t", client_id: a } }'

const statuses: [status: number, auth: string, expected: RegExp][] = [
  [200, 'auth: none', /^ok .* answers$/],
  [401, 'auth: none', /^FAIL .* wants a sign-in \(401\), and auth is none/],
  [200, KEY, /^ok .* takes the key$/],
  [401, KEY, /^FAIL .* refuses the key \(401\)/],
  [403, KEY, /^FAIL .* refuses the key \(403\)/],
  [400, KEY, /^warn .* answers MCP requests with 400/],
  [200, CODE, /^warn .* answers without a sign-in/],
  [401, CODE, /^ok .* wants a sign-in/],
  [404, CODE, /^FAIL .* 404: nothing is there/],
  [405, 'auth: none', /^FAIL .* 405: it takes no POST/],
  [307, 'auth: none', /^FAIL .* redirect \(307\)/],
  [503, CODE, /^FAIL .* answers 503/],
]

for (const [status, auth, expected] of statuses) {
  test(`an upstream that answers ${status} to ${/type: (\w+)/.exec(auth)?.[1] ?? 'none'}`, async ({
    after,
  }) => {
    const keys: unknown[] = []
    const upstream = await listen((request, response) => {
      keys.push(request.headers.authorization)
      json(response, status, {})
    })
    after(upstream.close)
    const told = await visit(`${head}  a: { upstream: "${upstream.origin}/mcp", ${auth} }\n`, {
      env: { KEY: `Bearer ${CANARY}` },
    })
    assert.match(about('routes.a', told)[0] ?? '', expected)
    assert.is(keys[0], auth === KEY ? `Bearer ${CANARY}` : undefined)
  })
}

const RIGHT_KEY = `Bearer ${CANARY}-right`

const greeted: [what: string, auth: string, expected: RegExp, key?: string][] = [
  ['no credentials at all', 'auth: none', /^FAIL .* wants a sign-in \(401\), and auth is none/],
  ['a wrong key', KEY, /^FAIL .* refuses the key \(401\)/, `Bearer ${CANARY}-wrong`],
  ['the right key', KEY, /^ok .* takes the key$/, RIGHT_KEY],
  ['discovery', '', /^ok .* wants a sign-in \(401\)$/],
  ['client credentials', 'auth: { type: client_credentials }', /^ok .* wants credentials \(401\)$/],
  ['a pasted key', 'auth: { type: user_api_key }', /^ok .* wants credentials \(401\)$/],
]

for (const [what, auth, expected, key = RIGHT_KEY] of greeted)
  test(`an upstream that greets everybody and wants a token from then on, with ${what}`, async ({
    after,
  }) => {
    const upstream = await startDiscoveryUpstream({ tokens: new Map([[`${CANARY}-right`, 'somebody']]) })
    after(() => upstream.close())
    upstream.knobs.greets = true
    const yaml = `${head}  a: { upstream: "${upstream.mcpUrl}"${auth && `, ${auth}`} }\n`
    assert.match(about('routes.a', await visit(yaml, { env: { KEY: key } }))[0] ?? '', expected)
    assert.is(upstream.recorder.saw(`Bearer ${CANARY}`), auth === KEY)
  })

test('an open upstream that does not answer before the handshake is over is well', async ({ after }) => {
  const upstream = await listen((request, response) => {
    response.setHeader('mcp-session-id', 'a')
    json(response, request.headers['mcp-session-id'] ? 400 : 200, {})
  })
  after(upstream.close)
  const told = await visit(`${head}  a: { upstream: "${upstream.origin}", auth: none }\n`)
  assert.equal(about('routes.a', told), [`ok routes.a: ${upstream.origin} answers`])
})

test('an upstream that is down is told once, and the others are asked all the same', async ({ after }) => {
  const gone = `http://127.0.0.1:${await freePort()}`
  const up = await listen((_, response) => json(response, 200, {}))
  after(up.close)
  const told = await visit(
    `${head}  down: { upstream: "${gone}" }\n  up: { upstream: "${up.origin}", auth: none }\n`,
  )
  assert.equal(about('routes.down', told), [
    `FAIL routes.down: ${gone} gave no answer: connection refused → Nothing listens there: check host and port of the URL, and whether the server runs.`,
  ])
  assert.equal(about('routes.up', told), [`ok routes.up: ${up.origin} answers`])
})

const causes: [reason: string, words: RegExp, advice: RegExp][] = [
  ['ECONNREFUSED', /^connection refused$/, /^Nothing listens there/],
  ['ENOTFOUND', /^no such host name$/, /^Check the host name/],
  ['EAI_AGAIN', /^name resolution does not work$/, /^Check the name servers/],
  ['timeout', /^no answer in time$/, /firewall/],
  ['CERT_HAS_EXPIRED', /certificate/, /^See tls below\.$/],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', /certificate/, /^See tls below\.$/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /certificate/, /^See tls below\.$/],
  ['ERR_SSL_WRONG_VERSION_NUMBER', /no TLS/, /scheme and port/],
  ['ERR_PROXY_407', /answers 407$/, /egress\.proxy_authorization/],
  ['ERR_PROXY_CERT_HAS_EXPIRED', /^the proxy .*certificate/, /^See egress\.proxy\.$/],
  ['ESTRANGE', /^ESTRANGE$/, /^Check the URL, name resolution and the firewall/],
]

for (const [reason, words, advice] of causes) {
  test(`no answer because of ${reason} has advice that fits`, () => {
    const error = new UpstreamError('unreachable', 'the upstream could not be reached', { reason })
    assert.match(reasonOf(error), words)
    assert.match(adviceFor(error), advice)
  })
}

test('a token endpoint that is down, or is none, is told', async ({ after }) => {
  const page = await listen((request, response) =>
    json(response, request.url === '/mcp' ? 401 : request.method === 'GET' ? 302 : 200, { hello: 'world' }),
  )
  after(page.close)
  const gone = `http://127.0.0.1:${await freePort()}`
  const told = async (origin: string) =>
    about(
      'routes.a',
      await visit(
        `${head}  a: { upstream: "${page.origin}/mcp", auth: { type: authorization_code, authorization_server: { authorization_endpoint: "${page.origin}/authorize", token_endpoint: "${origin}/token", client_id: a } } }\n`,
      ),
    ).filter((line) => line.startsWith('FAIL'))
  assert.equal(await told(gone), [
    'FAIL routes.a: the token endpoint gave no answer: connection refused → Check token_endpoint.',
  ])
  assert.equal(await told(page.origin), [
    'FAIL routes.a: the answer of the token endpoint is not OAuth → Check token_endpoint.',
  ])
})

test('only the routes that were named are asked', async ({ after }) => {
  const up = await listen((_, response) => json(response, 200, {}))
  after(up.close)
  const yaml = `${head}  a: { upstream: "${up.origin}", auth: none }\n  b: { upstream: "${up.origin}", auth: none }\n`
  const told = await visit(yaml, { routes: ['b'] })
  assert.equal([about('routes.a', told).length, about('routes.b', told).length], [0, 1])
})

/** An upstream and its authorization server with this metadata. */
async function discovered(
  metadata: (origin: string) => unknown,
  publicUrl = 'http://localhost:0',
): Promise<string[]> {
  const answer: Handler = ({ url = '', headers: { host } }, response) => {
    const origin = `http://${host}`
    if (url === '/.well-known/oauth-authorization-server') return json(response, 200, metadata(origin))
    return url === '/mcp' ? json(response, 401, {}) : json(response, 404, {})
  }
  const server = await listen(answer)
  try {
    const settings = head.replace('port: 0', `port: 0, public_url: "${publicUrl}"`)
    const told = await visit(`${settings}  a: { upstream: "${server.origin}/mcp" }\n`)
    return about('routes.a', told).map((line) => line.replaceAll(server.origin, '(origin)'))
  } finally {
    await server.close()
  }
}

const good = (origin: string) => ({
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  code_challenge_methods_supported: ['S256'],
})

test('a server that takes no registrations needs a client_id, and the redirect URI is named', async () => {
  const [, , registration] = await discovered(good)
  assert.is(
    registration,
    'FAIL routes.a: it takes no registrations, and no client_id is configured → Create a client there with the redirect URI http://localhost:0/upstream/callback/a, and write its client_id under routes.a.auth.authorization_server.',
  )
})

test('a server that takes metadata documents is told where the gateway has one, if it can be fetched', async () => {
  const withDocuments = (origin: string) => ({
    ...good(origin),
    client_id_metadata_document_supported: true,
  })
  const [, , from] = await discovered(withDocuments, 'https://gw.example')
  assert.is(
    from,
    "ok routes.a: it takes client ID metadata documents: the gateway's client_id is https://gw.example/.well-known/oauth-client/a",
  )
  const [, , inside] = await discovered(withDocuments)
  assert.match(inside ?? '', /^FAIL routes\.a: it takes no registrations/)
})

test('a server without PKCE S256 is refused', async () => {
  const [, server] = await discovered((origin) => ({
    ...good(origin),
    code_challenge_methods_supported: ['plain'],
  }))
  assert.match(server ?? '', /^FAIL routes\.a: .*does not support PKCE with S256/)
})

test('a server that speaks for another issuer is refused, and both are named', async () => {
  const [, server] = await discovered((origin) => ({ ...good(origin), issuer: 'https://evil.example' }))
  assert.match(server ?? '', 'names another issuer: expected (origin), found https://evil.example')
})

test('a server without metadata is told with what to write instead', async () => {
  const [, server] = await discovered(() => undefined)
  assert.match(
    server ?? '',
    /^warn routes\.a: .*publishes no metadata.* → If it is not, write issuer, or authorization_endpoint, token_endpoint and client_id, under routes\.a\.auth\.authorization_server\./,
  )
})

test('a clock that is two minutes off is a warning', async ({ after }) => {
  const late = await listen((_, response) => {
    response.setHeader('date', new Date(Date.now() - 120_000).toUTCString())
    json(response, 200, {})
  })
  after(late.close)
  const told = await visit(`${head}  a: { upstream: "${late.origin}", auth: none }\n`)
  assert.match(
    about('clock', told).join(),
    /^warn clock: this machine is 1(19|20|21) s ahead of 127\.0\.0\.1/,
  )
})

test.run()
