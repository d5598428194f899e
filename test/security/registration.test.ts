// Client registration under attack: what may be registered, what of it is shown, and who may redeem with it.
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'
import { basic, Client, postForm, postJson, send } from './client.ts'
import {
  assertClientError,
  newBrowser,
  obtainCode,
  openConsent,
  startWorld,
  stillWorks,
  upstreamCalls,
  withoutUpstream,
} from './world.ts'

const test = suite('security/registration')

const register = (url: string, metadata: unknown) => postJson(`${url}/register`, metadata)

const NO_REDIRECT_URIS: unknown[] = [
  // Schemes that run, or that anyone may claim
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'javascript://client.test/%0aalert(1)',
  ' javascript:alert(1)',
  '\u0001javascript:alert(1)',
  'java\tscript:alert(1)',
  'java\nscript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'DATA:text/html;base64,PHNjcmlwdD4=',
  'vbscript:msgbox(1)',
  'file:///etc/passwd',
  'blob:https://client.test/1',
  'about:blank',
  'view-source:https://client.test/cb',
  'ftp://client.test/cb',
  'ws://client.test/cb',
  'intent://client.test/#Intent;scheme=https;end',
  'mailto:a@client.test',
  'x-unknown-app://callback',
  'cursor2://callback',
  // Plain http anywhere but on this machine
  'http://client.test/cb',
  'HTTP://client.test/cb',
  'http://10.0.0.1/cb',
  'http://0.0.0.0/cb',
  'http://192.168.1.1/cb',
  'http://169.254.169.254/cb',
  'http://localhost.evil.test/cb',
  'http://127.0.0.1.evil.test/cb',
  'http://evil.test/localhost',
  'http://evil.test#localhost',
  'http://localhost@evil.test/cb',
  'http://127.0.0.1:80@evil.test/cb',
  'http://a@b@evil.test/cb',
  'http://localhost:80\\@evil.test/cb',
  'http://127.0.0.2/cb',
  'http://[::2]/cb',
  'http://[::ffff:127.0.0.1]/cb',
  // Other spellings of loopback: they reach it, and mean something else to the next parser
  'http://0x7f.1/cb',
  'http://2130706433/cb',
  'http://127.1/cb',
  'http://127。0。0。1/cb',
  'http://ⓛocalhost/cb',
  'http://LOCALHOST/cb',
  'http://localhost./cb',
  // User information, fragments, wildcards
  'https://user@client.test/cb',
  'https://user:password@client.test/cb',
  'https://@client.test/cb',
  'https://client.test@evil.test/cb',
  'https://client.test/cb#',
  'https://client.test/cb#fragment',
  'https://*.client.test/cb',
  'https://client.test/*',
  'http://127.0.0.1:*/cb',
  // Anything a parser would rewrite
  'https://CLIENT.test/cb',
  'https://client.test:443/cb',
  'https://client.test/a/../cb',
  'https://client.test/./cb',
  'https://client.test/%2e%2e/cb',
  'https:\\\\client.test\\cb',
  'https:/client.test/cb',
  'https:client.test/cb',
  'https:///client.test/cb',
  'https://client.test\\@evil.test/cb',
  'https://client.test/\tcb',
  'https://client.test/cb\r\nSet-Cookie: a=b',
  'https://client.test/c b',
  'https://client.test/cb ',
  ' https://client.test/cb',
  'https://client.test/<script>',
  'https://client.test/"cb',
  'https://clïent.test/cb',
  'https://client.test/\u202ecb',
  'https://client.test/\u0000',
  'https://client%2etest/cb',
  'https://client.test:99999/cb',
  // No URI at all
  '',
  '/cb',
  '//client.test/cb',
  'client.test/cb',
  'https://',
  'null',
  `https://client.test/${'x'.repeat(2048)}`,
  null,
  1,
  true,
  ['https://client.test/cb'],
  { href: 'https://client.test/cb' },
]

