// Screen 1 for people with a password, for nobody in particular, and for people who may not.
import { readFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { hashPassword } from '../../src/login/password.ts'
import { Browser } from '../support/browser.ts'
import { connectV1 } from '../support/clients.ts'
import { startGateway, type TestGateway, USER } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { AuthorizationFailed } from '../support/oauth-provider.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute, openRoute } from '../support/yaml.ts'
import { challengeOf, mcpRequest, type OAuthClient, registerClient } from './oauth-client.ts'

const test = suite('flow/login')

const USERS = `
login:
  users:
    alice: { password_hash: "\${ALICE}", groups: [staff] }
    bob: { password_hash: "\${BOB}" }
`
const hashes = async () => ({
  ALICE: await hashPassword('alices password'),
  BOB: await hashPassword('bobs pässword'),
})
const alice = { username: 'alice', password: 'alices password' }
const bob = { username: 'bob', password: 'bobs pässword' }

interface World {
  gateway: TestGateway
  url: string
  client: OAuthClient
}

async function world(
  { after }: TestContext,
  { login = USERS, route = '', now = Date.now } = {},
): Promise<World> {
  const server = await startMcpServer()
  after(() => server.close())
  const yaml = document(openRoute('tools', server, route)) + login
  const gateway = await startGateway({ yaml, env: login.includes('${ALICE}') ? await hashes() : {}, now })
  after(() => gateway.close())
  return { gateway, url: `${gateway.url}/tools`, client: await registerClient(gateway.url) }
}

test('each user signs in with their own password, however it was typed', async (context) => {
  const { client, gateway } = await world(context)
  await client.signIn(client.browser(), alice)
  await client.signIn(client.browser(), { ...bob, password: 'bobs pa\u0308ssword' })
  const subjects = gateway.log
    .filter(({ event }) => event === 'signed in')
    .map(({ fields }) => fields.subject)
  assert.equal(subjects, ['users/alice', 'users/bob'])
})

test('a wrong password: the page again with 403, an announced error and the name; the right one then goes through', async (context) => {
  const { client } = await world(context)
  const browser = client.browser()
  const page = await client.open(browser)
  const refused = await browser.submit(page.form(), { username: 'alice', password: 'bobs pässword' })
  assert.is(refused.status, 403)
  assert.is(
    refused.root.querySelector('[role=alert]')?.textContent,
    'The user name or the password is wrong.',
  )
  assert.equal([refused.form().values.username, refused.form().values.password], ['alice', ''])
  assert.match(refused.text, 'By hand wants to use tools', 'and it still says what it is about')
  const { sentTo } = await browser.submit(refused.form(), alice)
  assert.is((await client.redeem(sentTo ?? new URL('a:b'))).status, 200)
})

test('sec-L5: a name that does not exist is refused in the same words', async (context) => {
  const { client } = await world(context)
  const answers = ['alice', 'nobody', '__proto__', ''].map(async (username) => {
    const browser = client.browser()
    const form = (await client.open(browser)).form()
    const page = await browser.post(form.fill({ username: 'x', password: 'y' }).url, {
      ...form.values,
      username,
      password: 'wrong',
      decision: 'allow',
    })
    return [page.status, page.root.querySelector('[role=alert]')?.textContent]
  })
  const [known, ...unknown] = await Promise.all(answers)
  for (const answer of unknown) assert.equal(answer, known)
})

test('sec-L1: after five wrong passwords the account waits: 429 with the time, even for the right password, and for no other account', async (context) => {
  let nowMs = Date.now()
  const { client } = await world(context, { now: () => nowMs })
  const browser = client.browser()
  const attempt = async (person: { username: string; password: string }) =>
    browser.submit((await client.open(browser)).form(), person)
  for (let failures = 1; failures <= 5; failures++) {
    assert.is((await attempt({ username: 'alice', password: `guess ${failures}` })).status, 403)
  }
  const waiting = await attempt(alice)
  assert.is(waiting.status, 429)
  assert.is(waiting.headers['retry-after'], '1')
  assert.match(
    waiting.root.querySelector('[role=alert]')?.textContent ?? '',
    'Too many wrong passwords. Try again in 1 s.',
  )
  assert.is(waiting.form().values.username, 'alice')

  nowMs += 1_000
  assert.is((await attempt({ username: 'alice', password: 'guess 6' })).status, 403)
  const longer = await attempt(alice)
  assert.equal(
    [longer.status, longer.headers['retry-after']],
    [429, '2'],
    'each further mistake doubles the wait',
  )

  const other = client.browser()
  const { sentTo } = await other.submit((await client.open(other)).form(), bob)
  assert.ok(sentTo?.searchParams.has('code'), 'bob does not wait')
  nowMs += 2_000
  assert.ok((await attempt(alice)).sentTo?.searchParams.has('code'))
})

test('login none: nobody is asked who they are, consent is; two browsers are two people', async (context) => {
  const github = await startGithub({ page: true })
  context.after(() => github.close())
  const gateway = await startGateway({
    yaml: `${document(githubRoute('github', github))}login: { none: {} }\n`,
    env: githubEnv(github),
  })
  context.after(() => gateway.close())
  const url = `${gateway.url}/github`
  const [annsBrowser, benBrowser] = [new Browser(), new Browser()]
  const ann = await connectV1(url, { person: { upstreamName: 'ann' }, browser: annsBrowser })
  context.after(() => ann.close())
  const ben = await connectV1(url, { person: { upstreamName: 'ben' }, browser: benBrowser })
  context.after(() => ben.close())
  assert.not.ok(ann.provider.signIns[0]?.pages[0]?.form().has('input[type=password]'))
  assert.match(await ann.call('whoami'), 'ann')
  assert.match(await ben.call('whoami'), 'ben')

  const anns = await connectV1(url, { person: {}, browser: annsBrowser })
  context.after(() => anns.close())
  assert.is(anns.provider.signIns[0]?.pages.length, 1, 'the browser is known: no screen 2')
  assert.match(await anns.call('whoami'), 'ann')
  const subjects = new Set(
    gateway.log.filter(({ event }) => event === 'code issued').map(({ fields }) => fields.subject),
  )
  assert.is(subjects.size, 2)
  for (const subject of subjects) assert.match(String(subject), /^none\/[\w-]{22}$/)
})

test('somebody who may not use a route is told so at the client, after the password and before the upstream', async (context) => {
  const { gateway, client, url } = await world(context, { route: '    access: { groups: [staff] }\n' })
  const { callback } = await client.signIn(client.browser(), bob)
  assert.equal([...callback.searchParams.keys()].sort(), ['error', 'error_description', 'iss', 'state'])
  assert.is(callback.searchParams.get('error'), 'access_denied')
  assert.is(callback.searchParams.get('iss'), gateway.url)
  const error = await connectV1(url, { person: bob }).catch((failure: unknown) => failure)
  assert.instance(error, AuthorizationFailed)
  const allowed = await connectV1(url, { person: alice })
  context.after(() => allowed.close())
  assert.is(await allowed.call('add', { a: 1, b: 1 }), '2')
})

test('access that is taken away counts at once: requests are refused, and no token is refreshed', async (context) => {
  const { gateway, client, url } = await world(context)
  const { callback } = await client.signIn(client.browser(), bob)
  const { body } = await client.redeem(callback)
  const token = String(body.access_token)
  assert.is((await mcpRequest(url, token)).status, 200)

  const text = await readFile(gateway.file, 'utf8')
  await gateway.app.reload(text.replace('auth: none', 'auth: none\n    access: { deny: { users: [bob] } }'))
  assert.is((await mcpRequest(url, token)).status, 403)
  const refresh = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }
  const refused = await client.token(refresh)
  assert.equal([refused.status, refused.body.error], [400, 'invalid_grant'])
})

