// Two flows, one behind the other: attacks that make one person's browser, account or code end up in another's flow.
import * as assert from 'uvu/assert'
import type { Browser } from '../support/browser.ts'
import { listen } from '../support/http.ts'
import { startOidc } from '../support/oidc.ts'
import type { Page } from '../support/page.ts'
import { record } from '../support/recorder.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute, oidcRoute } from '../support/yaml.ts'
import { Client, callTool, send, tokensOf } from './client.ts'
import {
  ATTACKER,
  allow,
  assertClientError,
  assertErrorPage,
  deny,
  doorstepBrowser,
  newBrowser,
  obtainTokens,
  openConsent,
  startWorld,
  stillWorks,
  TWO_USERS,
  upstreamCalls,
  VICTIM,
  type World,
  withoutUpstream,
} from './world.ts'

const test = suite('security/chaining')

/** Goes on to the upstream, as the browser would have without stopping, and comes back with its answer. */
async function upstreamAnswer(world: World, door: Page): Promise<URL> {
  const { location } = await fetch(door.sentTo ?? '', { redirect: 'manual' }).then(({ headers }) => ({
    location: headers.get('location'),
  }))
  const answer = new URL(location ?? '')
  assert.is(answer.origin, world.url)
  return answer
}

/** What this browser sends to the gateway, for requests that no browser makes. */
const cookiesOf = (browser: Browser, url: URL | string) =>
  browser.cookies.header({ url: new URL(url), method: 'GET', crossSite: false }) ?? ''

test('sec-C1: a consent to one client is no consent to another, however signed in the person is', async (context) => {
  const world = await startWorld(context)
  const victim = newBrowser()
  const good = await Client.register(world.url)
  await obtainTokens({ client: good, browser: victim })
  const evil = await Client.register(world.url, {
    client_name: 'Claude',
    redirect_uris: ['https://evil.test/cb'],
  })

  const { trip, end } = await withoutUpstream(world, async () => {
    for (const headers of [
      {},
      { 'sec-fetch-site': 'cross-site', referer: 'https://evil.test/' },
      { 'sec-fetch-site': 'none' },
    ]) {
      for (const overrides of [{}, { prompt: 'none' }, { prompt: 'login' }]) {
        const page = await victim.goto(evil.trip(overrides).url, { headers })
        assert.is(page.status, 200)
        assert.is(page.sentTo, undefined)
        assert.match(page.text, 'evil.test')
        assert.match(page.text, 'Signed in as victim')
      }
    }
    const { trip, page } = await openConsent(victim, evil)
    return { trip, end: await deny(victim, page) }
  })
  assertClientError(end, trip, 'https://evil.test/cb', 'access_denied', world.url)
  await stillWorks(world)
})

test('sec-C1: the same client, user and link are asked about again each time', async (context) => {
  const world = await startWorld(context)
  const browser = newBrowser()
  const client = await Client.register(world.url)
  await obtainTokens({ client, browser })
  await withoutUpstream(world, async () => {
    const { page } = await openConsent(browser, client)
    assert.equal(
      [page.status, page.sentTo, page.form().buttons],
      [200, undefined, ['Use another account', 'Allow', 'Deny']],
    )
  })
})

test("sec-C2: an upstream URL from the attacker's flow, opened in the victim's browser, ends there", async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url, { redirect_uris: ['https://evil.test/cb'] })
  const attacker = doorstepBrowser(world)
  const door = await allow(attacker, (await openConsent(attacker, client)).page, ATTACKER)

  for (const victim of [newBrowser(), await signedIn(world)]) {
    const before = upstreamCalls(world)
    const page = await victim.goto(door.sentTo ?? '', { from: new URL('https://evil.test/') })
    // The first victim meets 403; that ends the transaction, so the second meets what everyone would.
    assertErrorPage(page, [400, 403])
    assert.is(page.headers['set-cookie'], undefined)
    assert.equal(upstreamCalls(world), { ...before, authorize: before.authorize + 1 })
  }
  await stillWorks(world)
})

