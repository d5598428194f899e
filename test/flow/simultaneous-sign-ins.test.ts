// Several sign-ins of one person under way at once: one link serves them all, so none may cost another its tokens, its
// scopes or its client.
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { Client, callMcp, callTool, send, type Tokens, type Trip, tokensOf } from '../security/client.ts'
import { assertErrorPage, newBrowser, PASSWORD_HASHES, TWO_USERS, VICTIM } from '../security/world.ts'
import type { Browser } from '../support/browser.ts'
import { startGateway } from '../support/gateway.ts'
import { type Github, startGithub } from '../support/github.ts'
import { intercept } from '../support/intercept.ts'
import type { Page } from '../support/page.ts'
import { decide } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { githubEnv } from '../support/yaml.ts'

const test = suite('flow/simultaneous-sign-ins')
const ANOTHER = 'Allow with another upstream account'

interface Options {
  /** The scope of each route. All of them share the upstream, and with it the link. */
  routes?: Readonly<Record<string, string>>
  /** Of the authorization server. */
  more?: string
  now?: () => number
}

/** A sign-in whose browser stands before the upstream's door. */
interface Tab {
  readonly client: Client
  readonly route: string
  readonly browser: Browser
  readonly trip: Trip
  readonly door: URL
}

async function scene({ after }: TestContext, { routes = { hub: 'repo' }, more = '', now }: Options = {}) {
  const github = await startGithub()
  after(() => github.close())
  const entries = Object.entries(routes).map(
    ([name, scope]) =>
      `  ${name}: { upstream: "${github.mcpUrl}", auth: { type: authorization_code, authorization_server: up, scope: ${scope} } }\n`,
  )
  const yaml = `version: 1
server: { port: 0 }
tokens: { access_ttl: 12h }
authorization_servers:
  up:
    authorization_endpoint: ${github.authorizationEndpoint}
    token_endpoint: ${github.tokenEndpoint}
    client_id: ${github.knobs.clientId}
    client_secret: "\${GITHUB_SECRET}"
${more.replaceAll('ORIGIN', github.origin)}
routes:
${entries.join('')}${TWO_USERS}`
  const env = { ...githubEnv(github), ...PASSWORD_HASHES }
  const gateway = await startGateway({ yaml, env, ...(now && { now }) })
  after(() => gateway.close())
  const answerOf = async ({ door }: Pick<Tab, 'door'>) => (await send(door)).headers.get('location') ?? ''
  const redeem = async ({ client, trip }: Tab, { sentTo }: Page) =>
    tokensOf(await client.redeem(sentTo?.searchParams.get('code') ?? '', trip.verifier))
  async function toDoor(route = 'hub', browser = newBrowser(github.authorizationEndpoint)): Promise<Tab> {
    const client = await Client.register(gateway.url)
    const trip = client.trip({ resource: `${gateway.url}/${route}` })
    let page = await browser.goto(trip.url)
    while (!page.sentTo) page = await decide(browser, page, VICTIM)
    return { client, route, browser, trip, door: page.sentTo }
  }
  return {
    github,
    gateway,
    answerOf,
    redeem,
    toDoor,
    /** Somebody who is signed in, on their way to connect another account. */
    async toDoorAgain(route = 'hub'): Promise<Tab> {
      const { browser } = await toDoor(route)
      const client = await Client.register(gateway.url)
      const trip = client.trip({ resource: `${gateway.url}/${route}` })
      const page = await browser.goto(trip.url)
      const { sentTo } = await browser.submit(page.form(), {}, { button: ANOTHER })
      return { client, route, browser, trip, door: sentTo as URL }
    },
    /** Through the upstream's door and back. */
    through: async (tab: Tab) => tab.browser.goto(await answerOf(tab)),
    async finish(tab: Tab): Promise<Tokens> {
      return redeem(tab, await tab.browser.goto(await answerOf(tab)))
    },
    whoami: (tab: Tab, { access }: Tokens) => callTool(`${gateway.url}/${tab.route}`, access, 'whoami'),
    refreshed: async (tab: Tab, { refresh }: Tokens) => (await tab.client.refresh(refresh)).status,
    exchanges: () => github.recorder.count('POST /login/oauth/access_token'),
  }
}

const askedAt = ({ door }: Pick<Tab, 'door'>) => door.searchParams.get('scope')
const listOf = (page: Page) => page.root.querySelectorAll('dd li code').map(({ text }) => text)
const sentLast = ({ recorder }: Github) => recorder.to('POST /mcp/').at(-1)?.headers.authorization
const newestOf = (github: Github) => `Bearer ${github.tokens().at(-1)?.token}`

