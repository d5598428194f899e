// Every page and every redirect as a browser gets it: nothing of them runs, is framed, is kept, or tells where it
// came from.
import * as assert from 'uvu/assert'
import type { Browser } from '../support/browser.ts'
import type { Page } from '../support/page.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute } from '../support/yaml.ts'
import { Client, callMcp, INITIALIZE, postForm, send } from './client.ts'
import { startWithToken } from './proxy-world.ts'
import {
  allow,
  assertErrorPage,
  deny,
  doorstepBrowser,
  newBrowser,
  openConsent,
  startWorld,
  TWO_USERS,
  upstreamCalls,
  VICTIM,
  type World,
} from './world.ts'

const test = suite('security/pages')

test('sec-A12: every redirect is a 303, so that no browser posts a password on', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = doorstepBrowser(world)
  const first = await openConsent(browser, client)
  const login = await allow(browser, first.page)
  assert.equal([login.url.pathname, login.status], ['/login', 303])
  const end = await browser.goto(login.sentTo ?? '')
  assert.equal([end.url.pathname, end.status], ['/upstream/callback/github', 303])
  const second = await openConsent(browser, client)
  const consent = await allow(browser, second.page)
  assert.equal([consent.url.pathname, consent.status], ['/consent', 303])
  const third = await openConsent(browser, client)
  assert.is((await deny(browser, third.page)).status, 303)
  assert.is((await openConsent(browser, client, { response_type: 'token' })).page.status, 303)
})

test('sec-A13: neither pages nor redirects are stored, and none tells another site where it came from', async (context) => {
  const world = await startWorld(context)
  const { url } = world
  const client = await Client.register(url)
  const browser = doorstepBrowser(world)
  const { page } = await openConsent(browser, client)
  const refused = await browser.submit(page.form(), { username: VICTIM.username, password: 'wrong' })
  const pages = [
    page,
    refused,
    await browser.goto(`${url}/authorize?client_id=unknown`),
    await browser.goto(`${url}/upstream/callback/github?state=x&code=y`),
    await browser.post(`${url}/login`, {}),
    await browser.post(`${url}/consent`, { transaction: 'x' }),
  ]
  for (const shown of pages) {
    assert.match(String(shown.headers['content-type']), 'text/html', `${shown}`)
    assert.is(shown.headers['cache-control'], 'no-store')
    // `no-referrer` on a page with a form would turn its Origin into null, which decides nothing (design §6.11).
    assert.is(shown.headers['referrer-policy'], 'same-origin')
    assert.equal(
      shown.root.querySelectorAll('[src], link, script, img, iframe, object, embed, a[href^="http"]').length,
      0,
    )
    assert.not.match(shown.html, /url\(|@import|https?:\/\/(?!localhost)/)
  }
  const toUpstream = await allow(browser, refused)
  browser.stopAt.pop()
  const toClient = await browser.goto(toUpstream.sentTo ?? '')
  for (const redirect of [
    toUpstream,
    toClient,
    await deny(browser, (await openConsent(browser, client)).page),
  ]) {
    assert.is(redirect.status, 303)
    assert.is(redirect.headers['referrer-policy'], 'no-referrer')
    assert.is(redirect.headers['cache-control'], 'no-store')
    assert.is(redirect.html, '')
  }
  assert.equal(upstreamCalls(world).token, 1)
})

test('sec-A9: pages can be read by no script of another site, and nothing allows credentials', async (context) => {
  const { world, access } = await startWithToken(context)
  const browser = newBrowser()
  const client = await Client.register(world.url)
  const { page } = await openConsent(browser, client)
  const origin = { origin: 'https://evil.test' }
  const answers = [
    await send(page.url, { headers: origin }),
    await send(client.trip({ response_type: 'token' }).url, { headers: origin }),
    await postForm(`${world.url}/login`, {}, origin),
    await postForm(`${world.url}/consent`, {}, origin),
    await send(`${world.url}/upstream/callback/github`, { headers: origin }),
    await callMcp(world.mcpUrl, access, INITIALIZE, origin),
  ]
  for (const { headers } of answers) assert.is(headers.get('access-control-allow-origin'), null)
  for (const path of ['/token', '/register', '/.well-known/oauth-authorization-server']) {
    const { headers } = await send(world.url + path, { headers: origin })
    assert.is(headers.get('access-control-allow-credentials'), null)
  }
  const end = await allow(browser, page)
  assert.ok(end.sentTo?.searchParams.has('code'))
  assertErrorPage(await deny(browser, page), [400, 403, 409])
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

test('sec-L8, spec-H2: no page, of errors least of all, can be framed, scripted or sniffed', async (context) => {
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
    }
    for (const name of ['transaction', 'csrf']) {
      const fields = { ...page.form().values, ...VICTIM, [name]: text }
      assertInert(await browser.post(`${world.url}/login`, fields, { from: page.url }))
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

test.run()
