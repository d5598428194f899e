// What a consent page lists, and what a yes to it is worth: never more than the list that was read.
import * as assert from 'uvu/assert'
import { Client, callMcp, tokensOf } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import type { Browser } from '../support/browser.ts'
import { startDiscoveryUpstream } from '../support/discovery-upstream.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { intercept } from '../support/intercept.ts'
import type { Page } from '../support/page.ts'
import { decide } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import { startScoped } from './scoped-routes.ts'

const test = suite('flow/shown-scopes')
const LIST = { jsonrpc: '2.0', id: 7, method: 'tools/list' }

async function scene(context: TestContext, scopes = '{ optional: [gist] }') {
  const { github, yaml, gateway } = await startScoped(context, scopes)
  const [mine, theirs] = [await Client.register(gateway.url), await Client.register(gateway.url)]
  const visit = async (client: Client, browser: Browser, scope?: string, route = 'github') => {
    const trip = client.trip({ resource: `${gateway.url}/${route}`, scope })
    return { trip, page: await browser.goto(trip.url) }
  }
  type Trip = Awaited<ReturnType<typeof visit>>['trip']
  const redeem = async (client: Client, { verifier }: Trip, { sentTo }: Page) => {
    const answer = await client.redeem(sentTo?.searchParams.get('code') ?? '', verifier)
    return { tokens: tokensOf(answer), scope: String(answer.body.scope).split(' ') }
  }
  const connect = async (client: Client, scope?: string) => {
    const browser = newBrowser()
    const { trip, page } = await visit(client, browser, scope)
    let shown = page
    while (!shown.sentTo) shown = await decide(browser, shown, USER)
    return redeem(client, trip, shown)
  }
  return {
    github,
    gateway,
    mine,
    theirs,
    visit,
    redeem,
    connect,
    visits: () => github.recorder.count('/login/oauth/authorize'),
    asked: () => github.recorder.to('/login/oauth/authorize').at(-1)?.query.get('scope'),
    async edit(more: string) {
      await gateway.write(yaml(more))
      assert.is((await gateway.follower.reload()).kind, 'applied')
    },
  }
}

const listOf = (page: Page) => page.root.querySelectorAll('dd li code').map(({ text }) => text)
const isAskedAgain = (page: Page) => page.status === 200 && page.text.includes('not the one that you saw')

test('spec-H2: what another client asked for is shown, once it is known who signs in, before a code is given', async (context) => {
  const { mine, theirs, connect, visit, visits, redeem, github } = await scene(context)
  await connect(theirs, 'gist')
  const browser = newBrowser()
  const { trip, page } = await visit(mine, browser)
  assert.equal(listOf(page), ['repo', 'read:user'])
  const before = github.recorder.count()

  const again = await decide(browser, page, USER)
  assert.ok(isAskedAgain(again))
  assert.equal(listOf(again), ['repo', 'read:user', 'gist'])
  assert.not.ok(again.form().has('input[type=password]'))
  const done = await decide(browser, again, USER)
  assert.is(github.recorder.count(), before, 'nothing was asked of the upstream')
  const { scope } = await redeem(mine, trip, done)
  assert.equal(scope, ['mcp:github', 'repo', 'read:user'], 'the grant says what this client asked for')
  assert.is(visits(), 1)
})

test('a no to the longer list is a no', async (context) => {
  const { mine, theirs, connect, visit } = await scene(context)
  await connect(theirs, 'gist')
  const browser = newBrowser()
  const again = await decide(browser, (await visit(mine, browser)).page, USER)
  const end = await browser.submit(again.form(), {}, { button: 'Deny' })
  assert.is(end.sentTo?.searchParams.get('error'), 'access_denied')
})

test('the form with the shorter list is no yes to the longer one, however often it is sent', async (context) => {
  const { mine, theirs, connect, visit, redeem } = await scene(context)
  await connect(theirs, 'gist')
  const browser = newBrowser()
  const { trip, page } = await visit(mine, browser)
  for (const _ of [1, 2, 3]) assert.ok(isAskedAgain(await decide(browser, page, USER)))
  const both = await Promise.all([decide(browser, page, USER), decide(browser, page, USER)])
  assert.ok(both.every(isAskedAgain), 'nor of two clicks the second')
  const last = both[1]
  const clicks = await Promise.all([decide(browser, last, USER), decide(browser, last, USER)])
  assert.equal(clicks.map(({ status }) => status).sort(), [303, 409], 'the longer one is answered once')
  const won = clicks.find(({ sentTo }) => sentTo !== undefined) ?? last
  assert.equal((await redeem(mine, trip, won)).scope, ['mcp:github', 'repo', 'read:user'])
})

