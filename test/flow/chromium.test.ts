// Screen 1 in a real Chromium: what only a browser's own engine can refuse (policies, cookies, forms), and what a person
// needs who uses a keyboard, a narrow window or a screen reader.
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import { startGateway, type TestGateway, USER } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { listen } from '../support/http.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute, openRoute } from '../support/yaml.ts'
import { mcpRequest, type OAuthClient, registerClient } from './oauth-client.ts'

const test = suite('flow/chromium')
const EXECUTABLE = '/usr/bin/chromium'
const inChromium = test.skipUnless(existsSync(EXECUTABLE), `no ${EXECUTABLE}`)

/** Quiet and self-contained: no look-ups of its own beside the pages under test. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

interface Opened {
  page: Page
  /** What the engine blocked because of a page's policy. */
  violations: string[]
  /** Every address that was navigated to. */
  visited: string[]
}

let chrome: Browser | undefined
test.before(async () => {
  chrome = await chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS })
})
test.after(() => chrome?.close())

/** A person's browser, with cookies of its own. */
async function openBrowser({ after }: TestContext): Promise<BrowserContext> {
  if (chrome === undefined) throw new Error('Chromium did not start')
  const context = await chrome.newContext()
  after(() => context.close())
  return context
}

async function openPage(context: BrowserContext): Promise<Opened> {
  const page = await context.newPage()
  const violations: string[] = []
  const visited: string[] = []
  page.on('request', (request) => visited.push(request.url()))
  const engine = await context.newCDPSession(page)
  engine.on('Audits.issueAdded', ({ issue }) => {
    const policy = issue.details.contentSecurityPolicyIssueDetails
    if (policy) violations.push(`${policy.violatedDirective} ${policy.blockedURL ?? ''}`)
  })
  await engine.send('Audits.enable')
  return { page, violations, visited }
}

async function openGateway({ after }: TestContext): Promise<TestGateway> {
  const server = await startMcpServer()
  after(() => server.close())
  const gateway = await startGateway({ yaml: document(openRoute('tools', server)) })
  after(() => gateway.close())
  return gateway
}

const typePassword = async (page: Page) => {
  await page.keyboard.press('Tab')
  await page.keyboard.type(USER.username)
  await page.keyboard.press('Tab')
  await page.keyboard.type(USER.password)
}

inChromium(
  'sec-L10: both screens, by keyboard, to a client that listens on loopback: the code arrives and works',
  async (context) => {
    const arrivals: URL[] = []
    const listener = await listen((request, response) => {
      arrivals.push(new URL(request.url ?? '', 'http://127.0.0.1'))
      response.end('<!doctype html><title>Back at the client</title>')
    })
    context.after(listener.close)
    const github = await startGithub({ page: true })
    context.after(() => github.close())
    const gateway = await startGateway({
      yaml: document(githubRoute('github', github)),
      env: githubEnv(github),
    })
    context.after(() => gateway.close())
    const client = await registerClient(gateway.url)
    const { page, violations } = await openPage(await openBrowser(context))

    await page.goto(client.authorizeUrl({ redirect_uri: `${listener.origin}/callback` }))
    assert.is(await page.title(), 'By hand wants to use github · MCP gateway')
    await typePassword(page)
    await page.keyboard.press('Enter')
    await page.waitForURL((url) => url.origin === github.origin)
    await page.getByRole('button', { name: 'Authorize' }).press('Enter')
    await page.waitForURL((url) => url.origin === listener.origin)

    const callback = arrivals.find(({ pathname }) => pathname === '/callback')
    assert.equal(
      [callback?.searchParams.get('state'), callback?.searchParams.get('iss')],
      ['state of the client', gateway.url],
    )
    const { body } = await client.redeem(callback ?? new URL('a:b'), `${listener.origin}/callback`)
    assert.is((await mcpRequest(`${gateway.url}/github`, String(body.access_token))).status, 200)
    assert.equal(violations, [])
  },
)