async function signedIn(world: World): Promise<Browser> {
  const browser = newBrowser()
  await obtainTokens({ client: await Client.register(world.url), browser })
  return browser
}

test("sec-C2: the victim sees why, and the attacker's own browser cannot go on with the victim's answer", async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const attacker = doorstepBrowser(world)
  const door = await allow(attacker, (await openConsent(attacker, client)).page, ATTACKER)
  const answer = await upstreamAnswer(world, door)

  const victim = newBrowser()
  const page = await victim.goto(answer)
  assertErrorPage(page, [403])
  assert.match(page.text, 'another browser')
  assert.is(page.headers['set-cookie'], undefined)
  await withoutUpstream(world, async () => {
    assertErrorPage(await attacker.goto(answer), [400, 403, 409])
  })
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 0)
  assert.is(world.gateway.log.filter(({ event }) => event === 'code issued').length, 0)
  await stillWorks(world)
})

test('sec-C2: the cookie that binds a flow is renewed at the redirect: one from before the consent is worth nothing', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = doorstepBrowser(world)
  const { page } = await openConsent(browser, client)
  const early = cookiesOf(browser, world.url)
  const door = await allow(browser, page)
  const answer = await upstreamAnswer(world, door)
  const session = cookiesOf(browser, world.url)
    .split('; ')
    .find((pair) => pair.split('=')[0]?.endsWith('_s'))
  assert.ok(session, 'the session itself is not what is missing')
  const stolen = await withoutUpstream(world, () =>
    send(answer, { headers: { cookie: `${early}; ${session}` } }),
  )
  assert.equal([stolen.status, stolen.headers.get('location')], [403, null])
  await stillWorks(world)
})

test("sec-C3: the attacker's form, posted by the victim's browser, is refused by its cookie alone", async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url, { redirect_uris: ['https://evil.test/cb'] })
  const attacker = newBrowser()
  await obtainTokens({ client: await Client.register(world.url), browser: attacker, person: ATTACKER })
  const { page } = await openConsent(attacker, client)
  const values: Record<string, string> = { ...page.form().values, decision: 'allow' }
  const victim = await signedIn(world)
  await openConsent(victim, await Client.register(world.url))

  const cookie = cookiesOf(victim, world.url)
  const body = new URLSearchParams(values)
  const forged: Record<string, Record<string, string>> = {
    'a foreign Origin': { origin: 'https://evil.test' },
    'a cross-site form': { 'sec-fetch-site': 'cross-site' },
    'neither Origin nor Sec-Fetch-Site': {},
    'the Origin null': { origin: 'null' },
    'headers as from our own page': { origin: world.url, 'sec-fetch-site': 'same-origin' },
  }
  await withoutUpstream(world, async () => {
    for (const [label, headers] of Object.entries(forged)) {
      for (const path of ['/consent', '/login']) {
        const fields = path === '/login' ? new URLSearchParams({ ...values, ...ATTACKER }) : body
        const answer = await send(world.url + path, {
          method: 'POST',
          headers: { cookie, ...headers },
          body: fields,
        })
        assert.equal([label, path, answer.status, answer.headers.get('location')], [label, path, 403, null])
        assert.equal(answer.headers.getSetCookie(), [])
      }
    }
  })
  const end = await attacker.submit(page.form(), {}, { button: 'Allow' })
  assert.ok(end.sentTo?.searchParams.has('code'), 'the transaction is still pending for whom it belongs to')
  await stillWorks(world)
})

