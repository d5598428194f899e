// The gateway's own pages, sessions and cookies: nobody is signed in by somebody else's hand, no page runs or frames
// what it should not, and a refused sign-in tells nothing.
import * as assert from 'uvu/assert'
import type { Browser } from '../support/browser.ts'
import type { Page } from '../support/page.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute } from '../support/yaml.ts'
import { Client, postForm, send } from './client.ts'
import {
  ATTACKER,
  allow,
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

const test = suite('security/browser')

const cookieHeader = (browser: Browser, url: string) =>
  browser.cookies.header({ url: new URL(url), method: 'GET', crossSite: false }) ?? ''

const sessionCookie = (browser: Browser, url: string) =>
  browser.cookies.at(url).find(({ name }) => name.endsWith('_s'))

/** A page without what differs from one transaction and one typed name to the next. */
function withoutSecrets(page: Page, username: string): string {
  const { transaction = '', csrf = '' } = page.form().values
  return page.html.replaceAll(transaction, 'T').replaceAll(csrf, 'C').replaceAll(username, 'U')
}

test('sec-L5: an unknown user and a wrong password are told apart by no byte, from the first guess to the wait', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const guess = async (username: string) => {
    const browser = newBrowser()
    const { page } = await openConsent(browser, client)
    const refused = await browser.submit(page.form(), { username, password: 'wrong' })
    const { date, 'set-cookie': cookies, ...headers } = refused.headers
    return { status: refused.status, headers, html: withoutSecrets(refused, username), cookies }
  }
  await withoutUpstream(world, async () => {
    const statuses = []
    for (let attempt = 1; attempt <= 7; attempt += 1) {
      const known = await guess('victim')
      assert.equal(await guess('nobody'), known, `attempt ${attempt}`)
      assert.is(known.cookies, undefined)
      statuses.push(known.status)
    }
    assert.equal(statuses, [403, 403, 403, 403, 403, 429, 429])
  })
  clock.now += 16 * 60_000
  await stillWorks(world)
})

test('sec-L5: odd names and passwords are wrong ones, and nothing else', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const names = [
    '',
    ' victim',
    'victim ',
    'VICTIM',
    'victim\u0000',
    'vict\u0130m',
    '__proto__',
    'constructor',
    'toString',
    "' or 1=1 --",
    'users/victim',
    '../victim',
    'x'.repeat(4000),
  ]
  const passwords = [
    '',
    '\u0000',
    'x'.repeat(1025),
    'victim password ',
    'VICTIM PASSWORD',
    'attacker password',
  ]
  await withoutUpstream(world, async () => {
    for (const [username, password] of [
      ...names.map((name) => [name, VICTIM.password]),
      ...passwords.slice(0, 4).map((password) => ['victim', password]),
    ]) {
      const browser = newBrowser()
      const { page } = await openConsent(browser, client)
      const fields = {
        ...page.form().values,
        username: username ?? '',
        password: password ?? '',
        decision: 'allow',
      }
      const refused = await browser.post(`${world.url}/login`, fields, { from: page.url })
      assert.is(refused.status, 403, JSON.stringify([username, password]))
      assert.is(sessionCookie(browser, world.url), undefined)
    }
  })
  await stillWorks(world)
})

test('sec-L6: nobody is signed in by a form of another site', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const attacker = newBrowser()
  const { page } = await openConsent(attacker, client)
  // The attacker's own page, with the attacker's own name and password, in the victim's browser.
  const fields = { ...page.form().values, ...ATTACKER, decision: 'allow' }
  const victim = newBrowser()
  await withoutUpstream(world, async () => {
    for (const from of [
      new URL('https://evil.test/'),
      new URL(world.evil.url.replace('127.0.0.1', 'localhost')),
      page.url,
      undefined,
    ]) {
      const refused = await victim.post(`${world.url}/login`, fields, from === undefined ? {} : { from })
      assertErrorPage(refused, [403])
      assert.is(refused.headers['set-cookie'], undefined)
    }
    for (const headers of [
      {},
      { origin: 'null' },
      { origin: world.url },
      { origin: 'https://evil.test', cookie: cookieHeader(attacker, world.url) },
    ] as Record<string, string>[]) {
      const refused = await postForm(`${world.url}/login`, fields, headers)
      assert.equal([refused.status, refused.headers.getSetCookie()], [403, []])
    }
  })
  assert.equal(victim.cookies.at(world.url), [])
  assert.ok(
    (await allow(attacker, page, ATTACKER)).sentTo?.searchParams.has('code'),
    'where it belongs the form still works',
  )
})

