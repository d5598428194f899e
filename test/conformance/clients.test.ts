// How clients make themselves known, as RFC 7591 and the MCP specification say it (spec-C…), and with what they prove
// who they are (spec-T5, spec-T6).
import * as assert from 'uvu/assert'
import { basic, Client, callMcp, postForm, postJson, send, tokensOf } from '../security/client.ts'
import {
  assertErrorPage,
  newBrowser,
  obtainCode,
  obtainTokens,
  openConsent,
  startWorld,
  stillWorks,
  TWO_USERS,
  withoutUpstream,
} from '../security/world.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute } from '../support/yaml.ts'

const test = suite('conformance/clients')

const LOOPBACK = ['http://127.0.0.1/callback', 'http://localhost:3118/callback', 'http://[::1]/callback']

test('spec-C10: whatever application_type says, or if it says nothing, loopback and https stay good', async (context) => {
  const world = await startWorld(context)
  for (const applicationType of ['native', 'web', 'service', '', null, 7, undefined]) {
    const uris = [...LOOPBACK, 'https://client.test/cb', 'cursor://anysphere.cursor-mcp/oauth/callback']
    const { status, body } = await postJson(`${world.url}/register`, {
      redirect_uris: uris,
      token_endpoint_auth_method: 'none',
      application_type: applicationType,
    })
    assert.equal([applicationType, status, body.redirect_uris], [applicationType, 201, uris])
    const client = new Client(world.url, body)
    for (const redirectUri of uris) {
      const { page } = await openConsent(newBrowser(), client, { redirect_uri: redirectUri })
      assert.equal([applicationType, redirectUri, page.status], [applicationType, redirectUri, 200])
    }
  }
  await stillWorks(world)
})

test('spec-C11: unknown members are ignored, and what is not served is replaced, not refused', async (context) => {
  const world = await startWorld(context)
  const asked = {
    client_name: 'Asks for much',
    redirect_uris: ['https://client.test/cb', 'http://localhost:6274/oauth/callback'],
    token_endpoint_auth_method: 'tls_client_auth',
    grant_types: ['authorization_code', 'implicit', 'urn:example:grant'],
    response_types: ['code', 'token'],
    scope: 'openid profile admin',
    subject_type: 'pairwise',
    'client_name#de': 'Will viel',
    software_statement: 'e30.e30.',
    require_pushed_authorization_requests: true,
    __proto__x: 1,
  }
  const { status, headers, body } = await postJson(`${world.url}/register`, asked)
  assert.is(status, 201)
  assert.match(headers.get('content-type') ?? '', /^application\/json/)
  assert.equal(
    [body.redirect_uris, body.grant_types, body.response_types],
    [asked.redirect_uris, ['authorization_code', 'refresh_token'], ['code']],
  )
  assert.ok(
    ['none', 'client_secret_basic', 'client_secret_post'].includes(String(body.token_endpoint_auth_method)),
  )
  // What it says is what holds.
  const { tokens } = await obtainTokens({ client: new Client(world.url, body) })
  assert.is((await callMcp(world.mcpUrl, tokens.access)).status, 200)
})

test('spec-C9: an id, its time, the method and, with a secret alone, its expiry; the same metadata may come again', async (context) => {
  const { url } = await startWorld(context)
  for (const method of ['none', 'client_secret_basic', 'client_secret_post']) {
    const metadata = { redirect_uris: ['https://client.test/cb'], token_endpoint_auth_method: method }
    const { status, headers, body } = await postJson(`${url}/register`, metadata)
    assert.is(status, 201)
    assert.is(headers.get('cache-control'), 'no-store')
    assert.is(body.token_endpoint_auth_method, method, 'Python clients send no secret unless this is echoed')
    assert.type(body.client_id_issued_at, 'number')
    assert.equal(
      ['client_secret' in body, body.client_secret_expires_at],
      method === 'none' ? [false, undefined] : [true, 0],
    )
    const again = await postJson(`${url}/register`, metadata)
    assert.is(again.status, 201)
  }
})

test('spec-T6: ids and secrets are made of letters that need no encoding anywhere', async (context) => {
  const { url } = await startWorld(context)
  for (let index = 0; index < 50; index += 1) {
    const { id, secret } = await Client.register(url, {
      token_endpoint_auth_method: 'client_secret_basic',
      client_name: `${index} ü+/=%`,
    })
    for (const text of [id, secret ?? '']) {
      assert.match(text, /^[A-Za-z0-9._-]{20,}$/)
      assert.is(encodeURIComponent(text), text)
    }
  }
})

