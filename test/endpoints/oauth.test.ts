// The OAuth endpoints answer as their RFCs say, member by member. Attacks on them are in test/security.
import * as assert from 'uvu/assert'
import { type OAuthClient, registerClient } from '../flow/oauth-client.ts'
import { startGateway, type TestGateway, USER } from '../support/gateway.ts'
import { startMcpServer, type TestMcpServer } from '../support/mcp-server.ts'
import { suite } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'

const test = suite('endpoints/oauth')
const person = { username: USER.username, password: USER.password }

let server: TestMcpServer
let gateway: TestGateway
let client: OAuthClient
test.before(async () => {
  server = await startMcpServer()
  gateway = await startGateway({ yaml: document(openRoute('tools', server)) })
  client = await registerClient(gateway.url)
})
test.after(() => gateway.close())
test.after(() => server.close())

interface Answer {
  status: number
  headers: Headers
  body: Record<string, unknown>
}
async function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body,
  })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Answer['body'] }
}
const register = (metadata: unknown, headers: Record<string, string> = {}) =>
  post('/register', typeof metadata === 'string' ? metadata : JSON.stringify(metadata), {
    'content-type': 'application/json',
    ...headers,
  })

const signedIn = async (as = client) => as.redeem((await as.signIn(as.browser(), person)).callback)

test('spec-C9: RFC 7591: a registration is answered 201 with everything it came to, and is not stored by anybody', async () => {
  const { status, headers, body } = await register({
    client_name: 'Some client',
    redirect_uris: ['http://localhost/cb'],
    scope: 'x',
  })
  assert.is(status, 201)
  assert.is(headers.get('cache-control'), 'no-store')
  const { client_id: id, client_id_issued_at: issuedAt, client_secret: secret, ...rest } = body
  assert.match(String(id), /^dcr-/)
  assert.ok(Math.abs(Number(issuedAt) - Date.now() / 1000) < 60)
  assert.match(String(secret), /^[\w-]{43}$/)
  assert.equal(rest, {
    client_secret_expires_at: 0,
    redirect_uris: ['http://localhost/cb'],
    client_name: 'Some client',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  })
})

test('spec-C11: a registration that is not JSON, or not of that type, or too large, is refused', async () => {
  const good = JSON.stringify({ redirect_uris: ['http://localhost/cb'] })
  const refused: [name: string, answer: Promise<Answer>, status: number, error: string][] = [
    ['not JSON', register('{'), 400, 'invalid_client_metadata'],
    ['nothing', register(''), 400, 'invalid_client_metadata'],
    [
      'form type',
      register(good, { 'content-type': 'application/x-www-form-urlencoded' }),
      400,
      'invalid_client_metadata',
    ],
    [
      'another JSON type',
      register(good, { 'content-type': 'application/json-patch+json' }),
      400,
      'invalid_client_metadata',
    ],
    ['no redirect URI', register({}), 400, 'invalid_redirect_uri'],
    [
      'too much for an id',
      register({ redirect_uris: [`http://localhost/${'x'.repeat(1600)}`] }),
      400,
      'invalid_client_metadata',
    ],
    [
      'too much altogether',
      register({ redirect_uris: ['http://localhost/cb'], padding: 'x'.repeat(70_000) }),
      413,
      'invalid_request',
    ],
  ]
  for (const [name, pending, status, error] of refused) {
    const { status: got, body } = await pending
    assert.equal([got, body.error], [status, error], name)
  }
  assert.is((await register(good, { 'content-type': 'application/json; charset=utf-8' })).status, 201)
})

test('spec-T2, spec-T4: RFC 6749 §5.1: a token answer has these members and no others, and is stored by nobody', async () => {
  const { status, body } = await signedIn()
  assert.is(status, 200)
  assert.equal(Object.keys(body).sort(), [
    'access_token',
    'expires_in',
    'refresh_token',
    'scope',
    'token_type',
  ])
  assert.equal([body.token_type, body.scope], ['Bearer', 'mcp:tools'])
  assert.ok(Number(body.expires_in) > 3590 && Number(body.expires_in) <= 3600)
  const refreshed = await post(
    '/token',
    new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: String(body.refresh_token),
      client_id: client.id,
    }).toString(),
  )
  assert.equal(
    [refreshed.status, refreshed.headers.get('cache-control'), refreshed.headers.get('pragma')],
    [200, 'no-store', 'no-cache'],
  )
  assert.is.not(refreshed.body.refresh_token, body.refresh_token)
})