test('sec-L6: the token of a login form does not fit a consent form, nor the other way round', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = newBrowser()
  const before = await openConsent(browser, client)
  await obtainTokens({ client, browser })
  const loginForm = before.page.form().values
  const after = await openConsent(browser, client)
  const consentForm = after.page.form().values
  await withoutUpstream(world, async () => {
    const crossed: [path: string, fields: Record<string, string>][] = [
      ['/consent', { ...loginForm, decision: 'allow' }],
      ['/login', { ...consentForm, ...VICTIM, decision: 'allow' }],
      ['/consent', { ...consentForm, csrf: loginForm.csrf ?? '', decision: 'allow' }],
      ['/consent', { ...loginForm, csrf: consentForm.csrf ?? '', decision: 'allow' }],
    ]
    for (const [path, fields] of crossed) {
      assertErrorPage(await browser.post(world.url + path, fields, { from: new URL(world.url) }), [403])
    }
  })
  assert.ok((await allow(browser, after.page)).sentTo?.searchParams.has('code'))
})

test('sec-L7: signing in makes a new session, and one that was there before is worth nothing', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const fixed = 'A'.repeat(43)
  const browser = doorstepBrowser(world)
  const probe = newBrowser()
  await obtainTokens({ client, browser: probe })
  const name = sessionCookie(probe, world.url)?.name ?? ''
  const plant = () => browser.cookies.store(new URL(world.url), `${name}=${fixed}; Path=/`)

  plant()
  const { page } = await openConsent(browser, client)
  assert.ok(page.form().has('input[type=password]'), 'a made-up session signs nobody in')
  await allow(browser, page)
  const first = sessionCookie(browser, world.url)?.value ?? ''
  assert.is.not(first, fixed)
  assert.match(first, /^[A-Za-z0-9_-]{43}$/)

  const asked = await browser.submit(
    (await openConsent(browser, client)).page.form(),
    {},
    { button: 'switch' },
  )
  await allow(browser, asked)
  const second = sessionCookie(browser, world.url)?.value
  assert.is.not(second, first)
  for (const old of [fixed, first]) {
    const stranger = newBrowser()
    stranger.cookies.store(new URL(world.url), `${name}=${old}; Path=/`)
    assert.ok(
      (await openConsent(stranger, client)).page.form().has('input[type=password]'),
      'an old session asks again',
    )
  }
})

test('sec-L7: a session ends at its time, however it is used', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const browser = newBrowser()
  await obtainTokens({ client, browser })
  const cookie = sessionCookie(browser, world.url)
  for (let hours = 0; hours < 8; hours += 1) {
    clock.now += 60 * 60_000
    const page = await send(client.trip().url, { headers: { cookie: `${cookie?.name}=${cookie?.value}` } })
    assert.is(page.text.includes('type="password"'), hours === 7, `after ${hours + 1} h`)
  }
})

async function everyPage(world: World, browser: Browser): Promise<Page[]> {
  const client = await Client.register(world.url)
  const { page } = await openConsent(browser, client, { resource: world.mcpUrl })
  const refused = await browser.submit(page.form(), { username: 'victim', password: 'wrong' })
  await allow(browser, refused)
  const consent = await openConsent(browser, client, { resource: world.mcpUrl })
  const crossSite = await browser.post(`${world.url}/consent`, {}, { from: new URL('https://evil.test/') })
  const pages = [page, refused, consent.page, crossSite]
  const urls = [
    client.trip().url,
    `${world.url}/authorize`,
    `${world.url}/authorize?client_id=x&client_id=y`,
    client.trip({ redirect_uri: 'https://evil.test/' }).url,
    `${world.url}/upstream/callback/github`,
    `${world.url}/upstream/callback/github?state=x`,
    `${world.url}/upstream/callback/nowhere?state=x&state=y`,
  ]
  for (const url of urls) pages.push(await browser.goto(url))
  pages.push(
    await browser.post(`${world.url}/login`, {}),
    await browser.post(`${world.url}/consent`, { transaction: 'x'.repeat(5000) }),
  )
  return pages
}

