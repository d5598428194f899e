// Consent as the MCP specification asks it of a gateway that is one client to its upstream (spec-H…).
import * as assert from 'uvu/assert'
import { Client, callMcp, send } from '../security/client.ts'
import {
  allow,
  cookiesOf,
  doorstepBrowser,
  newBrowser,
  obtainTokens,
  openConsent,
  startWorld,
  stillWorks,
  upstreamCalls,
  withoutUpstream,
} from '../security/world.ts'
import { suite } from '../support/suite.ts'

const test = suite('conformance/consent')

test('spec-H1: who is connected to the upstream already is asked for each new client, before the upstream is', async (context) => {
  const world = await startWorld(context)
  const browser = newBrowser()
  await obtainTokens({ client: await Client.register(world.url), browser })
  await withoutUpstream(world, async () => {
    for (let nth = 0; nth < 3; nth += 1) {
      const { page } = await openConsent(browser, await Client.register(world.url))
      assert.equal([page.status, page.sentTo], [200, undefined])
    }
  })
})

test('spec-H2, sec-C13: the page says who asks, for what, and where the answer goes; the upstream is asked for just that', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url, {
    client_name: 'Some client',
    redirect_uris: ['https://client.test/cb'],
  })
  const browser = doorstepBrowser(world)
  const { page } = await openConsent(browser, client, { scope: 'everything delete_repo' })
  for (const text of ['Some client', 'client.test', world.mcpUrl, 'repo', 'read:user'])
    assert.match(page.text, text)
  assert.not.match(page.text, 'delete_repo')
  const { csrf = '', transaction = '' } = page.form().values
  assert.ok(csrf.length >= 43 && transaction.length >= 43)
  assert.match(String(page.headers['content-security-policy']), "frame-ancestors 'none'")
  assert.is(page.headers['x-frame-options'], 'DENY')
  const { sentTo } = await allow(browser, page)
  assert.is(sentTo?.searchParams.get('scope'), 'repo read:user')
  await stillWorks(world)
})

test('spec-H4, sec-C14: the upstream is met with a state of 256 bits that was not there before the consent', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const states = new Set<string>()
  for (let nth = 0; nth < 5; nth += 1) {
    const browser = doorstepBrowser(world)
    const { trip, page } = await openConsent(browser, client)
    const before = cookiesOf(browser, world.url)
    const { sentTo } = await allow(browser, page)
    const state = sentTo?.searchParams.get('state') ?? ''
    const secret = state.split('.').at(-1) ?? ''
    assert.ok(Buffer.from(secret, 'base64url').length >= 32, state)
    assert.not.match(page.html, secret)
    assert.not.match(before, secret)
    assert.is.not(state, trip.state)
    assert.is.not(
      cookiesOf(browser, world.url),
      before,
      'the cookie of the way back is set with the redirect',
    )
    states.add(secret)
  }
  assert.is(states.size, 5)
})

test('spec-H4: the way back is open for ten minutes', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  // The late one first: whoever was connected in time is not sent there again.
  for (const [waitedMs, isGood] of [
    [10 * 60_000 + 1, false],
    [9 * 60_000, true],
  ] as const) {
    const browser = doorstepBrowser(world)
    const door = await allow(browser, (await openConsent(browser, client)).page)
    assert.is(door.sentTo?.origin, world.github.origin)
    const { headers } = await send(door.sentTo ?? '')
    clock.now += waitedMs
    const back = await browser.goto(headers.get('location') ?? '')
    assert.is(back.sentTo?.searchParams.has('code') ?? false, isGood, `${waitedMs}`)
    assert.is(upstreamCalls(world).token, Number(isGood))
    if (!isGood) assert.is(back.status, 400)
  }
})

test('spec-H5, spec-P7: our tokens stand on the upstream’s: when that is gone they are refused, not passed on', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client })
  assert.is((await callMcp(world.mcpUrl, tokens.access)).status, 200)
  world.github.revoke(world.github.tokens()[0]?.token ?? '')
  assert.is((await callMcp(world.mcpUrl, tokens.access)).status, 401)
  const refreshed = await client.refresh(tokens.refresh)
  assert.equal([refreshed.status, refreshed.body.error], [400, 'invalid_grant'])
  await stillWorks(world)
})

test.run()
