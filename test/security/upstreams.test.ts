// Two flows, one behind the other: no upstream gets what is another's or the client's, and none speaks through the
// gateway.
import * as assert from 'uvu/assert'
import { listen } from '../support/http.ts'
import { startOidc } from '../support/oidc.ts'
import { record } from '../support/recorder.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute, oidcRoute } from '../support/yaml.ts'
import { Client, callTool } from './client.ts'
import {
  ATTACKER,
  allow,
  assertClientError,
  assertErrorPage,
  doorstepBrowser,
  newBrowser,
  obtainTokens,
  openConsent,
  startWorld,
  stillWorks,
  TWO_USERS,
  VICTIM,
  type World,
  withoutUpstream,
} from './world.ts'

const test = suite('security/upstreams')

/** An upstream whose authorization endpoint sends the browser wherever the test says. */
async function startMalicious(
  { after }: { after(cleanup: () => unknown): void },
  bounce: (query: URLSearchParams) => URL,
) {
  const listening = await listen((request, response) => {
    const url = new URL(request.url ?? '', 'http://malicious')
    if (url.pathname === '/authorize')
      return response.writeHead(302, { location: bounce(url.searchParams).href }).end()
    return response
      .writeHead(200, { 'content-type': 'application/json' })
      .end('{"access_token":"bad","token_type":"bearer"}')
  })
  after(() => listening.close())
  return { origin: listening.origin, recorder: record(listening.server) }
}

const maliciousRoute = (name: string, origin: string, issuer = '') => `
  ${name}:
    upstream: ${origin}/mcp
    auth:
      type: authorization_code
      authorization_server:
        authorization_endpoint: ${origin}/authorize
        token_endpoint: ${origin}/token
        client_id: at-malicious
${issuer}`

test("sec-C10: an upstream that bounces the browser to another upstream gets none of that one's codes", async (context) => {
  let world: World | undefined
  const bounced: URL[] = []
  const malicious = await startMalicious(context, (query) => {
    // The honest upstream, asked for a code by the gateway's id there, to come back with the state given to us.
    const target = new URL(world?.github.authorizationEndpoint ?? '')
    target.searchParams.set('client_id', world?.github.knobs.clientId ?? '')
    target.searchParams.set('redirect_uri', `${world?.url}/upstream/callback/github`)
    target.searchParams.set('state', query.get('state') ?? '')
    bounced.push(target)
    return target
  })
  world = await startWorld(context, {
    yaml: (github) =>
      document(githubRoute('github', github), maliciousRoute('bad', malicious.origin)) + TWO_USERS,
  })
  const client = await Client.register(world.url)
  const browser = newBrowser()
  const { page } = await openConsent(browser, client, { resource: `${world.url}/bad` })
  const end = await allow(browser, page)
  assert.is(end.url.pathname, '/upstream/callback/github')
  assertErrorPage(end, [400])
  assert.is(bounced.length, 1)
  assert.is(malicious.recorder.count('/token'), 0)
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 0)

  // The flow itself is not lost to it: its own answer would still be taken, at its own address only.
  const state = bounced[0]?.searchParams.get('state') ?? ''
  for (const path of [
    '/upstream/callback',
    '/upstream/callback/github',
    '/upstream/callback/other',
    '/upstream/callback/bad/',
    '/upstream/callback/BAD',
  ]) {
    const elsewhere = await browser.goto(`${world.url}${path}?code=x&state=${encodeURIComponent(state)}`)
    assert.ok([400, 404].includes(elsewhere.status), `${elsewhere}`)
    assert.is(elsewhere.sentTo, undefined)
  }
  assert.is(malicious.recorder.count('/token'), 0)
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 0)
  const wellWorld = world
  const { tokens } = await obtainTokens({
    client: await Client.register(world.url),
    overrides: { resource: wellWorld.mcpUrl },
  })
  assert.is(await callTool(wellWorld.mcpUrl, tokens.access, 'whoami'), 'octocat')
})

test('sec-C10: a real authorization server does not answer at the callback of another, and its iss is checked', async (context) => {
  const oidc = await startOidc()
  context.after(() => oidc.close())
  let callback = ''
  const malicious = await startMalicious(context, (query) => {
    const target = new URL(oidc.authorizationEndpoint)
    for (const [name, value] of query) target.searchParams.set(name, value)
    target.searchParams.set('client_id', oidc.clientId)
    target.searchParams.set('redirect_uri', callback)
    target.searchParams.set('scope', 'openid')
    target.searchParams.delete('resource')
    return target
  })
  // Both routes' names are registered as callbacks at the honest server: then only `iss` tells the answers apart.
  const issuer = `        issuer: ${malicious.origin}`
  const yaml =
    document(
      oidcRoute('oidc', oidc),
      maliciousRoute('a', malicious.origin, issuer),
      maliciousRoute('bad', malicious.origin),
    ) + TWO_USERS
  const world = await startWorld(context, { yaml: () => yaml })
  const client = await Client.register(world.url)

  callback = `${world.url}/upstream/callback/bad`
  const first = newBrowser()
  const refused = await allow(
    first,
    (await openConsent(first, client, { resource: `${world.url}/bad` })).page,
  )
  assert.equal([refused.url.origin, refused.status], [oidc.issuer, 400])

  callback = `${world.url}/upstream/callback/a`
  const second = newBrowser()
  const { trip, page } = await openConsent(second, client, { resource: `${world.url}/a` })
  const atHonest = await allow(second, page)
  assert.is(atHonest.url.origin, oidc.issuer)
  const end = await allow(second, atHonest, { upstreamName: 'ann' })
  assertClientError(end, trip, client.redirectUri, 'server_error', world.url)
  assert.ok(oidc.recorder.requests.length > 0)
  assert.is(malicious.recorder.count('/token'), 0)
  assert.is(oidc.recorder.count('/token'), 0)
})