test('sec-C15: 15 sign-ins of one person that end at the same moment are one exchange, and serve all 15 clients', async (context) => {
  const { github, toDoor, finish, whoami, refreshed, exchanges } = await scene(context)
  const tabs: Tab[] = []
  for (let tab = 0; tab < 15; tab++) tabs.push(await toDoor())
  const tokens = await Promise.all(tabs.map(finish))
  assert.is(exchanges(), 1)
  for (const [index, tab] of tabs.entries()) {
    const own = tokens[index] as Tokens
    assert.is(await whoami(tab, own), 'octocat')
    assert.is(await refreshed(tab, own), 200)
  }
  assert.is(github.tokens().length, 1)
})

test('of many who each want another account the token that was made last is the one that is kept', async (context) => {
  const { github, toDoor, toDoorAgain, finish, whoami, exchanges } = await scene(context)
  const first = await toDoor()
  const own = await finish(first)
  const tabs: Tab[] = []
  for (let tab = 0; tab < 12; tab++) tabs.push(await toDoorAgain())
  await Promise.all(tabs.map(finish))
  assert.is(exchanges(), 13, 'everybody wanted one')
  assert.is(await whoami(first, own), 'octocat', 'GitHub keeps ten: an older one would have ended')
  assert.is(sentLast(github), newestOf(github))
})

/** The account endpoint does not answer whoever asks it first, until it is released. */
function holdAccount(github: Github): () => void {
  let held: ServerResponse | undefined
  const say = (response: ServerResponse) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"login":"octocat"}')
  intercept(github.server, (request, response) => {
    if (request.url !== '/user') return false
    if (held === undefined) held = response
    else say(response)
    return true
  })
  return () => held && say(held)
}

for (const [name, exchanged] of [
  ['who comes meanwhile needs none', 1],
  ['who wants another account waits', 3],
] as const) {
  test(`a token is not overwritten by an older one whose account is slow to be told: ${name}`, async (context) => {
    const more = '    account_endpoint: ORIGIN/user\n'
    const world = await scene(context, { more })
    const { github, toDoor, toDoorAgain, finish, whoami, exchanges } = world
    if (exchanged > 1) await finish(await toDoor())
    const [slow, quick] =
      exchanged > 1 ? [await toDoorAgain(), await toDoorAgain()] : [await toDoor(), await toDoor()]
    const before = github.recorder.count('/user')
    const release = holdAccount(github)
    const first = finish(slow)
    await github.recorder.arrival('/user', before + 1)
    const second = finish(quick)
    // By then it would have overtaken the first one, if it could.
    await Promise.race([second, delay(300)])
    release()
    const [, own] = await Promise.all([first, second])
    assert.is(exchanges(), exchanged)
    assert.is(await whoami(quick, own), 'octocat')
    assert.is(sentLast(github), newestOf(github))
  })
}

const BOTH_ORDERS = [
  ['k', 'm'],
  ['m', 'k'],
] as const
const SCOPES = { k: 'repo', m: 'gist' } as const

for (const [early, late] of BOTH_ORDERS) {
  test(`spec-U6, spec-H2: two routes with scopes of their own, ${early} first: the other is shown and asked for both, and no client loses anything`, async (context) => {
    const world = await scene(context, { routes: SCOPES })
    const { github, toDoor, finish, through, redeem, whoami, refreshed, exchanges, answerOf } = world
    const [first, second] = [await toDoor(early), await toDoor(late)]
    assert.equal([askedAt(first), askedAt(second)], [SCOPES[early], SCOPES[late]])
    const own = await finish(first)

    const answer = await answerOf(second)
    const page = await second.browser.goto(answer)
    assert.match(page.text, 'not the one that you saw')
    assert.equal([...listOf(page)].sort(), ['gist', 'repo'])
    assert.is(exchanges(), 1, 'its code was not redeemed')
    assert.equal([await whoami(first, own), await refreshed(first, own)], ['octocat', 200], 'meanwhile')
    assertErrorPage(await newBrowser().goto(answer))
    assertErrorPage(await second.browser.goto(answer))

    const { sentTo } = await second.browser.submit(page.form(), {}, { button: 'Allow' })
    const door = sentTo as URL
    assert.equal(askedAt({ door })?.split(' ').sort(), ['gist', 'repo'])
    const tokens = await redeem(second, await through({ ...second, door }))
    assert.is(exchanges(), 2)
    for (const [tab, pair] of [
      [first, own],
      [second, tokens],
    ] as const)
      assert.equal([await whoami(tab, pair), await refreshed(tab, pair)], ['octocat', 200], tab.route)
    assert.is(sentLast(github), newestOf(github))
  })
}

