// The consent page says which upstream account is connected, and lets the person connect another one instead.
import * as assert from 'uvu/assert'
import { Client, callMcp, callTool, tokensOf } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { intercept } from '../support/intercept.ts'
import { signIn } from '../support/person.ts'
import { startSink } from '../support/sink.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'

const test = suite('flow/account')
const ANOTHER = 'Allow with another upstream account'

interface Options {
  /** Further fields of the authorization server. */
  server?: string
  /** Status and body at the account endpoint, whose token is `login`'s. */
  answer?: (login: string) => readonly [status: number, body: string]
  /** Laid over the token answer. */
  idToken?: string
  now?: () => number
}

const says = (login: string) => [200, JSON.stringify({ login, name: 'The Octocat' })] as const

async function scene({ after }: TestContext, { server = '', answer = says, idToken, now }: Options = {}) {
  const github = await startGithub()
  after(() => github.close())
  intercept(github.server, (request, response) => {
    if (request.url !== '/user') return false
    const token = request.headers.authorization?.slice('Bearer '.length)
    const known = github.tokens().find((one) => one.token === token)
    const [status, body] = known ? answer(known.login) : ([401, '{}'] as const)
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    return true
  })
  if (idToken !== undefined) {
    const body = JSON.stringify({ access_token: 'T', token_type: 'bearer', id_token: idToken })
    github.knobs.tokenReply = { status: 200, type: 'application/json', body }
  }
  const fields = server.replaceAll('ORIGIN', github.origin)
  const yaml = document(githubRoute('github', github, fields))
  const gateway = await startGateway({ yaml, env: githubEnv(github), ...(now && { now }) })
  after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const browser = newBrowser()
  const connect = async () => {
    const trip = client.trip()
    const { callback, pages } = await signIn(browser, trip.url, USER)
    return { ...tokensOf(await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier)), pages }
  }
  return {
    github,
    gateway,
    client,
    browser,
    connect,
    /** The consent page, as a person sees it who is signed in at the gateway. */
    consent: () => browser.goto(client.trip().url),
    /** Allows, but with another account; the client gets tokens. */
    async relink() {
      const trip = client.trip()
      const page = await browser.goto(trip.url)
      const { sentTo } = await browser.submit(page.form(), {}, { button: ANOTHER })
      const code = sentTo?.searchParams.get('code')
      return code ? tokensOf(await client.redeem(code, trip.verifier)) : sentTo
    },
    whoami: (token: string) => callTool(`${gateway.url}/github`, token, 'whoami'),
    trips: () => github.recorder.to('/login/oauth/authorize'),
  }
}

const ASKS = `        account_endpoint: ORIGIN/user
        account_claim: login
        relink_parameters: { prompt: select_account }
        authorization_parameters: { prompt: none, allow_signup: "false" }`

test('the page names the account, and asks nobody for it again', async (context) => {
  const { github, connect, consent } = await scene(context, { server: ASKS })
  const { pages } = await connect()
  assert.not.match(pages[0]?.text ?? '', 'connected', 'nothing is connected yet')
  assert.not.ok(pages[0]?.form().buttons.includes(ANOTHER))
  const page = await consent()
  assert.match(page.text, 'connected as octocat')
  assert.equal(page.form().buttons, ['Use another account', 'Allow', 'Deny', ANOTHER])
  assert.is(github.recorder.count('/user'), 1)
})

test('nobody else learns it: the page of another browser says nothing', async (context) => {
  const { client, connect } = await scene(context, { server: ASKS })
  await connect()
  const page = await newBrowser().goto(client.trip().url)
  assert.not.match(page.text, /octocat|connected/)
})

test('another account is asked for at the upstream, and is the one from then on, for every client', async (context) => {
  const { github, connect, consent, relink, whoami, trips } = await scene(context, { server: ASKS })
  const before = await connect()
  assert.is(trips()[0]?.query.get('prompt'), 'none')
  github.knobs.login = 'hubot'
  const after = await relink()
  assert.ok(after && 'access' in after)
  assert.is(trips().length, 2)
  const { query } = trips()[1] ?? {}
  assert.equal([query?.get('prompt'), query?.get('allow_signup')], ['select_account', 'false'])
  assert.is(await whoami(after.access), 'hubot')
  assert.is(await whoami(before.access), 'hubot', 'one link serves all')
  assert.match((await consent()).text, 'connected as hubot')
})

test('without parameters of its own it is the ordinary trip', async (context) => {
  const { github, connect, relink, trips } = await scene(context)
  await connect()
  github.knobs.login = 'hubot'
  await relink()
  assert.is(trips().length, 2)
  assert.is(trips()[1]?.query.get('prompt'), null)
})

test('a trip that is not finished leaves everything as it was', async (context) => {
  const { github, connect, consent, relink, whoami } = await scene(context, { server: ASKS })
  const { access } = await connect()
  github.knobs.tokenReply = {
    status: 200,
    type: 'application/json',
    body: '{"error":"bad_verification_code"}',
  }
  const refused = await relink()
  assert.ok(refused instanceof URL)
  assert.is(refused.searchParams.get('error'), 'server_error')
  github.knobs.tokenReply = undefined
  assert.is(await whoami(access), 'octocat')
  assert.match((await consent()).text, 'connected as octocat')
})

