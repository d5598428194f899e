// The way back from the upstream: only to the browser, the user and the transaction that were sent there, and once.
import * as assert from 'uvu/assert'
import type { Browser } from '../support/browser.ts'
import { suite } from '../support/suite.ts'
import { Client, callTool, send, tokensOf } from './client.ts'
import {
  ATTACKER,
  allow,
  assertClientError,
  assertErrorPage,
  atOnce,
  cookiesOf,
  doorstepBrowser,
  newBrowser,
  obtainTokens,
  openConsent,
  startWorld,
  stillWorks,
  upstreamAnswer,
  upstreamCalls,
  VICTIM,
  type World,
  withoutUpstream,
} from './world.ts'

const test = suite('security/callback')

test("sec-C2: an upstream URL from the attacker's flow, opened in the victim's browser, ends there", async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url, { redirect_uris: ['https://evil.test/cb'] })
  const attacker = doorstepBrowser(world)
  const door = await allow(attacker, (await openConsent(attacker, client)).page, ATTACKER)

  for (const victim of [newBrowser(), await signedIn(world)]) {
    const before = upstreamCalls(world)
    const page = await victim.goto(door.sentTo ?? '', { from: new URL('https://evil.test/') })
    // The first victim meets 403; that ends the transaction, so the second meets what everyone would.
    assertErrorPage(page, [400, 403])
    assert.is(page.headers['set-cookie'], undefined)
    assert.equal(upstreamCalls(world), { ...before, authorize: before.authorize + 1 })
  }
  await stillWorks(world)
})

test("sec-C2, spec-H4: the victim sees why, and the attacker's own browser cannot go on with the victim's answer", async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const attacker = doorstepBrowser(world)
  const door = await allow(attacker, (await openConsent(attacker, client)).page, ATTACKER)
  const answer = await upstreamAnswer(world, door)

  const victim = newBrowser()
  const page = await victim.goto(answer)
  assertErrorPage(page, [403])
  assert.match(page.text, 'another browser')
  assert.is(page.headers['set-cookie'], undefined)
  await withoutUpstream(world, async () => {
    assertErrorPage(await attacker.goto(answer), [400, 403, 409])
  })
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 0)
  assert.is(world.gateway.log.filter(({ event }) => event === 'code issued').length, 0)
  await stillWorks(world)
})

test('sec-C2, spec-H4: the cookie that binds a flow is renewed at the redirect: one from before the consent is worth nothing', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = doorstepBrowser(world)
  const { page } = await openConsent(browser, client)
  const early = cookiesOf(browser, world.url)
  const door = await allow(browser, page)
  const answer = await upstreamAnswer(world, door)
  const session = cookiesOf(browser, world.url)
    .split('; ')
    .find((pair) => pair.split('=')[0]?.endsWith('_s'))
  assert.ok(session, 'the session itself is not what is missing')
  const stolen = await withoutUpstream(world, () =>
    send(answer, { headers: { cookie: `${early}; ${session}` } }),
  )
  assert.equal([stolen.status, stolen.headers.get('location')], [403, null])
  await stillWorks(world)
})

async function signedIn(world: World): Promise<Browser> {
  const browser = newBrowser()
  await obtainTokens({ client: await Client.register(world.url), browser })
  return browser
}

test("sec-C4: an upstream code of the attacker's fits no flow of the victim's", async (context) => {
  const world = await startWorld(context)
  world.github.knobs.login = 'attacker-account'
  const attacker = doorstepBrowser(world)
  const attackerDoor = await allow(
    attacker,
    (await openConsent(attacker, await Client.register(world.url))).page,
    ATTACKER,
  )
  const theirs = (await upstreamAnswer(world, attackerDoor)).searchParams.get('code') ?? ''

  world.github.knobs.login = 'octocat'
  const client = await Client.register(world.url)
  const victim = doorstepBrowser(world)
  const { trip, page } = await openConsent(victim, client)
  const injected = await upstreamAnswer(world, await allow(victim, page))
  injected.searchParams.set('code', theirs)
  const end = await victim.goto(injected, { from: new URL('https://evil.test/') })
  assertClientError(end, trip, client.redirectUri, 'server_error', world.url)
  assert.equal(world.github.tokens(), [], 'the upstream saw that the verifier was another one')
  await withoutUpstream(world, async () => assertErrorPage(await victim.goto(injected), [400, 403, 409]))
  await stillWorks(world)
})