test('a no to the longer list costs the other client nothing', async (context) => {
  const { toDoor, finish, through, whoami, refreshed, exchanges } = await scene(context, { routes: SCOPES })
  const [first, second] = [await toDoor('k'), await toDoor('m')]
  const own = await finish(first)
  const page = await through(second)
  const end = await second.browser.submit(page.form(), {}, { button: 'Deny' })
  assert.is(end.sentTo?.searchParams.get('error'), 'access_denied')
  assert.is(end.sentTo?.searchParams.get('state'), second.trip.state)
  assert.equal([await whoami(first, own), await refreshed(first, own)], ['octocat', 200])
  assert.is(exchanges(), 1)
})

test('who wanted another account is asked again as well when scopes came meanwhile', async (context) => {
  const world = await scene(context, { routes: SCOPES })
  const { toDoor, toDoorAgain, finish, through, redeem, whoami, refreshed, exchanges } = world
  await finish(await toDoor('k'))
  const [relink, grown] = [await toDoorAgain('k'), await toDoor('m')]
  const own = await finish(grown)
  const page = await through(relink)
  assert.equal([...listOf(page)].sort(), ['gist', 'repo'])
  assert.is(exchanges(), 2)
  const { sentTo } = await relink.browser.submit(page.form(), {}, { button: ANOTHER })
  const tokens = await redeem(relink, await through({ ...relink, door: sentTo as URL }))
  assert.is(exchanges(), 3)
  for (const [tab, pair] of [
    [grown, own],
    [relink, tokens],
  ] as const)
    assert.equal([await whoami(tab, pair), await refreshed(tab, pair)], ['octocat', 200])
})

test('spec-H2: a sign-in that asked for less than is there by then shows all of it, and needs no exchange', async (context) => {
  const routes = { all: 'repo gist', some: 'repo' }
  const { toDoor, finish, through, redeem, whoami, exchanges } = await scene(context, { routes })
  const [more, less] = [await toDoor('all'), await toDoor('some')]
  await finish(more)
  const page = await through(less)
  assert.equal(listOf(page), ['repo', 'gist'])
  const tokens = await redeem(less, await less.browser.submit(page.form(), {}, { button: 'Allow' }))
  assert.is(await whoami(less, tokens), 'octocat')
  assert.is(exchanges(), 1)
})

test('a no at the upstream, and an answer without a code, are none the better for what another tab brought', async (context) => {
  const { gateway, toDoor, finish, exchanges } = await scene(context)
  const tabs = [await toDoor(), await toDoor(), await toDoor()] as const
  await finish(tabs[0])
  const answers: [Tab, Record<string, string>, string][] = [
    [tabs[1], { error: 'access_denied' }, 'access_denied'],
    [tabs[2], { code: '' }, 'server_error'],
  ]
  for (const [{ door, browser }, answer, error] of answers) {
    const query = new URLSearchParams({ state: door.searchParams.get('state') ?? '', ...answer })
    const { sentTo } = await browser.goto(`${gateway.url}/upstream/callback/up?${query}`)
    assert.equal([sentTo?.searchParams.get('error'), sentTo?.searchParams.has('code')], [error, false])
  }
  assert.is(exchanges(), 1)
})

test('a link that ended while the person was away is made anew', async (context) => {
  const { github, gateway, toDoor, finish, whoami, exchanges } = await scene(context)
  const [first, second] = [await toDoor(), await toDoor()]
  const own = await finish(first)
  github.revoke(github.tokens()[0]?.token ?? '')
  assert.is((await callMcp(`${gateway.url}/hub`, own.access)).status, 401)
  assert.is(await whoami(second, await finish(second)), 'octocat')
  assert.is(exchanges(), 2)
  assert.is(await whoami(first, own), 'octocat')
})

test('a refresh and a sign-in of one link come one after the other, so that the newer tokens are kept', async (context) => {
  let passedMs = 0
  const now = () => Date.now() + passedMs
  const { github, gateway, toDoor, toDoorAgain, finish } = await scene(context, { now })
  let minted = 0
  let held: (() => void) | undefined
  intercept(github.server, (request, response) => {
    if (request.url === '/mcp/') response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    if (request.url !== '/login/oauth/access_token') return request.url === '/mcp/'
    request.resume().on('end', () => {
      const body = {
        access_token: `token-${++minted}`,
        refresh_token: 'R',
        expires_in: 300,
        token_type: 'bearer',
      }
      const answer = () =>
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      if (minted === 2) held = answer
      else answer()
    })
    return true
  })
  const own = await finish(await toDoor())
  const again = await toDoorAgain()
  passedMs = 300_000
  const call = callMcp(`${gateway.url}/hub`, own.access)
  await github.recorder.arrival('POST /login/oauth/access_token', 2)
  const signedIn = finish(again)
  await Promise.race([signedIn, delay(300)])
  assert.is(minted, 2, 'the sign-in waits for the refresh')
  held?.()
  assert.is((await call).status, 200)
  await signedIn
  await callMcp(`${gateway.url}/hub`, own.access)
  assert.equal([minted, sentLast(github)], [3, 'Bearer token-3'])
})

test.run()
