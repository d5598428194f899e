// Auth type token_exchange, from outside: each caller's own token at the upstream, without a second sign-in.
import * as assert from 'uvu/assert'
import { basic, callTool, postForm } from '../security/client.ts'
import { startGateway } from '../support/gateway.ts'
import { SERVICE_ENV, serverOf, startServiceScene } from '../support/service-scene.ts'
import { CLIENT, type ServiceUpstream, startServiceUpstream } from '../support/service-upstream.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { startTokenIssuer } from '../support/token-issuer.ts'

const test = suite('flow/token-exchange')
const HOUR_MS = 3_600_000
const TYPE = 'urn:ietf:params:oauth:token-type:'

const WITH_EMAIL = `
login:
  users:
    victim: { password_hash: "\${VICTIM_HASH}", email: victim@example.com }
    attacker: { password_hash: "\${ATTACKER_HASH}" }
`
const auth = (upstream: ServiceUpstream, more = '') =>
  `{ type: token_exchange, authorization_server: ${serverOf(upstream)}${more} }`

/** The upstream verifies subject tokens by the gateway's published keys. */
async function start(context: TestContext, more = '') {
  const scene = await startServiceScene(context, (upstream) => auth(upstream, more), { top: WITH_EMAIL })
  scene.upstream.knobs.jwksUri = `${scene.gateway.url}/.well-known/jwks.json`
  return scene
}

const exchanges = (upstream: ServiceUpstream) => upstream.requests('token-exchange')

test('spec-P10, sec-P18: each person is themselves at the upstream, by a token that the gateway signs about them', async (context) => {
  const { upstream, gateway, mcpUrl, victim, attacker } = await start(
    context,
    ', scope: orders, audience: "api://x"',
  )
  assert.is(await callTool(mcpUrl, victim.access, 'whoami'), 'users/victim')
  assert.is(await callTool(mcpUrl, attacker.access, 'whoami'), 'users/attacker')
  const [form, ...others] = exchanges(upstream)
  assert.is(others.length, 1, 'one for each')
  assert.equal(
    ['subject_token_type', 'requested_token_type', 'audience', 'scope', 'resource'].map((name) =>
      form?.get(name),
    ),
    [`${TYPE}jwt`, `${TYPE}access_token`, 'api://x', 'orders', upstream.mcpUrl],
  )
  const { header, payload } = upstream.subjects[0] ?? {}
  const { iss, sub, aud, exp = 0, iat = 0, jti, email } = payload ?? {}
  assert.equal(
    [iss, sub, aud, email],
    [gateway.url, 'users/victim', upstream.tokenEndpoint, 'victim@example.com'],
  )
  assert.ok(exp - iat <= 60 && typeof jti === 'string')
  assert.match(JSON.stringify(header), '"alg":"ES256"')
  assert.match(JSON.stringify(header), '"typ":"JWT"', 'an identity assertion has another')
  assert.is(upstream.subjects[1]?.payload.email, undefined, 'nobody’s email is not an empty one')
  assert.not.ok(upstream.recorder.saw(victim.access))
})

test('a machine client with a person’s name for its id is somebody else at the upstream', async (context) => {
  const machine = '{ client_secret: "${CLIENT_SECRET}", grant_types: [client_credentials] }'
  const top = `${WITH_EMAIL}clients: { static: { victim: ${machine} } }`
  const { upstream, gateway, mcpUrl, victim } = await startServiceScene(context, auth, { top })
  const form = { grant_type: 'client_credentials', resource: mcpUrl }
  const { body } = await postForm(`${gateway.url}/token`, form, {
    authorization: basic('victim', CLIENT.secret),
  })
  assert.is(await callTool(mcpUrl, String(body.access_token), 'whoami'), 'clients/victim')
  assert.is(await callTool(mcpUrl, victim.access, 'whoami'), 'users/victim')
  assert.equal(
    upstream.subjects.map(({ payload: { sub, name } }) => [sub, name]),
    [
      ['clients/victim', undefined],
      ['users/victim', 'victim'],
    ],
  )
})

test('50 calls at once of one person: one exchange', async (context) => {
  const { upstream, call } = await start(context)
  const answers = await Promise.all(Array.from({ length: 50 }, () => call()))
  assert.equal([...new Set(answers.map(({ status }) => status))], [200])
  assert.is(exchanges(upstream).length, 1)
})

test('an expired or refused token is exchanged for anew, in the middle of a session', async (context) => {
  const { upstream, call, pass } = await start(context)
  assert.is((await call()).status, 200)
  upstream.tokens.clear()
  assert.is((await call()).status, 200)
  upstream.knobs.jwksUri = undefined
  pass(2 * HOUR_MS)
  assert.is((await call()).status, 200)
  assert.is(exchanges(upstream).length, 3)
})