test('sec-R4, spec-A4, spec-C11: no redirect URI that runs, leaves TLS, or reads differently to two parsers can be registered', async (context) => {
  const world = await startWorld(context)
  assert.ok(NO_REDIRECT_URIS.length >= 60)
  for (const uri of NO_REDIRECT_URIS) {
    for (const uris of [[uri], ['https://client.test/good', uri]]) {
      const answer = await register(world.url, { redirect_uris: uris, token_endpoint_auth_method: 'none' })
      const { status, body } = answer
      assert.equal([uri, status, body.error], [uri, 400, 'invalid_redirect_uri'])
      assert.is(body.client_id, undefined)
    }
  }
  assert.equal(upstreamCalls(world), { authorize: 0, token: 0, mcp: 0 })
  await stillWorks(world)
})

test('sec-R4: a list of redirect URIs that is missing, empty, too long or no list is refused', async (context) => {
  const { url } = await startWorld(context)
  const many = Array.from({ length: 11 }, (_, index) => `https://client.test/${index}`)
  for (const uris of [
    undefined,
    null,
    [],
    {},
    'https://client.test/cb',
    many,
    { 0: 'https://client.test/cb', length: 1 },
  ]) {
    const { status, body } = await register(url, { redirect_uris: uris })
    assert.equal([status, body.error], [400, 'invalid_redirect_uri'])
  }
})

test('sec-R4, spec-A4: the redirect URIs that honest clients use are registered as they are', async (context) => {
  const { url } = await startWorld(context)
  const honest = [
    'https://claude.ai/api/mcp/auth_callback',
    'https://client.test',
    'https://client.test/',
    'https://client.test:8443/cb?tenant=1',
    'http://127.0.0.1:33418/',
    'http://127.0.0.1/callback',
    'http://localhost:6274/oauth/callback',
    'http://[::1]:4000/cb',
    'cursor://anysphere.cursor-retrieval/oauth/user-mcp/callback',
  ]
  const { status, body } = await register(url, { redirect_uris: honest })
  assert.equal([status, body.redirect_uris], [201, honest])
})

test('sec-R5: a link that runs is refused, one that is fetchable is neither fetched nor shown', async (context) => {
  const world = await startWorld(context)
  const { url, evil } = world
  const members = ['client_uri', 'logo_uri', 'tos_uri', 'policy_uri', 'jwks_uri']
  const hostile = [
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    '//evil.test',
    1,
    {},
  ]
  for (const member of members) {
    for (const value of hostile) {
      const answer = await register(url, { redirect_uris: ['https://client.test/cb'], [member]: value })
      assert.equal(
        [member, value, answer.status, answer.body.error],
        [member, value, 400, 'invalid_client_metadata'],
      )
    }
  }
  const links = Object.fromEntries(members.map((member) => [member, `${evil.url}${member}`]))
  const client = await Client.register(url, links)
  const { page } = await openConsent(newBrowser(), client)
  assert.is(page.status, 200)
  assert.not.match(page.html, evil.origin)
  assert.equal(page.root.querySelectorAll('[src], link, img, script, iframe, object, a').length, 0)
  evil.assertUntouched()
  await stillWorks(world)
})

const NAMES: Record<string, string> = {
  html: '<script>alert(1)</script><img src=x onerror=alert(1)>',
  attribute: '"><button name="decision" value="allow">',
  bidi: 'Claude \u202eedualC \u2066x\u2069\u200f',
  controls: 'Cla\u0000u\u0007de\u009b2J\r\nX: y',
  invisible: 'Cl\u200baude\ufeff\u2060',
  long: 'n'.repeat(190),
  empty: ' \u200b ',
}

test('sec-R6: a forged name is inert, short, marked as unverified and stands beside the real destination', async (context) => {
  const { url } = await startWorld(context)
  for (const [kind, name] of Object.entries(NAMES)) {
    const client = await Client.register(url, { client_name: name, redirect_uris: ['https://evil.test/cb'] })
    const { page } = await openConsent(newBrowser(), client)
    assert.is(page.status, 200, kind)
    assert.equal(page.root.querySelectorAll('script, img').length, 0, kind)
    assert.equal(
      page.forms.map(({ buttons }) => buttons),
      [['Sign in and allow', 'Deny']],
      kind,
    )
    assert.not.match(page.html.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u, kind)
    assert.match(page.text, 'evil.test', kind)
    assert.match(page.text, 'unverified', kind)
    assert.ok((page.root.querySelector('h1')?.text.length ?? 0) <= 64 + ' wants to use github…'.length, kind)
  }
  const named = await Client.register(url, { client_name: NAMES.html })
  const { page } = await openConsent(newBrowser(), named)
  assert.match(page.html, '&lt;script')
  const tooLong = await register(url, {
    client_name: 'n'.repeat(10_240),
    redirect_uris: ['https://client.test/cb'],
  })
  assert.ok(tooLong.status === 400 || String(tooLong.body.client_name).length <= 200)
  const noName = await register(url, {
    client_name: { toString: 'Claude' },
    redirect_uris: ['https://client.test/cb'],
  })
  assert.equal([noName.status, noName.body.error], [400, 'invalid_client_metadata'])
})