test("sec-C3: a page of another site cannot answer the victim's own consent page", async (context) => {
  const world = await startWorld(context)
  const victim = await signedIn(world)
  const { page } = await openConsent(
    victim,
    await Client.register(world.url, { redirect_uris: ['https://evil.test/cb'] }),
  )
  const { transaction = '', csrf = '' } = page.form().values
  const answers: Record<string, string>[] = [
    { transaction, decision: 'allow' },
    { transaction, csrf: '', decision: 'allow' },
    { transaction, csrf: `${csrf}x`, decision: 'allow' },
    { transaction, csrf: csrf.toLowerCase(), decision: 'allow' },
    { csrf, decision: 'allow' },
  ]
  const headers = { cookie: cookiesOf(victim, world.url) }
  await withoutUpstream(world, async () => {
    for (const fields of answers) {
      const answer = await send(`${world.url}/consent`, {
        method: 'POST',
        headers,
        body: new URLSearchParams(fields),
      })
      assert.ok([400, 403].includes(answer.status), `${answer.status}`)
      assert.is(answer.headers.get('location'), null)
    }
    // What a browser really sends from elsewhere: SameSite=Lax keeps the cookies at home.
    const forged = await victim.post(
      `${world.url}/consent`,
      { transaction, csrf, decision: 'allow' },
      { from: new URL('https://evil.test/') },
    )
    assertErrorPage(forged, [403])
    // And with the cookies, from a page on the same host and another port, which is the same site.
    const sibling = await victim.post(
      `${world.url}/consent`,
      { transaction, csrf, decision: 'allow' },
      { from: new URL(world.evil.url.replace('127.0.0.1', 'localhost')) },
    )
    assertErrorPage(sibling, [403])
  })
  assert.ok((await allow(victim, page)).sentTo?.searchParams.has('code'))
})

test("sec-C4: an upstream code of the attacker's fits no flow of the victim's", async (context) => {
  const world = await startWorld(context)
  world.github.knobs.login = 'attacker-account'
  const attacker = doorstepBrowser(world)
  const attackerDoor = await allow(
    attacker,
    (await openConsent(attacker, await Client.register(world.url))).page,
    ATTACKER,
  )
  const theirs = (await upstreamAnswer(world, attackerDoor)).searchParams.get('code') ?? ''

  world.github.knobs.login = 'octocat'
  const client = await Client.register(world.url)
  const victim = doorstepBrowser(world)
  const { trip, page } = await openConsent(victim, client)
  const injected = await upstreamAnswer(world, await allow(victim, page))
  injected.searchParams.set('code', theirs)
  const end = await victim.goto(injected, { from: new URL('https://evil.test/') })
  assertClientError(end, trip, client.redirectUri, 'server_error', world.url)
  assert.equal(world.github.tokens(), [], 'the upstream saw that the verifier was another one')
  await withoutUpstream(world, async () => assertErrorPage(await victim.goto(injected), [400, 403, 409]))
  await stillWorks(world)
})

test('sec-C4: even at an upstream without PKCE a state works once', async (context) => {
  const world = await startWorld(context, {
    upstream: {
      tokenReply: {
        status: 200,
        type: 'application/json',
        body: '{"access_token":"gho_any","token_type":"bearer"}',
      },
    },
  })
  const browser = doorstepBrowser(world)
  const door = await allow(browser, (await openConsent(browser, await Client.register(world.url))).page)
  const answer = await upstreamAnswer(world, door)
  assert.is((await browser.goto(answer)).status, 303)
  answer.searchParams.set('code', 'another')
  await withoutUpstream(world, async () => assertErrorPage(await browser.goto(answer), [400, 403, 409]))
})

test('sec-C5: of fifty clicks on one callback one is exchanged', async (context) => {
  const world = await startWorld(context, { upstream: { delayMs: 50 } })
  const client = await Client.register(world.url)
  const browser = doorstepBrowser(world)
  const { trip, page } = await openConsent(browser, client)
  const answer = await upstreamAnswer(world, await allow(browser, page))
  const headers = { cookie: cookiesOf(browser, answer) }
  const ends = await Promise.all(Array.from({ length: 50 }, () => send(answer, { headers })))
  const [won, ...others] = ends.sort((a, b) => a.status - b.status)
  assert.is(won?.status, 303)
  assert.ok(
    others.every(({ status, headers }) => [400, 409].includes(status) && headers.get('location') === null),
  )
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 1)

  const later = await send(answer, { headers })
  assert.ok([400, 403, 409].includes(later.status))
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 1)
  const code = new URL(won?.headers.get('location') ?? '').searchParams.get('code') ?? ''
  const { access } = tokensOf(await client.redeem(code, trip.verifier))
  assert.is(await callTool(world.mcpUrl, access, 'whoami'), 'octocat')
})

