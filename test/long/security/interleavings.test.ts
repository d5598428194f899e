// Many flows at once: in every order of steps, in many tabs of one browser, and far more than anyone finishes.
import * as assert from 'uvu/assert'
import { Client, callMcp, type Trip, tokensOf } from '../../security/client.ts'
import {
  allow,
  assertErrorPage,
  cookiesOf,
  doorstepBrowser,
  NO_LOGIN,
  newBrowser,
  openConsent,
  startWorld,
  stillWorks,
  type World,
  withoutUpstream,
} from '../../security/world.ts'
import { suite } from '../../support/suite.ts'
import { document, githubRoute } from '../../support/yaml.ts'

const test = suite('long/security/interleavings')

/** One person's way to a code, a step at a time. All send the same `state` to the same route. */
class Flow {
  readonly client: Client
  readonly account: string
  readonly browser = newBrowser()
  readonly trip: Trip
  code = ''

  constructor(world: World, client: Client, account: string) {
    this.client = client
    this.account = account
    this.browser.stopAt.push(world.github.authorizationEndpoint)
    this.trip = client.trip({ state: 'x', resource: world.mcpUrl })
  }

  readonly steps: readonly (() => Promise<void>)[] = [
    async () => {
      assert.match((await this.browser.goto(this.trip.url)).text, new URL(this.client.redirectUri).host)
    },
    async () => {
      await allow(this.browser, this.browser.page)
      this.browser.stopAt.pop()
    },
    async () => {
      assert.is((await this.browser.goto(this.browser.page.sentTo ?? '')).title, 'Authorize application')
    },
    async () => {
      const { sentTo } = await allow(this.browser, this.browser.page, { upstreamName: this.account })
      assert.ok(sentTo?.href.startsWith(this.client.redirectUri), `${sentTo}`)
      assert.is(sentTo?.searchParams.get('state'), 'x')
      this.code = sentTo?.searchParams.get('code') ?? ''
    },
  ]
}

/** Whose upstream token goes out for this token of ours. */
async function accountOf({ github, mcpUrl }: World, access: string): Promise<string | undefined> {
  assert.is((await callMcp(mcpUrl, access)).status, 200)
  const { authorization } = github.recorder.to('/mcp/').at(-1)?.headers ?? {}
  return github.tokens().find(({ token }) => authorization === `Bearer ${token}`)?.login
}

test(
  'sec-C6: two flows with one state, interleaved in every order, never meet',
  async (context) => {
    const world = await startWorld(context, {
      upstream: { page: true },
      // Some 300 steps: on a slow disk they would take longer than the flows need.
      yaml: (github) => `${document(githubRoute('github', github))}${NO_LOGIN}store: { type: memory }\n`,
    })
    const good = await Client.register(world.url, { redirect_uris: ['https://good.test/cb'] })
    const evil = await Client.register(world.url, { redirect_uris: ['https://evil.test/cb'] })
    for (let order = 0; order < 32; order += 1) {
      const victim = new Flow(world, good, `victim-${order}`)
      const attacker = new Flow(world, evil, `attacker-${order}`)
      for (const index of victim.steps.keys()) {
        const first = (order >> index) & 1 ? [victim, attacker] : [attacker, victim]
        for (const flow of first) await flow.steps[index]?.()
      }
      const redeem = async (flow: Flow, other: Flow) => {
        for (const verifier of [flow.trip.verifier, other.trip.verifier]) {
          const stolen = await other.client.redeem(flow.code, verifier, { redirect_uri: undefined })
          assert.equal([stolen.status, stolen.body.error], [400, 'invalid_grant'])
        }
        const { access } = tokensOf(await flow.client.redeem(flow.code, flow.trip.verifier))
        assert.is(await accountOf(world, access), flow.account)
      }
      // The fifth step of the sequence.
      const pairs: [Flow, Flow][] = [
        [victim, attacker],
        [attacker, victim],
      ]
      for (const [flow, other] of order & 16 ? pairs : pairs.reverse()) await redeem(flow, other)
    }
  },
  { timeoutMs: 60_000 },
)

/** The same order in every run, and none that anyone would choose. */
const shuffled = <T>(items: readonly T[]): T[] =>
  items
    .map((item, index) => ({ item, rank: (index * 7919 + 13) % 31 }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item)

test('sec-C8: of thirty tabs the newest ten can be finished, in any order, and the cookies stay small', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = newBrowser()
  const tabs: Awaited<ReturnType<typeof openConsent>>[] = []
  for (let index = 0; index < 30; index += 1) tabs.push(await openConsent(browser, client))
  assert.ok(cookiesOf(browser, world.url).length < 4096)

  await withoutUpstream(world, async () => {
    for (const { page } of tabs.slice(0, 20)) {
      const late = await allow(browser, page)
      assertErrorPage(late, [403])
      assert.match(late.text, 'cookies')
    }
  })
  for (const { trip, page } of shuffled(tabs.slice(20))) {
    const { sentTo } = await allow(browser, page)
    assert.is(sentTo?.searchParams.get('state'), trip.state)
    const answer = await client.redeem(sentTo?.searchParams.get('code') ?? '', trip.verifier)
    assert.is(answer.status, 200)
    assert.ok(cookiesOf(browser, world.url).length < 4096)
  }
  assert.is(browser.cookies.at(world.url).length, 1, 'the session alone is left')
})

test('sec-C8: ten flows that all wait at the upstream come back in any order', async (context) => {
  const world = await startWorld(context, {
    yaml: (github) => document(githubRoute('github', github)) + NO_LOGIN,
  })
  const browser = doorstepBrowser(world)
  const client = await Client.register(world.url)
  const tabs = []
  const first = await allow(browser, (await openConsent(browser, client)).page)
  tabs.push({ door: first, trip: undefined as Trip | undefined })
  for (let index = 1; index < 10; index += 1) {
    const { trip, page } = await openConsent(browser, client)
    tabs.push({ door: await allow(browser, page), trip })
  }
  browser.stopAt.pop()
  for (const { door, trip } of shuffled(tabs)) {
    const { sentTo } = await browser.goto(door.sentTo ?? '')
    assert.ok(sentTo?.searchParams.has('code'), `${sentTo}`)
    if (trip) assert.is(sentTo?.searchParams.get('state'), trip.state)
  }
})

test('sec-C16: a page and a callback that come after ten minutes are told to start again', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const parked = doorstepBrowser(world)
  const { sentTo: door } = await allow(parked, (await openConsent(parked, client)).page)
  const open = await openConsent(parked, client)

  clock.now += 10 * 60_000 + 1
  parked.stopAt.pop()
  const late = await parked.goto(door ?? '')
  assertErrorPage(late, [400])
  assert.match(late.text, 'connect again')
  assertErrorPage(await allow(parked, open.page), [400])
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 0)
  await stillWorks(world)
})

test.run()