test('a person whom the server does not know is refused alone: 403, and nobody is sent to sign in', async (context) => {
  const { upstream, gateway, call, victim, attacker, pass } = await start(context)
  upstream.knobs.answer = {
    status: 400,
    body: { error: 'invalid_grant', error_description: 'secret reason' },
  }
  const refused = await call(victim)
  assert.is(refused.status, 403)
  assert.is(refused.headers.get('www-authenticate'), null)
  assert.not.match(refused.text, 'secret reason')
  const told = gateway.log.filter(({ fields }) => fields.upstreamError === 'invalid_grant')
  assert.equal(
    told.map(({ level }) => level),
    ['warn', 'info'],
    'the gateway may be meant: only its operator can tell',
  )
  assert.equal(told[0]?.fields, {
    route: 'service',
    subject: 'users/victim',
    upstreamError: 'invalid_grant',
    upstreamStatus: 400,
    authorizationServer: new URL(upstream.origin).host,
    upstreamClient: CLIENT.id,
  })
  assert.not.match(JSON.stringify(gateway.log), 'secret reason')
  upstream.knobs.answer = undefined
  assert.is((await call(attacker)).status, 200)
  pass(2_000)
  assert.is((await call(victim)).status, 200)
})

test('the gateway’s own mistakes are the operator’s: 502', async (context) => {
  const { upstream, call } = await start(context)
  upstream.knobs.answer = { status: 401, body: { error: 'invalid_client' } }
  const refused = await call()
  assert.is(refused.status, 502)
  assert.match(refused.text, 'operator')
})

test('who leaves the configuration leaves no token behind', async (context) => {
  const { upstream, gateway, call } = await start(context)
  assert.is((await call()).status, 200)
  const text = gateway.app.running().text
  await gateway.app.reload(text.replace(/^ {4}victim: .*$/m, ''))
  assert.is((await call()).status, 401)
  await gateway.app.reload(text)
  assert.is((await call()).status, 401)
  assert.is(exchanges(upstream).length, 1)
  const held = gateway.log.some(({ event }) => event === 'user forgotten')
  assert.ok(held)
})

test('another email is another token: claims are part of what was exchanged', async (context) => {
  const { upstream, gateway, call } = await start(context)
  assert.is((await call()).status, 200)
  const text = gateway.app.running().text
  await gateway.app.reload(text.replace('victim@example.com', 'v@example.com'))
  assert.is((await call()).status, 200)
  assert.equal(
    upstream.subjects.map(({ payload }) => payload.email),
    ['victim@example.com', 'v@example.com'],
  )
})

test('spec-X4: with an identity provider: an exchange there for an ID-JAG, which the server takes for its own token', async (context) => {
  const scene = await startServiceScene(
    context,
    (upstream) =>
      `{ type: token_exchange, scope: orders, identity_provider: ${serverOf(upstream)}, authorization_server: { issuer: "https://as.example", token_endpoint: "${upstream.tokenEndpoint}", client_id: ${CLIENT.id}, client_secret: "\${CLIENT_SECRET}" } }`,
  )
  const { upstream, mcpUrl, victim, attacker } = scene
  upstream.knobs.jwksUri = `${scene.gateway.url}/.well-known/jwks.json`
  assert.is(await callTool(mcpUrl, victim.access, 'whoami'), 'users/victim')
  assert.is(await callTool(mcpUrl, attacker.access, 'whoami'), 'users/attacker')
  const [form] = exchanges(upstream)
  assert.equal(
    ['requested_token_type', 'audience', 'resource', 'scope'].map((name) => form?.get(name)),
    [`${TYPE}id-jag`, 'https://as.example', upstream.mcpUrl, 'orders'],
  )
  const [bearer] = upstream.requests('jwt-bearer')
  assert.match(bearer?.get('assertion') ?? '', /^id-jag-/)
  assert.is(upstream.requests('jwt-bearer').length, 2)
})

