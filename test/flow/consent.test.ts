// Screen 1 over time: who is asked for a password, who for an account, and what a "no" does.
import * as assert from 'uvu/assert'
import { hashPassword } from '../../src/login/password.ts'
import { Browser } from '../support/browser.ts'
import { connectV1, connectV2 } from '../support/clients.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { type Github, startGithub } from '../support/github.ts'
import { AuthorizationFailed, MemoryProvider } from '../support/oauth-provider.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'
import { mcpRequest, registerClient } from './oauth-client.ts'

const test = suite('flow/consent')

const exchanges = (github: Github) => github.recorder.count('POST /login/oauth/access_token')
const upstreamVisits = (github: Github) => github.recorder.count('GET /login/oauth/authorize')

async function world({ after }: TestContext, login = '', env: Record<string, string> = {}) {
  const github = await startGithub({ page: true })
  after(() => github.close())
  const yaml = document(githubRoute('github', github)) + login
  const gateway = await startGateway({ yaml, env: { ...githubEnv(github), ...env } })
  after(() => gateway.close())
  return { github, gateway, url: `${gateway.url}/github` }
}

const ann = { ...USER, upstreamName: 'ann' }

test("a user's second client meets consent and no screen 2: one exchange at the upstream serves both", async (context) => {
  const { github, url } = await world(context)
  const first = await connectV1(url, { person: ann })
  context.after(() => first.close())
  assert.is(first.provider.signIns[0]?.pages.length, 2)

  const second = await connectV2(url, { person: ann, mode: 'auto' })
  context.after(() => second.close())
  assert.is(
    second.provider.signIns[0]?.pages.length,
    1,
    'another browser: the password is asked, the account is not',
  )
  assert.match(await second.call('whoami'), 'ann')
  assert.equal([exchanges(github), upstreamVisits(github), github.tokens().length], [1, 1, 1])
  assert.is.not(first.provider.current?.access_token, second.provider.current?.access_token)
  assert.match(await first.call('whoami'), 'ann', 'and the first goes on')
})

test('a browser that is signed in sees no password field, and consents all the same', async (context) => {
  const { github, url } = await world(context)
  const browser = new Browser()
  const first = await connectV1(url, { person: ann, browser })
  context.after(() => first.close())
  const second = await connectV1(url, {
    person: {},
    browser,
    clientMetadata: { client_name: 'Second client' },
  })
  context.after(() => second.close())
  const [page, ...others] = second.provider.signIns[0]?.pages ?? []
  assert.is(others.length, 0)
  assert.not.ok(page?.form().has('input[type=password]'))
  assert.match(page?.text ?? '', 'Second client wants to use github')
  assert.match(page?.text ?? '', 'Signed in as gateway_user')
  assert.is(exchanges(github), 1)
})

test('a browser that is sent here twice at once finishes both, in either order', async (context) => {
  const { gateway } = await world(context)
  const client = await registerClient(gateway.url)
  const browser = client.browser()
  const older = await client.open(browser, { state: 'older' })
  const newer = await client.open(browser, { state: 'newer' })
  const password = { username: USER.username, password: USER.password }
  const atGithub = await browser.submit(newer.form(), password)
  const newest = await browser.submit(atGithub.form(), { login: 'ann' }, { button: 'Authorize' })
  assert.is(newest.sentTo?.searchParams.get('state'), 'newer')
  const oldest = await browser.submit(older.form(), password)
  assert.is(oldest.sentTo?.searchParams.get('state'), 'older')
  for (const { sentTo } of [newest, oldest])
    assert.is((await client.redeem(sentTo ?? new URL('a:b'))).status, 200)
})

const twoUsers = `
login:
  users:
    alice: { password_hash: "\${ALICE}" }
    bob: { password_hash: "\${BOB}" }
`
const twoHashes = async () => ({
  ALICE: await hashPassword('alices password'),
  BOB: await hashPassword('bobs password'),
})