test('sec-C4, spec-H4: a state that is not the one that was sent is none, in the right browser too', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = doorstepBrowser(world)
  const { trip, page } = await openConsent(browser, client)
  const { transaction = '' } = page.form().values
  const answer = await upstreamAnswer(world, await allow(browser, page))
  const state = answer.searchParams.get('state') ?? ''
  await withoutUpstream(world, async () => {
    for (const forged of [
      transaction,
      `${transaction}.`,
      `${transaction}.${'A'.repeat(43)}`,
      `${transaction}.${trip.state}`,
      state.slice(0, -1),
      `${state}A`,
      `${state}.x`,
      state.toLowerCase(),
      state.split('.').reverse().join('.'),
      trip.state,
      '',
    ]) {
      const other = new URL(answer)
      other.searchParams.set('state', forged)
      const refused = await browser.goto(other)
      assert.is(refused.sentTo, undefined, forged)
      assertErrorPage(refused)
    }
  })
  // None of them cost the flow.
  const { sentTo } = await browser.goto(answer)
  assert.is(sentTo?.searchParams.get('state'), trip.state)
  assert.is((await client.redeem(sentTo?.searchParams.get('code') ?? '', trip.verifier)).status, 200)
})

test('sec-C4: even at an upstream without PKCE a state works once', async (context) => {
  const world = await startWorld(context, {
    upstream: {
      tokenReply: {
        status: 200,
        type: 'application/json',
        body: '{"access_token":"gho_any","token_type":"bearer"}',
      },
    },
  })
  const browser = doorstepBrowser(world)
  const door = await allow(browser, (await openConsent(browser, await Client.register(world.url))).page)
  const answer = await upstreamAnswer(world, door)
  assert.is((await browser.goto(answer)).status, 303)
  answer.searchParams.set('code', 'another')
  await withoutUpstream(world, async () => assertErrorPage(await browser.goto(answer), [400, 403, 409]))
})

test('sec-C5, spec-H4: of fifty clicks on one callback one is exchanged', async (context) => {
  const world = await startWorld(context, { upstream: { delayMs: 50 } })
  const client = await Client.register(world.url)
  const browser = doorstepBrowser(world)
  const { trip, page } = await openConsent(browser, client)
  const answer = await upstreamAnswer(world, await allow(browser, page))
  const headers = { cookie: cookiesOf(browser, answer) }
  const ends = await atOnce(world, 50, () => send(answer, { headers }))
  const [won, ...others] = ends.sort((a, b) => a.status - b.status)
  assert.is(won?.status, 303)
  assert.ok(
    others.every(({ status, headers }) => [400, 409].includes(status) && headers.get('location') === null),
  )
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 1)

  const later = await send(answer, { headers })
  assert.ok([400, 403, 409].includes(later.status))
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 1)
  const code = new URL(won?.headers.get('location') ?? '').searchParams.get('code') ?? ''
  const { access } = tokensOf(await client.redeem(code, trip.verifier))
  assert.is(await callTool(world.mcpUrl, access, 'whoami'), 'octocat')
})

test('sec-C7: who signs in as somebody else in a second tab cannot finish the flow of the first', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = doorstepBrowser(world)
  const first = await openConsent(browser, client)
  const door = await allow(browser, first.page, VICTIM)
  const answer = await upstreamAnswer(world, door)

  const second = await openConsent(browser, client)
  const asked = await browser.submit(second.page.form(), {}, { button: 'switch' })
  const secondDoor = await allow(browser, asked, ATTACKER)
  await withoutUpstream(world, async () => {
    const page = await browser.goto(answer)
    assertErrorPage(page, [403])
    assert.match(page.text, 'somebody else')
  })
  assert.is(
    world.gateway.log.filter(({ event }) => event === 'code issued' || event === 'upstream connected').length,
    0,
  )

  const end = await browser.goto(await upstreamAnswer(world, secondDoor))
  assert.is(end.sentTo?.searchParams.get('state'), second.trip.state)
  assert.ok(end.sentTo?.searchParams.has('code'))
})

test.run()