test('spec-T5: RFC 6749 §5.2: each mistake at the token endpoint has its own code', async () => {
  const { body: pair } = await signedIn()
  const refresh = { grant_type: 'refresh_token', refresh_token: String(pair.refresh_token) }
  const mistakes: [name: string, fields: Record<string, string>, status: number, error: string][] = [
    ['no grant_type', {}, 400, 'invalid_request'],
    ['another grant_type', { grant_type: 'client_credentials' }, 400, 'unsupported_grant_type'],
    ['no code', { grant_type: 'authorization_code' }, 400, 'invalid_request'],
    ['no refresh_token', { grant_type: 'refresh_token' }, 400, 'invalid_request'],
    ['a code that is none', { grant_type: 'authorization_code', code: 'x' }, 400, 'invalid_grant'],
    [
      'an access token as refresh token',
      { grant_type: 'refresh_token', refresh_token: String(pair.access_token) },
      400,
      'invalid_grant',
    ],
    ['a wider scope', { ...refresh, scope: 'mcp:tools mcp:other' }, 400, 'invalid_scope'],
    ['another resource', { ...refresh, resource: `${gateway.url}/other` }, 400, 'invalid_target'],
    ['another client', { ...refresh, client_id: 'dcr-nobody' }, 401, 'invalid_client'],
  ]
  for (const [name, fields, status, error] of mistakes) {
    const answer = await client.token(fields)
    assert.equal([answer.status, answer.body.error], [status, error], name)
  }
  const good = await client.token({ ...refresh, scope: 'mcp:tools', resource: `${gateway.url}/tools/` })
  assert.is(good.status, 200, 'none of them cost the token')
})

test('spec-A1, spec-T6: a confidential client redeems with its secret, by header or by body as registered', async () => {
  for (const method of ['client_secret_basic', 'client_secret_post']) {
    const redirectUri = 'http://127.0.0.1:3118/callback'
    const { body } = await register({ redirect_uris: [redirectUri], token_endpoint_auth_method: method })
    const [id, secret] = [String(body.client_id), String(body.client_secret)]
    const { callback } = await client.signIn(client.browser(), person, { client_id: id })
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      code: callback.searchParams.get('code') ?? '',
      code_verifier: client.verifier,
    })
    const basic = { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` }
    if (method === 'client_secret_post')
      for (const [name, value] of [
        ['client_id', id],
        ['client_secret', secret],
      ])
        form.set(name ?? '', value ?? '')
    const answer = await post('/token', form.toString(), method === 'client_secret_basic' ? basic : {})
    assert.is(answer.status, 200, method)
  }
})

test('spec-A8, spec-D10: RFC 6749 §4.1.2: state comes back as it was sent, or not at all; iss always does', async () => {
  for (const state of ['x', 'a b+c&d=e%20é', '€'.repeat(300), undefined]) {
    const { callback } = await client.signIn(client.browser(), person, { state })
    assert.is(callback.searchParams.get('state'), state ?? null)
    assert.is(callback.searchParams.get('iss'), gateway.url)
    assert.match(callback.searchParams.get('code') ?? '', /^mgc_/)
  }
})

test('spec-A8: parameters that mean nothing here are ignored: prompt, nonce, ui_locales', async () => {
  const { callback } = await client.signIn(client.browser(), person, {
    prompt: 'consent',
    nonce: 'n',
    ui_locales: 'de',
    max_age: '0',
  })
  assert.ok(callback.searchParams.has('code'))
})

test('a client of another gateway, or of this one before its key was lost, is told on a page what to do', async () => {
  const page = await client.open(client.browser(), { client_id: 'dcr-abcd.efgh' })
  assert.is(page.status, 400)
  assert.match(page.text, 'add it again')
  assert.is(page.sentTo, undefined)
})

test.run()