test('a user who left the file is nobody: token 401, no refresh, signed out; back again, they start anew', async (context) => {
  const { gateway, client, url } = await world(context)
  const browser = client.browser()
  const { callback } = await client.signIn(browser, bob)
  const { body } = await client.redeem(callback)
  const token = String(body.access_token)
  const text = await readFile(gateway.file, 'utf8')
  await gateway.app.reload(text.replace(/^ {4}bob:.*\n/m, ''))

  const { status, parameters } = await challengeOf(await mcpRequest(url, token))
  assert.equal([status, parameters.error], [401, 'invalid_token'])
  const refresh = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }
  assert.is((await client.token(refresh)).body.error, 'invalid_grant')
  assert.ok((await client.open(browser)).form().has('input[type=password]'), 'his browser is not signed in')

  await gateway.app.reload(text)
  assert.is((await mcpRequest(url, token)).status, 401, 'whoever has that name now inherits nothing')
  assert.ok((await client.open(browser)).form().has('input[type=password]'))
  const again = await client.signIn(browser, bob)
  assert.is((await client.redeem(again.callback)).status, 200)
})

test('a browser stays signed in for as long as login.session.ttl says, counted from the sign-in', async (context) => {
  let nowMs = Date.now()
  const login = `${USERS}  session: { ttl: 30m }\n`
  const { client } = await world(context, { login, now: () => nowMs })
  const browser = client.browser()
  await client.signIn(browser, alice)
  nowMs += 30 * 60_000 - 1
  assert.not.ok((await client.open(browser)).form().has('input[type=password]'))
  nowMs += 1
  assert.ok((await client.open(browser)).form().has('input[type=password]'))
})

test('a page that was left open for more than ten minutes says that it has expired', async (context) => {
  let nowMs = Date.now()
  const { client } = await world(context, { now: () => nowMs })
  const browser = client.browser()
  const [early, late] = [await client.open(browser), await client.open(browser)]
  nowMs += 10 * 60_000 - 1
  assert.ok((await browser.submit(early.form(), alice)).sentTo?.searchParams.has('code'))
  nowMs += 1
  const expired = await browser.submit(late.form(), alice)
  assert.equal([expired.sentTo, expired.status], [undefined, 400])
  assert.match(expired.text, 'This sign-in has expired')
})

test('the user from the environment signs in, and no other', async (context) => {
  const { client, gateway } = await world(context, { login: '' })
  assert.is(gateway.app.initialUser?.name, USER.username)
  const browser = client.browser()
  const page = await client.open(browser)
  assert.is((await browser.submit(page.form(), { username: USER.username, password: 'correct' })).status, 403)
  assert.is((await browser.submit(page.form(), { username: 'root', password: USER.password })).status, 403)
  assert.ok((await browser.submit(page.form(), { ...USER })).sentTo?.searchParams.has('code'))
})

test.run()