for (const [what, issued] of Object.entries({
  'an access token': { issued_token_type: `${TYPE}access_token` },
  'a JWT': { issued_token_type: `${TYPE}jwt` },
  'of no type': {},
  'of an empty type': { issued_token_type: '' },
  'of a type that is no text': { issued_token_type: [`${TYPE}id-jag`] },
}))
  test(`spec-X4: an answer that is no ID-JAG but ${what} is not handed on (RFC 8693 §2.2.1)`, async (context) => {
    const { upstream, gateway, mcpUrl, victim, call, pass } = await startServiceScene(
      context,
      (upstream) =>
        `{ type: token_exchange, identity_provider: ${serverOf(upstream)}, authorization_server: ${serverOf(upstream)} }`,
    )
    upstream.knobs.answer = {
      status: 200,
      body: { access_token: 'of-the-provider', token_type: 'Bearer', ...issued },
    }
    assert.is((await call()).status, 502)
    assert.equal([upstream.requests('jwt-bearer').length, upstream.recorder.count('POST /mcp')], [0, 0])
    assert.not.ok(upstream.recorder.saw('of-the-provider'))
    const { fields } = await gateway.logged('request failed')
    assert.is(fields.unexpected, 'issued_token_type')
    upstream.knobs.answer = undefined
    pass(11_000)
    assert.is(await callTool(mcpUrl, victim.access, 'whoami'), 'users/victim')
  })

for (const issued of ['access_token', 'jwt', undefined])
  test(`a token that is issued as ${issued ?? 'nothing in particular'} is sent`, async (context) => {
    const { upstream, call } = await start(context)
    upstream.tokens.set('issued', 'users/victim')
    upstream.knobs.answer = {
      status: 200,
      body: {
        access_token: 'issued',
        token_type: 'Bearer',
        ...(issued !== undefined && { issued_token_type: TYPE + issued }),
      },
    }
    assert.is((await call()).status, 200)
  })

for (const issued of ['refresh_token', 'id-jag', 'id_token', 'saml2', 'undefined', ''])
  test(`a token that is issued as "${issued}" never reaches the MCP server (RFC 8693 §2.2.1)`, async (context) => {
    const { upstream, gateway, call, pass } = await start(context)
    upstream.knobs.answer = {
      status: 200,
      body: { access_token: 'not-for-you', token_type: 'N_A', issued_token_type: `${TYPE}${issued}` },
    }
    assert.is((await call()).status, 502)
    assert.not.ok(upstream.recorder.saw('not-for-you'))
    assert.is(upstream.recorder.count('POST /mcp'), 0)
    const { fields } = await gateway.logged('request failed')
    assert.equal([fields.status, fields.unexpected], [502, 'issued_token_type'])
    upstream.knobs.answer = undefined
    pass(11_000)
    assert.is((await call()).status, 200)
  })

test('a subject token from elsewhere makes everybody one person, with one exchange', async (context) => {
  const header = Buffer.from('{"alg":"none"}').toString('base64url')
  const idToken = `${header}.${Buffer.from('{"sub":"robot"}').toString('base64url')}.`
  const scene = await startServiceScene(
    context,
    (upstream) => auth(upstream, ', subject_token: "${file:id_token}"'),
    { files: { id_token: idToken } },
  )
  const { upstream, mcpUrl, victim, attacker } = scene
  assert.is(await callTool(mcpUrl, victim.access, 'whoami'), 'robot')
  assert.is(await callTool(mcpUrl, attacker.access, 'whoami'), 'robot')
  const [form, ...others] = exchanges(upstream)
  assert.equal([form?.get('subject_token'), form?.get('subject_token_type')], [idToken, `${TYPE}id_token`])
  assert.is(others.length, 0)
})

test('a client that came with a JWT of another issuer is that person upstream, by that very JWT', async (context) => {
  const upstream = await startServiceUpstream()
  context.after(() => upstream.close())
  const issuer = await startTokenIssuer()
  context.after(() => issuer.close())
  const gateway = await startGateway({
    yaml: `version: 1
server: { port: 0 }
trusted_issuers: { corp: { issuer: "${issuer.origin}" } }
routes:
  service:
    upstream: ${upstream.mcpUrl}
    token_issuer: corp
    auth: ${auth(upstream, ', subject_token: caller')}
`,
    env: SERVICE_ENV,
  })
  context.after(() => gateway.close())
  const url = `${gateway.url}/service`
  const [ann, again, bob] = [
    await issuer.token(url, { sub: 'ann' }),
    await issuer.token(url, { sub: 'ann', scope: 'less' }),
    await issuer.token(url, { sub: 'bob' }),
  ]
  for (const [jwt, subject] of [
    [ann, 'ann'],
    [ann, 'ann'],
    [again, 'ann'],
    [bob, 'bob'],
  ] as const)
    assert.is(await callTool(url, jwt, 'whoami'), subject)
  assert.equal(
    exchanges(upstream).map((form) => form.get('subject_token')),
    [ann, again, bob],
    'one for each token: what is in one of them is not in the other',
  )
  assert.equal(exchanges(upstream)[0]?.get('subject_token_type'), `${TYPE}access_token`)
  const toServer = upstream.recorder.to('POST /mcp')
  assert.not.ok(
    toServer.some(({ headers }) => headers.authorization?.includes(ann)),
    'the server never sees it',
  )
})

test.run()