test('a list without a yes of this page is none: the field missing or made up', async (context) => {
  const { gateway, mine, connect, visit, visits } = await scene(context)
  await connect(mine)
  const browser = newBrowser()
  const { page } = await visit(mine, browser)
  const fields = { ...page.form().values, ...USER, decision: 'allow' }
  for (const scopes of ['', 'repo read:user', `${page.form().values.scopes}x`]) {
    const sent = { ...fields, scopes } as Record<string, string>
    assert.ok(isAskedAgain(await browser.post(`${gateway.url}/login`, sent, { from: page })))
  }
  assert.ok((await decide(browser, page, USER)).sentTo?.searchParams.has('code'))
  assert.is(visits(), 1)
})

test('an edit while the page is open is shown before anything is asked or given for it', async (context) => {
  const { mine, visit, visits, asked, edit, redeem } = await scene(context)
  for (const route of ['github', 'open'] as const) {
    const browser = newBrowser()
    const { trip, page } = await visit(mine, browser, undefined, route)
    const before = visits()
    await edit('{ required: [admin] }')
    const again = await decide(browser, page, USER)
    assert.ok(isAskedAgain(again), route)
    assert.ok(listOf(again).includes('admin'))
    assert.is(visits(), before)
    const { scope } = await redeem(mine, trip, await decide(browser, again, USER))
    assert.ok(scope.includes('admin'))
    await edit('{ optional: [gist] }')
  }
  assert.is(asked(), 'repo read:user admin')
})

test('what the upstream says only after the page was shown is shown before the person is sent there', async (context) => {
  const upstream = await startDiscoveryUpstream()
  context.after(() => upstream.close())
  upstream.knobs.isDown = true
  const gateway = await startGateway({ yaml: document(`\n  late: { upstream: ${upstream.mcpUrl} }\n`) })
  context.after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const browser = newBrowser()
  const page = await browser.goto(client.trip({ resource: `${gateway.url}/late` }).url)
  assert.equal(listOf(page), [])
  Object.assign(upstream.knobs, { isDown: false, challenge: { ...upstream.knobs.challenge, scope: 'mail' } })
  const again = await decide(browser, page, USER)
  assert.ok(isAskedAgain(again))
  assert.equal(listOf(again), ['mail'])
  assert.is(upstream.recorder.count('/authorize'), 0)
  assert.ok((await decide(browser, again, USER)).sentTo?.searchParams.has('code'))
  assert.is(upstream.recorder.to('/authorize')[0]?.query.get('scope'), 'mail')
})

test('an edit while the person is at the upstream adds nothing to the grant; the client is told what is missing', async (context) => {
  const { github, gateway, mine, visit, redeem, edit } = await scene(context)
  const browser = newBrowser(github.authorizationEndpoint)
  const { trip, page } = await visit(mine, browser)
  const door = await decide(browser, page, USER)
  await edit('{ required: [admin] }')
  const { headers } = await fetch(door.sentTo ?? '', { redirect: 'manual' })
  const done = await browser.goto(headers.get('location') ?? '')
  const { tokens, scope } = await redeem(mine, trip, done)
  assert.equal(scope, ['mcp:github', 'repo', 'read:user'])
  const refused = await callMcp(`${gateway.url}/github`, tokens.access)
  assert.is(refused.status, 403)
  assert.match(refused.headers.get('www-authenticate') ?? '', 'scope="mcp:github admin"')
})

test('an upstream’s demand that looks like another route is asked for there and named to no client', async (context) => {
  const { github, gateway, mine, connect, asked } = await scene(context)
  const { tokens } = await connect(mine)
  intercept(github.server, (request, response) => {
    const token = request.headers.authorization?.slice('Bearer '.length)
    const granted = github.tokens().find((known) => known.token === token)?.scope ?? ''
    if (request.url !== '/mcp/' || granted.includes('admin:org')) return false
    const challenge = 'Bearer error="insufficient_scope", scope="mcp:open mcp:github admin:org"'
    response.writeHead(403, { 'www-authenticate': challenge }).end()
    return true
  })
  const refused = await callMcp(`${gateway.url}/github`, tokens.access, LIST)
  assert.match(refused.headers.get('www-authenticate') ?? '', 'scope="mcp:github repo read:user admin:org"')

  const again = await connect(mine, 'mcp:github mcp:open admin:org')
  assert.is(asked(), 'repo read:user mcp:open mcp:github admin:org', 'its own scopes may be called so')
  assert.equal(again.scope, ['mcp:github', 'repo', 'read:user', 'admin:org'])
  assert.is((await callMcp(`${gateway.url}/github`, again.tokens.access)).status, 200)
})

test.run()