test('sec-R7: a registration says nothing of the credentials that the gateway has at its upstream', async (context) => {
  const { url, github } = await startWorld(context)
  const { clientId, clientSecret } = github.knobs
  for (const method of ['none', 'client_secret_basic', 'client_secret_post']) {
    const asked = { client_id: clientId, client_secret: clientSecret, token_endpoint_auth_method: method }
    const answer = await register(url, { redirect_uris: ['https://client.test/cb'], ...asked })
    assert.is(answer.status, 201)
    const said = JSON.stringify([answer.text, [...answer.headers]])
    assert.not.match(said, clientId)
    assert.not.match(said, clientSecret)
  }
})

test('sec-R8, spec-T5, spec-T6: who authenticates otherwise than registered gets invalid_client, and the code stays good', async (context) => {
  const world = await startWorld(context)
  const { url } = world
  for (const registered of ['none', 'client_secret_basic', 'client_secret_post'] as const) {
    const client = await Client.register(url, { token_endpoint_auth_method: registered })
    const other = await Client.register(url, { token_endpoint_auth_method: 'client_secret_basic' })
    const { code, trip } = await obtainCode({ client })
    const before = upstreamCalls(world)
    const grant = { grant_type: 'authorization_code', code, code_verifier: trip.verifier }
    const secret = client.secret ?? 'made-up'
    const attempts: [name: string, form: Record<string, string>, authorization?: string][] = [
      ['no authentication', {}],
      ['the id alone', { client_id: client.id }],
      ['the secret in the body', { client_id: client.id, client_secret: secret }],
      ['an empty secret', { client_id: client.id, client_secret: '' }],
      ['Basic', {}, basic(client.id, secret)],
      ['a wrong secret in the body', { client_id: client.id, client_secret: 'wrong' }],
      ['a wrong secret in Basic', {}, basic(client.id, 'wrong')],
      ["another client's secret in the body", { client_id: client.id, client_secret: other.secret ?? '' }],
      ["another client's secret in Basic", {}, basic(client.id, other.secret ?? '')],
      ['Bearer', { client_id: client.id }, `Bearer ${code}`],
      ['an unknown id', { client_id: 'dcr-unknown' }],
      [
        'an assertion',
        {
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: 'e30.e30.',
        },
      ],
    ]
    const right = {
      none: ['the id alone', 'an empty secret'],
      client_secret_basic: ['Basic'],
      client_secret_post: ['the secret in the body'],
    }
    for (const [name, form, authorization] of attempts) {
      if (right[registered].includes(name)) continue
      const answer = await postForm(
        `${url}/token`,
        { ...grant, ...form },
        authorization === undefined ? {} : { authorization },
      )
      const label = `${registered}: ${name}`
      assert.equal([label, answer.status, answer.body.error], [label, 401, 'invalid_client'])
      // RFC 6749 §5.2 asks for the challenge when the header was tried; a body has no scheme to name.
      if (authorization !== undefined)
        assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic /, label)
    }
    assert.equal(upstreamCalls(world), before)
    assert.is(
      (await client.redeem(code, trip.verifier)).status,
      200,
      `${registered}: the code must not be spent`,
    )
  }
})