test('sec-C10: a wrong iss ends the flow before any code is sent anywhere', async (context) => {
  const oidc = await startOidc()
  context.after(() => oidc.close())
  const world = await startWorld(context, { yaml: () => document(oidcRoute('oidc', oidc)) + TWO_USERS })
  const client = await Client.register(world.url)
  for (const iss of ['https://evil.test', `${oidc.issuer}/`, oidc.issuer.toUpperCase(), 'x']) {
    const browser = newBrowser(oidc.authorizationEndpoint)
    const { trip, page } = await openConsent(browser, client)
    const door = await allow(browser, page)
    const forged = new URL(`${world.url}/upstream/callback/oidc`)
    forged.search = new URLSearchParams({
      code: 'x',
      state: door.sentTo?.searchParams.get('state') ?? '',
      iss,
    }).toString()
    assertClientError(await browser.goto(forged), trip, client.redirectUri, 'server_error', world.url)
  }
  assert.is(oidc.recorder.count('/token'), 0)
})

test('sec-C11: what an upstream writes into its errors reaches neither page nor client', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const script = '<script>alert(1)</script>'
  const errors: [Record<string, string>, string][] = [
    [
      { error: 'access_denied', error_description: script, error_uri: 'javascript:alert(1)' },
      'access_denied',
    ],
    [{ error: script, error_description: script }, 'server_error'],
    [{ error: 'invalid_scope', error_description: 'call 0800 evil.test' }, 'server_error'],
    [{ error: 'access_denied\r\nSet-Cookie: a=b', code: 'x' }, 'server_error'],
    [{ error: 'server_error', code: 'x', access_token: 'x' }, 'server_error'],
    [{ code: '' }, 'server_error'],
    [{ response: script }, 'server_error'],
  ]
  for (const [answer, expected] of errors) {
    const browser = doorstepBrowser(world)
    const { trip, page } = await openConsent(browser, client)
    const door = await allow(browser, page)
    const state = door.sentTo?.searchParams.get('state') ?? ''
    const end = await withoutUpstream(world, () =>
      browser.goto(`${world.url}/upstream/callback/github?${new URLSearchParams({ state, ...answer })}`),
    )
    assertClientError(end, trip, client.redirectUri, expected, world.url)
    assert.not.match(decodeURIComponent(end.sentTo?.href ?? ''), /<script|0800|javascript/)
    assert.is(end.html, '')
  }
  const hostile = { error: script, error_description: script, error_uri: script }
  world.github.knobs.tokenReply = { status: 400, type: 'application/json', body: JSON.stringify(hostile) }
  const browser = newBrowser()
  const { trip, page } = await openConsent(browser, client)
  const end = await allow(browser, page)
  assertClientError(end, trip, client.redirectUri, 'temporarily_unavailable', world.url)
  assert.not.match(decodeURIComponent(end.sentTo?.href ?? ''), '<script')
  world.github.knobs.tokenReply = undefined
  await stillWorks(world)
})

test("sec-C14, spec-U2: nothing of the client's request travels to the upstream", async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const seen = new Set<string>()
  for (const person of [VICTIM, ATTACKER]) {
    const overrides = {
      state: 'canary-state',
      scope: 'canary-scope mcp:github',
      login_hint: 'canary-hint',
      nonce: 'canary-nonce',
      audience: 'canary-audience',
    }
    const { trip } = await obtainTokens({ client, person, overrides })
    const query = world.github.recorder.to('/login/oauth/authorize').at(-1)?.query
    const own = [
      trip.url.searchParams.get('code_challenge'),
      trip.verifier,
      trip.state,
      client.id,
      client.redirectUri,
    ]
    for (const value of own) assert.not.ok(world.github.recorder.saw(value ?? ''), `${value}`)
    assert.is(query?.get('code_challenge_method'), 'S256')
    assert.is(query?.get('scope'), 'repo read:user')
    assert.equal([...(query?.keys() ?? [])].sort(), [
      'client_id',
      'code_challenge',
      'code_challenge_method',
      'redirect_uri',
      'resource',
      'response_type',
      'scope',
      'state',
    ])
    seen.add(query?.get('code_challenge') ?? '').add(query?.get('state') ?? '')
  }
  assert.is(seen.size, 4, 'challenge and state are fresh each time')
  assert.not.ok(world.github.recorder.saw('canary-'))
})

test('sec-C15: fifteen clients of one user share one upstream token, so that none pushes another out', async (context) => {
  const world = await startWorld(context)
  const browser = newBrowser()
  const all: string[] = []
  for (let index = 0; index < 15; index += 1) {
    const { tokens } = await obtainTokens({
      client: await Client.register(world.url),
      browser: index % 2 ? browser : newBrowser(),
    })
    all.push(tokens.access)
  }
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 1)
  assert.is(world.github.tokens().length, 1)
  for (const access of [all[0], all[14]])
    assert.is(await callTool(world.mcpUrl, access ?? '', 'whoami'), 'octocat')
  assert.is(new Set(all).size, 15)
})

test.run()