inChromium(
  'sec-L10: to a client with a scheme of its own, straight from the form, and on Deny',
  async (context) => {
    const gateway = await openGateway(context)
    const redirectUri = 'cursor://anysphere.cursor-retrieval/oauth/callback'
    const client = await registerClient(gateway.url, { redirect_uris: [redirectUri] })
    const authorize = client.authorizeUrl({ redirect_uri: redirectUri })
    const browser = await openBrowser(context)
    const arrivalAt = (page: Page) => page.waitForRequest((request) => request.url().startsWith(redirectUri))

    const allowing = await openPage(browser)
    await allowing.page.goto(authorize)
    await typePassword(allowing.page)
    const [allowed] = await Promise.all([arrivalAt(allowing.page), allowing.page.keyboard.press('Enter')])
    assert.is((await client.redeem(new URL(allowed.url()), redirectUri)).status, 200)

    // Another tab: the first one now asks its person whether to open that program.
    const denying = await openPage(browser)
    await denying.page.goto(authorize)
    assert.is(await denying.page.getByLabel('Password').count(), 0, 'the cookie came back: signed in')
    const deny = denying.page.getByRole('button', { name: 'Deny' })
    const [denied] = await Promise.all([arrivalAt(denying.page), deny.press('Enter')])
    assert.is(new URL(denied.url()).searchParams.get('error'), 'access_denied')
    assert.equal([...allowing.violations, ...denying.violations], [])
    const elsewhere = [...allowing.visited, ...denying.visited].filter(
      (url) => !url.startsWith(gateway.url) && !url.startsWith(redirectUri),
    )
    assert.equal(elsewhere, [], 'the pages load nothing from anywhere')
  },
)

inChromium(
  'a wrong password is announced and the name kept; another account is one button away',
  async (context) => {
    const gateway = await openGateway(context)
    const listener = await listen((_request, response) => response.end('back'))
    context.after(listener.close)
    const client = await registerClient(gateway.url)
    const authorize = client.authorizeUrl({ redirect_uri: `${listener.origin}/callback` })
    const { page, violations } = await openPage(await openBrowser(context))
    await page.goto(authorize)
    await page.getByLabel('User name').fill(USER.username)
    await page.getByLabel('Password').fill('wrong')
    await page.keyboard.press('Enter')
    assert.is(await page.getByRole('alert').textContent(), 'The user name or the password is wrong.')
    assert.is(await page.getByLabel('User name').inputValue(), USER.username)
    assert.is(await page.getByLabel('Password').inputValue(), '')
    await page.getByLabel('Password').fill(USER.password)
    await page.keyboard.press('Enter')
    await page.waitForURL((url) => url.origin === listener.origin)

    await page.goto(authorize)
    await page.getByRole('button', { name: 'Use another account' }).press('Enter')
    await page.getByLabel('Password').waitFor()
    assert.equal(violations, [])
  },
)

/** Run in the page: what a linter for accessibility looks at first. */
const BASICS = `(() => {
  const named = (element) => (element.textContent || element.getAttribute('aria-label') || '').trim() !== ''
  const visible = [...document.querySelectorAll('input:not([type=hidden])')]
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
  return {
    language: document.documentElement.lang,
    headings: [...document.querySelectorAll('h1')].filter(named).length,
    mains: document.querySelectorAll('main').length,
    unlabelled: visible.filter(({ labels }) => ![...labels].some(named)).length,
    namelessButtons: [...document.querySelectorAll('button, a')].filter((element) => !named(element)).length,
    repeatedIds: ids.length - new Set(ids).size,
    wider: document.documentElement.scrollWidth > innerWidth,
  }
})()`

/** Run in the page: text whose contrast is below 4.5 (WCAG 2.2, 1.4.3), with the ratio. */
const FAINT = `(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number)
  const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4)
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
  const behind = (element) => {
    const color = channels(getComputedStyle(element).backgroundColor)
    return color[3] === 0 && element.parentElement ? behind(element.parentElement) : color
  }
  const texts = [...document.querySelectorAll('body *')].filter(({ childNodes }) =>
    [...childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== ''))
  return texts.map((element) => {
    const [light, dark] = [channels(getComputedStyle(element).color), behind(element)].map(luminance).sort((a, b) => b - a)
    return { text: element.textContent.trim(), ratio: (light + 0.05) / (dark + 0.05) }
  }).filter(({ ratio }) => ratio < 4.5)
})()`