test('"Use another account" signs out and asks for a password: what follows is the other person', async (context) => {
  const { github, gateway, url } = await world(context, twoUsers, await twoHashes())
  const client = await registerClient(gateway.url)
  const browser = client.browser()
  await client.signIn(browser, {
    username: 'alice',
    password: 'alices password',
    upstreamName: 'alice-at-github',
  })

  const known = await client.open(browser)
  assert.match(known.text, 'Signed in as alice')
  const asked = await browser.submit(known.form(), {}, { button: 'Use another account' })
  assert.is(asked.status, 200)
  assert.ok(asked.form().has('input[type=password]'))
  const screen2 = await browser.submit(asked.form(), { username: 'bob', password: 'bobs password' })
  assert.is(screen2.title, 'Authorize application', "alice's account is not bob's")
  const { sentTo } = await browser.submit(screen2.form(), { login: 'bob-at-github' }, { button: 'Authorize' })
  const { body } = await client.redeem(sentTo ?? new URL('a:b'))
  assert.is(exchanges(github), 2)

  const provider = new MemoryProvider({ person: {}, browser })
  provider.current = { access_token: String(body.access_token), token_type: 'Bearer' }
  const session = await connectV1(url, { provider })
  context.after(() => session.close())
  assert.match(await session.call('whoami'), 'bob-at-github')
  assert.match((await client.open(browser)).text, 'Signed in as bob')
})

test('the old page of somebody who signed out meanwhile is worth nothing', async (context) => {
  const { gateway } = await world(context, twoUsers, await twoHashes())
  const client = await registerClient(gateway.url)
  const browser = client.browser()
  await client.signIn(browser, { username: 'alice', password: 'alices password', upstreamName: 'a' })
  const stale = await client.open(browser)
  await browser.submit((await client.open(browser)).form(), {}, { button: 'Use another account' })
  const page = await browser.submit(stale.form(), {}, { button: 'Allow' })
  assert.is(page.sentTo, undefined)
  assert.is(page.status, 403)
})

test('Deny at the gateway: access_denied with state and iss at the client, nothing at the upstream', async (context) => {
  const { github, gateway, url } = await world(context)
  const person = { ...ann, denyAt: gateway.url }
  const error = await connectV1(url, { person }).catch((failure: unknown) => failure)
  assert.instance(error, AuthorizationFailed)
  const { searchParams } = (error as AuthorizationFailed).callback
  assert.equal([...searchParams.keys()].sort(), ['error', 'error_description', 'iss', 'state'])
  assert.is(searchParams.get('error'), 'access_denied')
  assert.is(searchParams.get('iss'), gateway.url)
  assert.is(github.recorder.count(), 0)
})

test('Deny needs no password, and decides once: its page cannot allow any more', async (context) => {
  const { gateway } = await world(context)
  const client = await registerClient(gateway.url)
  const browser = client.browser()
  const page = await client.open(browser)
  const denied = await browser.submit(page.form(), {}, { button: 'Deny' })
  assert.is(denied.sentTo?.searchParams.get('state'), 'state of the client')
  const again = await browser.submit(page.form(), { username: USER.username, password: USER.password })
  assert.is(again.sentTo, undefined)
  assert.ok(again.status === 403 || again.status === 409, String(again.status))
})

test('Cancel at the upstream: access_denied at the client, and the next try may succeed', async (context) => {
  const { github, gateway, url } = await world(context)
  const error = await connectV1(url, { person: { ...ann, denyAt: github.origin } }).catch(
    (failure: unknown) => failure,
  )
  assert.instance(error, AuthorizationFailed)
  const { searchParams } = (error as AuthorizationFailed).callback
  assert.is(searchParams.get('error'), 'access_denied')
  assert.is(searchParams.get('iss'), gateway.url)
  assert.not.match(
    searchParams.get('error_description') ?? '',
    'application access',
    "not the upstream's own words",
  )
  assert.is(exchanges(github), 0)
  const session = await connectV1(url, { person: ann })
  context.after(() => session.close())
  assert.match(await session.call('whoami'), 'ann')
})

test('an answer may be given once: the page that was used says so, the code it led to stays good', async (context) => {
  const { gateway } = await world(context)
  const client = await registerClient(gateway.url)
  const browser = client.browser()
  const page = await client.open(browser)
  const screen2 = await browser.submit(page.form(), { username: USER.username, password: USER.password })
  const { sentTo } = await browser.submit(screen2.form(), {}, { button: 'Authorize' })
  const again = await browser.submit(page.form(), { username: USER.username, password: USER.password })
  assert.is(again.sentTo, undefined)
  assert.ok(again.status >= 400)
  const { status, body } = await client.redeem(sentTo ?? new URL('a:b'))
  assert.is(status, 200)
  assert.is((await mcpRequest(`${gateway.url}/github`, String(body.access_token))).status, 200)
})

test.run()