test('sec-L8: no page, of errors least of all, can be framed, scripted or sniffed', async (context) => {
  const world = await startWorld(context, {
    yaml: (github) => document(githubRoute('github', github), githubRoute('b', github)) + TWO_USERS,
  })
  const pages = await everyPage(world, newBrowser())
  const titles = new Set(pages.map(({ title }) => title))
  assert.ok(titles.size >= 5, [...titles].join(' | '))
  for (const page of pages) {
    const policy = String(page.headers['content-security-policy'])
    assert.match(String(page.headers['content-type']), /^text\/html; charset=utf-8$/i, `${page}`)
    assert.match(policy, "default-src 'none'", `${page}`)
    assert.match(policy, "frame-ancestors 'none'")
    assert.match(policy, "base-uri 'none'")
    assert.not.match(policy, /unsafe|script-src|\*|https?:/)
    // Chromium applies form-action to the redirect after the form: it would stop the way back to the client.
    assert.not.match(policy, 'form-action')
    assert.is(page.headers['x-frame-options'], 'DENY')
    assert.is(page.headers['x-content-type-options'], 'nosniff')
    assert.is(page.headers['cache-control'], 'no-store')
    assert.equal(page.root.querySelectorAll('script, iframe, [onclick], [onload], [onerror], base').length, 0)
  }
})

const BREAKOUTS = [
  `"><script>alert(1)</script>`,
  `'><img src=x onerror=alert(1)>`,
  '</title></style><script>alert(1)</script>',
  '<svg/onload=alert(1)>',
  '"onfocus=alert(1) autofocus="',
  '{{constructor.constructor("alert(1)")()}}',
  'javascript:alert(1)',
]

/** No element and no attribute that the page's own templates do not have. */
function assertInert(page: Page) {
  assert.equal(
    page.root.querySelectorAll('script, img, svg, iframe, [onfocus], [onerror], [onload], [autofocus]')
      .length,
    0,
    page.html,
  )
  assert.not.match(page.html, /<script|<img|<svg/i)
  for (const link of page.root.querySelectorAll('a'))
    assert.match(link.getAttribute('href') ?? '', /^\/authorize\?/)
}

test('sec-L9: whatever is put into whichever parameter of whichever page comes out as text', async (context) => {
  const world = await startWorld(context, {
    yaml: (github) => document(githubRoute('github', github), githubRoute('b', github)) + TWO_USERS,
  })
  const resource = world.mcpUrl
  let shown = 0
  for (const text of BREAKOUTS) {
    const client = await Client.register(world.url, { client_name: text })
    const parameters = [
      'client_id',
      'redirect_uri',
      'response_type',
      'state',
      'scope',
      'resource',
      'code_challenge',
      'code_challenge_method',
      'response_mode',
      'request',
      'login_hint',
      text,
    ]
    for (const name of parameters) {
      const browser = newBrowser()
      const pages = [
        await browser.goto(client.trip({ resource, [name]: text }).url),
        await browser.goto(client.trip({ [name]: text }).url),
      ]
      for (const page of pages) if (page.sentTo === undefined) assertInert(page)
    }
    const browser = newBrowser()
    const { page } = await openConsent(browser, client, { resource })
    assertInert(page)
    const refused = await browser.submit(page.form(), { username: text, password: text })
    assertInert(refused)
    assert.is(refused.form().values.username, text, 'shown again, as it was typed')
    shown += 1
    for (const name of ['state', 'code', 'error', 'error_description', 'iss', text]) {
      assertInert(
        await browser.goto(`${world.url}/upstream/callback/github?${new URLSearchParams({ [name]: text })}`),
      )
    }
    for (const name of ['transaction', 'csrf', 'decision', text]) {
      const fields = { ...page.form().values, decision: 'allow', [name]: text }
      assertInert(await browser.post(`${world.url}/consent`, fields, { from: page.url }))
      assertInert(
        await browser.post(
          `${world.url}/login`,
          { ...fields, username: text, password: 'wrong' },
          { from: page.url },
        ),
      )
    }
    for (const path of [
      `/${encodeURIComponent(text)}`,
      `/authorize/${encodeURIComponent(text)}`,
      `/.well-known/${encodeURIComponent(text)}`,
    ]) {
      const answer = await send(world.url + path)
      assert.match(answer.headers.get('content-type') ?? '', 'application/json')
      assert.not.match(answer.text, /<|alert/)
    }
  }
  assert.is(shown, BREAKOUTS.length)
})