test('sec-C5: of fifty clicks on Allow one goes on', async (context) => {
  const world = await startWorld(context)
  const browser = newBrowser()
  const client = await Client.register(world.url)
  await obtainTokens({ client, browser })
  const { page } = await openConsent(browser, client)
  const body = new URLSearchParams({ ...page.form().values, decision: 'allow' }).toString()
  const headers = {
    cookie: cookiesOf(browser, world.url),
    'content-type': 'application/x-www-form-urlencoded',
  }
  const clicks = Array.from({ length: 50 }, () =>
    send(`${world.url}/consent`, { method: 'POST', headers, body }),
  )
  const statuses = (await Promise.all(clicks)).map(({ status }) => status).sort()
  assert.equal(statuses, [303, ...Array(49).fill(409)])
})

test('sec-C7: who signs in as somebody else in a second tab cannot finish the flow of the first', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = doorstepBrowser(world)
  const first = await openConsent(browser, client)
  const door = await allow(browser, first.page, VICTIM)
  const answer = await upstreamAnswer(world, door)

  const second = await openConsent(browser, client)
  const asked = await browser.submit(second.page.form(), {}, { button: 'switch' })
  const secondDoor = await allow(browser, asked, ATTACKER)
  await withoutUpstream(world, async () => {
    const page = await browser.goto(answer)
    assertErrorPage(page, [403])
    assert.match(page.text, 'somebody else')
  })
  assert.is(
    world.gateway.log.filter(({ event }) => event === 'code issued' || event === 'upstream connected').length,
    0,
  )

  const end = await browser.goto(await upstreamAnswer(world, secondDoor))
  assert.is(end.sentTo?.searchParams.get('state'), second.trip.state)
  assert.ok(end.sentTo?.searchParams.has('code'))
})

test('sec-C7: a consent page that was opened as one user is not answered as another, or as nobody', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = newBrowser()
  await obtainTokens({ client, browser })
  const stale = [await openConsent(browser, client), await openConsent(browser, client)]
  const { page } = await openConsent(browser, client)
  const asked = await browser.submit(page.form(), {}, { button: 'switch' })
  await withoutUpstream(world, async () => {
    assertErrorPage(
      await browser.submit(stale[0]?.page.form() ?? asked.form(), {}, { button: 'Allow' }),
      [403],
    )
  })
  await allow(browser, asked, ATTACKER)
  await withoutUpstream(world, async () => {
    assertErrorPage(
      await browser.submit(stale[1]?.page.form() ?? asked.form(), {}, { button: 'Allow' }),
      [403],
    )
  })
  await stillWorks(world)
})

test('sec-C9: a page that was rendered twice can be sent from either, once', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = doorstepBrowser(world)
  const first = await openConsent(browser, client)
  // A second rendering of the same transaction: with the old form still there through the Back button.
  const again = await browser.submit(first.page.form(), { username: VICTIM.username, password: 'wrong' })
  assert.is(again.form().values.transaction, first.page.form().values.transaction)
  const door = await allow(browser, first.page)
  assert.ok(door.sentTo?.href.startsWith(world.github.authorizationEndpoint))
  const late = await allow(browser, again)
  assertErrorPage(late, [409])
  assert.match(late.text, 'already used')

  // A reload of /authorize is a request of its own, so that neither page makes the other useless.
  const client2 = await Client.register(world.url)
  browser.stopAt.pop()
  const trip = client2.trip()
  const pages = [await browser.goto(trip.url), await browser.goto(trip.url)]
  for (const page of pages.reverse()) {
    const end = await allow(browser, page)
    const code = end.sentTo?.searchParams.get('code') ?? ''
    assert.is((await client2.redeem(code, trip.verifier)).status, 200)
  }
})

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
  assertClientError(end, trip, client.redirectUri, 'server_error', world.url)
  assert.not.match(decodeURIComponent(end.sentTo?.href ?? ''), '<script')
  world.github.knobs.tokenReply = undefined
  await stillWorks(world)
})

test("sec-C14: nothing of the client's request travels to the upstream", async (context) => {
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
