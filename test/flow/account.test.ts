// The consent page says which upstream account is connected, and lets the person connect another one instead.
import type { ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { openStream } from '../durable/open-stream.ts'
import { Client, callMcp, callTool, tokensOf } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { type Github, startGithub } from '../support/github.ts'
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
  /** The gateway's drain_timeout. */
  drain?: string
  now?: () => number
}

const says = (login: string) => [200, JSON.stringify({ login, name: 'The Octocat' })] as const

async function scene(
  { after }: TestContext,
  { server = '', answer = says, idToken, drain = '20s', now }: Options = {},
) {
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
  const yaml = document(githubRoute('github', github, fields)).replace(
    '{ port: 0',
    `{ port: 0, drain_timeout: ${drain}`,
  )
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

const LIST = { jsonrpc: '2.0', id: 'list-1', method: 'tools/list' }

/** As upstreams do that bind a session to an account: some say 403 to another one, some 401. */
function bindSessions({ server, tokens }: Github, status: number) {
  const owners = new Map<unknown, string | undefined>()
  intercept(server, ({ headers, url }, response) => {
    const session = headers['mcp-session-id']
    const login = tokens().find(({ token }) => headers.authorization === `Bearer ${token}`)?.login
    if (url !== '/mcp/' || session === undefined || login === undefined) return false
    if (!owners.has(session)) owners.set(session, login)
    if (owners.get(session) === login) return false
    response.writeHead(status).end()
    return true
  })
}

for (const status of [401, 403]) {
  test(`spec-R8: with another account every client begins a new session, once, also where the upstream says ${status} to an old one`, async (context) => {
    const { github, gateway, client, connect, relink } = await scene(context)
    bindSessions(github, status)
    const url = `${gateway.url}/github`
    const first = await connect()
    const open = async () => (await callMcp(url, first.access)).headers.get('mcp-session-id') ?? ''
    const list = (session: string) => callMcp(url, first.access, LIST, { 'mcp-session-id': session })
    const old = await open()
    assert.is((await list(old)).status, 200)
    github.knobs.login = 'hubot'
    const second = await relink()
    assert.ok(second && 'access' in second)
    const asked = github.recorder.count('/mcp/')
    const refused = await list(old)
    assert.equal(
      [refused.status, refused.body.id, refused.headers.get('www-authenticate')],
      [404, 'list-1', null],
    )
    assert.is(github.recorder.count('/mcp/'), asked, 'the upstream hears nothing of it')
    const next = await open()
    assert.is.not(next, old)
    assert.is((await list(next)).status, 200)
    assert.is((await list(old)).status, 404)
    assert.is(await callTool(url, first.access, 'whoami'), 'hubot')
    assert.is(await callTool(url, second.access, 'whoami'), 'hubot')
    assert.is((await client.refresh(first.refresh)).status, 200)
    assert.is(github.recorder.count('/login/oauth/access_token'), 2)
  })
}

test('spec-R8: whoever signs in again with the account that was connected goes on in every session', async (context) => {
  const { github, gateway, connect, relink } = await scene(context, { server: ASKS })
  bindSessions(github, 403)
  const url = `${gateway.url}/github`
  const { access } = await connect()
  const session = (await callMcp(url, access)).headers.get('mcp-session-id') ?? ''
  assert.ok('access' in ((await relink()) ?? {}))
  assert.is(github.recorder.count('/login/oauth/access_token'), 2)
  assert.is((await callMcp(url, access, LIST, { 'mcp-session-id': session })).status, 200)
})

test('spec-R8: a sign-in for more scopes keeps the sessions; one with a link that had ended does not, for nobody says whose it is', async (context) => {
  const more = '    scopes: { optional: [gist] }'
  const { github, gateway, client, browser, connect } = await scene(context, { server: more })
  const url = `${gateway.url}/github`
  const { access } = await connect()
  const session = (await callMcp(url, access)).headers.get('mcp-session-id') ?? ''
  const list = async (token: string) =>
    (await callMcp(url, token, LIST, { 'mcp-session-id': session })).status
  const trip = client.trip({ scope: 'gist' })
  const { callback } = await signIn(browser, trip.url, USER)
  const grown = tokensOf(await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier))
  assert.is(github.recorder.count('/login/oauth/access_token'), 2)
  assert.equal([await list(access), await list(grown.access)], [200, 200])
  for (const { token } of github.tokens()) github.revoke(token)
  assert.is(await list(access), 401)
  const after = await connect()
  assert.is(await list(after.access), 404)
  assert.is(await callTool(url, after.access, 'whoami'), 'octocat')
})

test('spec-R8: a call that is under way while another account is connected is not made again as that one, in the old session', async (context) => {
  const { github, gateway, connect, relink, whoami } = await scene(context)
  const url = `${gateway.url}/github`
  const { access } = await connect()
  const session = (await callMcp(url, access)).headers.get('mcp-session-id') ?? ''
  const waiting: ServerResponse[] = []
  intercept(github.server, (request, response) => {
    const isFirst = request.headers['mcp-session-id'] === session && waiting.length === 0
    if (isFirst) waiting.push(response)
    return isFirst
  })
  const call = callMcp(url, access, LIST, { 'mcp-session-id': session })
  while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  github.knobs.login = 'hubot'
  await relink()
  const asked = github.recorder.count('/mcp/')
  waiting[0]?.writeHead(401).end()
  assert.is((await call).status, 404)
  assert.is(github.recorder.count('/mcp/'), asked)
  assert.is(await whoami(access), 'hubot')
})

test('a stream of the account that was connected before ends soon, and one of the new account goes on', async (context) => {
  const { github, gateway, connect, relink } = await scene(context, {
    drain: '100ms',
  })
  intercept(github.server, ({ method, url }, response) => {
    const isStream = method === 'GET' && url === '/mcp/'
    if (isStream) response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: open\n\n')
    return isStream
  })
  const url = `${gateway.url}/github`
  const { access } = await connect()
  const old = await openStream(url, access)
  github.knobs.login = 'hubot'
  await relink()
  const next = await openStream(url, access)
  await old.ended
  assert.ok(next.isOpen())
  next.close()
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

test('the name stays when the tokens are refreshed, and so does the session', async (context) => {
  let passedMs = 0
  const idToken = jwt({ preferred_username: 'alice' })
  const { github, gateway, connect, consent } = await scene(context, {
    idToken,
    now: () => Date.now() + passedMs,
  })
  intercept(github.server, (request, response) => {
    const headers = { 'content-type': 'application/json', 'mcp-session-id': 's-1' }
    if (request.url === '/mcp/') response.writeHead(200, headers).end('{}')
    return request.url === '/mcp/'
  })
  const reply = (more: object) => ({
    status: 200,
    type: 'application/json',
    body: JSON.stringify({ token_type: 'bearer', refresh_token: 'R', expires_in: 600, ...more }),
  })
  github.knobs.tokenReply = reply({ access_token: 'first', id_token: idToken })
  const { access } = await connect()
  const session = { 'mcp-session-id': 's-1' }
  assert.is((await callMcp(`${gateway.url}/github`, access)).headers.get('mcp-session-id'), 's-1')
  github.knobs.tokenReply = reply({ access_token: 'second' })
  passedMs = 600_000
  assert.is((await callMcp(`${gateway.url}/github`, access, LIST, session)).status, 200)
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