test('where nobody says it, the day is shown', async (context) => {
  const { connect, consent } = await scene(context)
  await connect()
  assert.match((await consent()).text, /connected on \d{4}-\d{2}-\d{2}/)
})

const jwt = (claims: object) =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature-that-nobody-checks`

const ID_TOKENS: [name: string, idToken: string, shown: string | RegExp][] = [
  ['the user name', jwt({ preferred_username: 'alice', email: 'a@example.com' }), 'connected as alice'],
  ['else the address', jwt({ email: 'a@example.com', name: 'Alice' }), 'connected as a@example.com'],
  ['else the name', jwt({ name: 'Alice Ångström' }), 'connected as Alice Ångström'],
  ['nothing of it', jwt({ sub: '1234' }), /connected on/],
  ['no claims', 'not a token', /connected on/],
  ['claims that are no text', jwt({ name: ['x'], email: 7, preferred_username: {} }), /connected on/],
  ['only what can be seen', jwt({ name: '\u202Egnp.exe\u0000\n\u200B' }), 'connected as gnp.exe'],
  ['a line, however long it is', jwt({ name: 'x'.repeat(5_000) }), `connected as ${'x'.repeat(64)}…`],
  ['a tag as text', jwt({ name: '<img src=x>' }), '<img src=x>'],
]
for (const [name, idToken, shown] of ID_TOKENS) {
  test(`sec-R6: of an id_token the page shows ${name}`, async (context) => {
    const { connect, consent, gateway } = await scene(context, { idToken })
    await connect()
    const page = await consent()
    assert.match(page.text, shown)
    assert.not.match(page.html, '<img')
    assert.not.match(JSON.stringify(gateway.log), 'signature-that-nobody-checks')
  })
}

test('the name stays when the tokens are refreshed', async (context) => {
  let passedMs = 0
  const idToken = jwt({ preferred_username: 'alice' })
  const { github, gateway, connect, consent } = await scene(context, {
    idToken,
    now: () => Date.now() + passedMs,
  })
  intercept(github.server, (request, response) => {
    if (request.url === '/mcp/') response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    return request.url === '/mcp/'
  })
  const reply = (more: object) => ({
    status: 200,
    type: 'application/json',
    body: JSON.stringify({ token_type: 'bearer', refresh_token: 'R', expires_in: 600, ...more }),
  })
  github.knobs.tokenReply = reply({ access_token: 'first', id_token: idToken })
  const { access } = await connect()
  github.knobs.tokenReply = reply({ access_token: 'second' })
  passedMs = 600_000
  assert.is((await callMcp(`${gateway.url}/github`, access)).status, 200)
  assert.is(github.recorder.to('/mcp/').at(-1)?.headers.authorization, 'Bearer second')
  assert.match((await consent()).text, 'connected as alice')
})

const TROUBLE: [name: string, answer: () => readonly [number, string]][] = [
  ['an error', () => [500, '{"login":"of-an-error"}']],
  ['a refusal', () => [403, '{"login":"of-a-refusal"}']],
  ['a redirect', () => [302, '']],
  ['no JSON', () => [200, '<html>']],
  ['an array', () => [200, '["login"]']],
  ['no such member', () => [200, '{"id":1}']],
  ['too much', () => [200, JSON.stringify({ login: 'x'.repeat(100_000) })]],
]
for (const [name, answer] of TROUBLE) {
  test(`an account endpoint that answers with ${name} does not keep anybody from signing in`, async (context) => {
    const { connect, consent, whoami, github } = await scene(context, { server: ASKS, answer })
    const { access } = await connect()
    assert.is(github.recorder.count('/user'), 1)
    assert.is(await whoami(access), 'octocat')
    assert.match((await consent()).text, /connected on/)
  })
}

test('an account endpoint that redirects gets the token nowhere else', async (context) => {
  const evil = await startSink()
  context.after(() => evil.close())
  context.after(() => evil.assertUntouched())
  const { github, connect } = await scene(context, {
    server: ASKS.replace('ORIGIN/user', 'ORIGIN/elsewhere'),
  })
  intercept(github.server, (request, response) => {
    if (request.url !== '/elsewhere') return false
    response.writeHead(307, { location: evil.url }).end()
    return true
  })
  await connect()
  assert.is(github.recorder.count('/elsewhere'), 1)
})

test('a forged "another account" of a foreign page, or without the page, is no consent', async (context) => {
  const { github, gateway, browser, client, connect } = await scene(context, { server: ASKS })
  await connect()
  const page = await browser.goto(client.trip().url)
  const before = github.recorder.count()
  const whole = page.form().values
  for (const [fields, from] of [
    [{ ...whole, decision: 'relink' }, new URL('https://evil.example/')],
    [{ ...whole, csrf: 'x', decision: 'relink' }, page],
  ] as const) {
    const refused = await browser.post(`${gateway.url}/consent`, fields as Record<string, string>, { from })
    assert.is(refused.status, 403)
  }
  assert.is(github.recorder.count(), before, 'the upstream heard nothing')
  assert.ok((await browser.submit(page.form(), {}, { button: ANOTHER })).sentTo?.searchParams.has('code'))
})

test.run()