const STATIC = `
clients:
  static:
    tool: { client_name: "The tool", redirect_uris: ["https://tool.test/cb", "http://127.0.0.1/cb"] }
    server: { redirect_uris: ["https://server.test/cb"], client_secret: "\${TOOL_SECRET}" }
`
const SECRET = 'secret: of + the / tool%20'

test('spec-C12, spec-T6: a client of the configuration signs in with what was written there, and with nothing else', async (context) => {
  const world = await startWorld(context, {
    env: { TOOL_SECRET: SECRET },
    yaml: (github) => document(githubRoute('github', github)) + TWO_USERS + STATIC,
  })
  const { url } = world
  const tool = new Client(url, {
    client_id: 'tool',
    redirect_uris: ['https://tool.test/cb'],
    token_endpoint_auth_method: 'none',
  })
  const { tokens, pages } = await obtainTokens({ client: tool })
  assert.match(pages[0]?.text ?? '', 'The tool')
  assert.is((await callMcp(world.mcpUrl, tokens.access)).status, 200)
  for (const [id, redirectUri] of [
    ['tool', 'https://server.test/cb'],
    ['server', 'https://tool.test/cb'],
    ['Tool', 'https://tool.test/cb'],
    ['constructor', 'https://tool.test/cb'],
  ]) {
    const trip = tool.trip({ client_id: id, redirect_uri: redirectUri })
    assertErrorPage(await withoutUpstream(world, () => newBrowser().goto(trip.url)))
  }

  const server = new Client(url, { client_id: 'server', redirect_uris: ['https://server.test/cb'] })
  const encoded = `Basic ${Buffer.from(`server:${encodeURIComponent(SECRET)}`).toString('base64')}`
  const ways: [form: Record<string, string>, headers: Record<string, string>][] = [
    [{ client_id: 'server', client_secret: SECRET }, {}],
    [{}, { authorization: encoded }],
  ]
  for (const [form, headers] of ways) {
    const { code, trip } = await obtainCode({ client: server })
    const grant = {
      grant_type: 'authorization_code',
      code,
      code_verifier: trip.verifier,
      redirect_uri: server.redirectUri,
    }
    for (const wrong of [
      await postForm(`${url}/token`, { ...grant, client_id: 'server' }),
      await postForm(`${url}/token`, { ...grant, client_id: 'server', client_secret: `${SECRET}x` }),
      await postForm(`${url}/token`, grant, { authorization: basic('server', 'wrong') }),
    ])
      assert.equal([wrong.status, wrong.body.error], [401, 'invalid_client'])
    const { access } = tokensOf(await postForm(`${url}/token`, { ...grant, ...form }, headers))
    assert.is((await callMcp(world.mcpUrl, access)).status, 200)
  }
})

test('spec-C13, spec-T5: who is unknown is told so in a way that makes clients register anew', async (context) => {
  const world = await startWorld(context)
  const { url } = world
  const known = await Client.register(url, { token_endpoint_auth_method: 'client_secret_basic' })
  await withoutUpstream(world, async () => {
    for (const path of ['/token', '/revoke', '/introspect']) {
      const form = { grant_type: 'refresh_token', refresh_token: 'x', token: 'x' }
      const byBody = await postForm(url + path, { ...form, client_id: 'dcr-gone' })
      assert.equal([path, byBody.status, byBody.body.error], [path, 401, 'invalid_client'])
      assert.is(byBody.headers.get('www-authenticate'), null, 'nobody tried the header')
      const byHeader = await postForm(url + path, form, { authorization: basic('dcr-gone', 'x') })
      assert.equal([path, byHeader.status, byHeader.body.error], [path, 401, 'invalid_client'])
      assert.match(byHeader.headers.get('www-authenticate') ?? '', /^Basic /)
      for (const { headers } of [byBody, byHeader]) {
        assert.match(headers.get('content-type') ?? '', /^application\/json/)
        assert.is(headers.get('cache-control'), 'no-store')
      }
    }
    const gone = new Client(url, { client_id: 'dcr-gone', redirect_uris: [known.redirectUri] })
    const page = await newBrowser().goto(gone.trip().url)
    assertErrorPage(page)
    assert.match(page.text, 'registers anew')
  })
  // A registration is never asked for again, so nothing can prune it.
  const { body } = await send(`${url}/.well-known/oauth-authorization-server`)
  assert.type(body.registration_endpoint, 'string')
  assert.is((await obtainCode({ client: known })).trip.url.searchParams.get('client_id'), known.id)
})

test.run()