const GOOD = {
  language: 'en',
  headings: 1,
  mains: 1,
  unlabelled: 0,
  namelessButtons: 0,
  repeatedIds: 0,
  wider: false,
}

async function checkPage(page: Page, name: string): Promise<void> {
  assert.equal(await page.evaluate(BASICS), GOOD, name)
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    assert.equal(await page.evaluate(FAINT), [], `${name}, ${colorScheme}`)
  }
}

async function pagesOf(gateway: TestGateway, client: OAuthClient): Promise<Record<string, string>> {
  const twice = client.authorizeUrl({ client_id: 'nobody' })
  return {
    'sign in': client.authorizeUrl({ resource: `${gateway.url}/a` }),
    choose: client.authorizeUrl(),
    error: twice,
  }
}

inChromium(
  'the account that is connected upstream is on the page, and another one is connected by one button',
  async (context) => {
    const listener = await listen((_request, response) => response.end('back'))
    context.after(listener.close)
    const github = await startGithub()
    context.after(() => github.close())
    const relink = '        relink_parameters: { prompt: select_account }'
    const gateway = await startGateway({
      yaml: document(githubRoute('github', github, relink)),
      env: githubEnv(github),
    })
    context.after(() => gateway.close())
    const client = await registerClient(gateway.url)
    const authorize = client.authorizeUrl({ redirect_uri: `${listener.origin}/callback` })
    const { page, violations } = await openPage(await openBrowser(context))
    const isBack = () => page.waitForURL((url) => url.origin === listener.origin)
    await page.goto(authorize)
    await typePassword(page)
    await page.keyboard.press('Enter')
    await isBack()

    await page.setViewportSize({ width: 320, height: 640 })
    await page.goto(authorize)
    await page.getByText(/connected on \d{4}-\d{2}-\d{2}/).waitFor()
    await checkPage(page, 'connected')
    await page.getByRole('button', { name: 'Allow with another upstream account' }).press('Enter')
    await isBack()
    const trips = github.recorder.to('/login/oauth/authorize').map(({ query }) => query.get('prompt'))
    assert.equal(trips, [null, 'select_account'])
    assert.equal(violations, [])
  },
)

inChromium(
  'every page: language, one heading, labels, names, contrast in light and dark, and no scrolling sideways on a phone',
  async (context) => {
    const server = await startMcpServer()
    context.after(() => server.close())
    const keyed = `
  keyed:
    upstream: ${server.url}
    auth: { type: user_api_key, in: header, name: X-Key, help_url: "https://example.com/keys", instructions: Make one there. }
`
    const gateway = await startGateway({
      yaml: document(openRoute('a', server), openRoute('b', server), keyed),
    })
    context.after(() => gateway.close())
    const client = await registerClient(gateway.url, {
      client_name: 'A-client-with-one-very-long-name-that-does-not-break-by-itself-x',
    })
    const { page, violations } = await openPage(await openBrowser(context))
    await page.setViewportSize({ width: 320, height: 640 })
    for (const [name, url] of Object.entries(await pagesOf(gateway, client))) {
      await page.goto(url)
      await checkPage(page, name)
    }
    await page.goto(client.authorizeUrl({ resource: `${gateway.url}/a` }))
    await typePassword(page)
    await page.keyboard.type('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').waitFor()
    await checkPage(page, 'refused')
    await page.goto(client.authorizeUrl({ resource: `${gateway.url}/keyed` }))
    await typePassword(page)
    await page.keyboard.press('Enter')
    await page.getByRole('link').waitFor()
    await checkPage(page, 'key')
    assert.equal(violations, [])
  },
)

test.run()