test('sec-R8: two authentications at once are refused', async (context) => {
  const { url } = await startWorld(context)
  const client = await Client.register(url, { token_endpoint_auth_method: 'client_secret_basic' })
  const { code, trip } = await obtainCode({ client })
  const both = await client.redeem(code, trip.verifier, { client_secret: client.secret })
  assert.equal([both.status, both.body.error], [400, 'invalid_request'])
  const other = await client.redeem(code, trip.verifier, { client_id: 'dcr-another' })
  assert.equal([other.status, other.body.error], [400, 'invalid_request'])
  assert.is((await client.redeem(code, trip.verifier)).status, 200)
})

test('sec-R9, spec-A1: no grant but the code and its refresh can be registered or used', async (context) => {
  const world = await startWorld(context)
  const { url } = world
  const redirects = { redirect_uris: ['https://client.test/cb'] }
  for (const grants of [
    ['password'],
    ['client_credentials'],
    ['implicit'],
    ['refresh_token'],
    [],
    'authorization_code',
    {},
  ]) {
    const { status, body } = await register(url, { ...redirects, grant_types: grants })
    assert.equal([grants, status, body.error], [grants, 400, 'invalid_client_metadata'])
  }
  const greedy = await register(url, {
    ...redirects,
    grant_types: ['password', 'authorization_code', 'client_credentials', 'implicit'],
    response_types: ['token', 'id_token', 'code'],
  })
  assert.equal(
    [greedy.status, greedy.body.grant_types, greedy.body.response_types],
    [201, ['authorization_code', 'refresh_token'], ['code']],
  )

  const client = await Client.register(url)
  const others = [
    'password',
    'client_credentials',
    'implicit',
    'urn:ietf:params:oauth:grant-type:device_code',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:ietf:params:oauth:grant-type:token-exchange',
    'AUTHORIZATION_CODE',
    'authorization_code ',
    'constructor',
    '__proto__',
  ]
  for (const grantType of others) {
    const answer = await client.token({
      grant_type: grantType,
      username: 'victim',
      password: 'victim password',
    })
    assert.equal([grantType, answer.status, answer.body.error], [grantType, 400, 'unsupported_grant_type'])
  }
  await withoutUpstream(world, async () => {
    for (const type of ['token', 'id_token', 'code token', 'code id_token', 'none', 'Code']) {
      const { trip, page } = await openConsent(newBrowser(), client, { response_type: type })
      assertClientError(page, trip, client.redirectUri, 'unsupported_response_type', url)
    }
  })
  await stillWorks(world)
})

test('sec-R10, spec-C8: the gateway makes every client id, none is chosen, and none looks like a URL', async (context) => {
  const { url, github } = await startWorld(context)
  const wanted = ['x', 'https://client.test/metadata.json', github.knobs.clientId, '../../x', '']
  const ids = new Set<string>()
  for (const id of wanted) {
    const { status, body } = await register(url, { client_id: id, redirect_uris: ['https://client.test/cb'] })
    assert.is(status, 201)
    assert.is.not(body.client_id, id)
    assert.match(String(body.client_id), /^[A-Za-z0-9_.-]+$/)
    assert.not.ok(URL.canParse(String(body.client_id)))
    ids.add(String(body.client_id))
  }
  assert.is(ids.size, wanted.length)
})

test('sec-R10: an id that was altered, shortened or made up is no client', async (context) => {
  const world = await startWorld(context)
  const { id } = await Client.register(world.url)
  const middle = Math.floor(id.length / 2)
  const flipped = id.slice(0, middle) + (id[middle] === 'A' ? 'B' : 'A') + id.slice(middle + 1)
  await withoutUpstream(world, async () => {
    for (const forged of [
      flipped,
      id.slice(0, -1),
      `${id}A`,
      `${id}=`,
      id.toUpperCase(),
      id.slice(4),
      'dcr-',
      'dcr-.',
      'dcr-k.AAAA',
    ]) {
      const client = new Client(world.url, {
        client_id: forged,
        redirect_uris: ['https://client.test/cb'],
        token_endpoint_auth_method: 'none',
      })
      const answer = await send(client.trip().url)
      assert.equal([forged, answer.status, answer.headers.get('location')], [forged, 400, null])
      const token = await client.token({ grant_type: 'authorization_code', code: 'x' })
      assert.equal([forged, token.status, token.body.error], [forged, 401, 'invalid_client'])
    }
  })
  await stillWorks(world)
})

test.run()