test("sec-L11: on https the cookies are the host's alone, and their bare names mean nothing", async (context) => {
  const publicUrl = 'https://gateway.test'
  const world = await startWorld(context, {
    yaml: (github) =>
      document(githubRoute('github', github)).replace(
        '{ port: 0 }',
        `{ port: 0, public_url: "${publicUrl}" }`,
      ) + TWO_USERS,
  })
  assert.is(world.url, publicUrl)
  const direct = `http://127.0.0.1:${world.gateway.app.port}`
  const client = await Client.register(direct)
  const { url } = client.trip()
  const jar = new Map<string, string>()
  const keep = (answer: { headers: Headers }) => {
    for (const line of answer.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split('; ')
      assert.match(pair, /^__Host-/)
      assert.equal(attributes.filter((attribute) => !attribute.startsWith('Max-Age=')).sort(), [
        'HttpOnly',
        'Path=/',
        'SameSite=Lax',
        'Secure',
      ])
      jar.set(pair.split('=')[0] ?? '', pair.slice(pair.indexOf('=') + 1))
    }
  }
  const cookie = (rename = (name: string) => name) =>
    [...jar].map(([name, value]) => `${rename(name)}=${value}`).join('; ')
  const bare = (name: string) => name.replace('__Host-', '')
  const fields = (html: string) =>
    Object.fromEntries(
      [...html.matchAll(/name="(transaction|csrf)" value="([^"]+)"/g)].map(([, name = '', value = '']) => [
        name,
        value,
      ]),
    )

  const page = await send(url)
  keep(page)
  const form = { ...fields(page.text), ...VICTIM, decision: 'allow' }
  for (const tossed of [
    cookie(bare),
    cookie((name) => name.replace('__Host-', '__host-')),
    cookie((name) => name.replace('__Host-', '__Secure-')),
  ]) {
    const refused = await postForm(`${direct}/login`, form, { cookie: tossed, origin: publicUrl })
    assert.equal(
      [refused.status, refused.headers.getSetCookie()],
      [403, []],
      'a cookie that a sibling host could have set',
    )
  }
  const toUpstream = await postForm(`${direct}/login`, form, { cookie: cookie(), origin: publicUrl })
  assert.is(toUpstream.status, 303)
  keep(toUpstream)
  assert.is(jar.size, 2)

  const asSomebody = await send(url, { headers: { cookie: cookie() } })
  assert.match(asSomebody.text, 'Signed in as')
  const asNobody = await send(url, { headers: { cookie: cookie(bare) } })
  assert.match(asNobody.text, 'type="password"')
  const door = new URL(toUpstream.headers.get('location') ?? '')
  const answer = new URL(
    `${direct}/upstream/callback/github?${new URLSearchParams({ code: 'x', state: door.searchParams.get('state') ?? '' })}`,
  )
  const before = upstreamCalls(world)
  const tossed = await send(answer, { headers: { cookie: cookie(bare) } })
  assert.equal([tossed.status, tossed.headers.get('location')], [403, null])
  assert.equal(upstreamCalls(world), before)
})

test('sec-L11: on http the cookies are kept by the strictest browser, unreadable to scripts, and no other port’s', async (context) => {
  const world = await startWorld(context)
  const other = await startWorld(context)
  const browser = newBrowser()
  const client = await Client.register(world.url)
  await obtainTokens({ client, browser })
  await obtainTokens({ client: await Client.register(other.url), browser })
  assert.equal(browser.cookies.refused, [])
  const kept = browser.cookies.at(world.url)
  assert.is(
    new Set(kept.map(({ name }) => name)).size,
    2,
    'cookies ignore ports: the two gateways must not share a name',
  )
  for (const { httpOnly, sameSite, hostOnly, path } of kept)
    assert.equal([httpOnly, sameSite, hostOnly, path], [true, 'Lax', true, '/'])
  for (const { url } of [world, other]) {
    const { page } = await openConsent(browser, await Client.register(url))
    assert.match(page.text, 'Signed in as victim')
    assert.ok((await deny(browser, page)).sentTo)
  }
  assert.not.match(kept.map(({ value }) => value).join(), VICTIM.username)
})

test.run()
