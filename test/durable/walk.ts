// One person's whole way through the gateway, step by step, with a crash in it: what was acknowledged must be there
// afterwards, what was not may be tried again by the rules of OAuth, and nothing works twice.
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import {
  type Answer,
  Client,
  callMcp,
  postForm,
  type Tokens,
  type Trip,
  tokensOf,
} from '../security/client.ts'
import { Browser } from '../support/browser.ts'
import type { Github } from '../support/github.ts'
import type { Page } from '../support/page.ts'
import { decide, type Person } from '../support/person.ts'
import type { Mortal } from './mortal.ts'

export const STEPS = [
  'register',
  'authorize',
  'login',
  'callback',
  'redeem',
  'call',
  'refresh',
  'revoke',
] as const
export type Step = (typeof STEPS)[number]

/** When the gateway is killed: after the answer of a step, or so much of the step's usual time after its request. */
export interface Point {
  step: Step
  after: 'answer' | number
}

/** What a walk leaves behind, to be looked at again when all crashes are over. */
export interface Outcome {
  client: Client
  code: string
  verifier: string
  /** Every pair it was ever given. */
  pairs: Tokens[]
  revoked: boolean
}

interface World {
  gateway: Mortal
  github: Github
  /** How long each step takes when nothing happens. */
  usualMs: Map<Step, number>
}

/** Undefined: the connection broke first, so nobody knows what the gateway has done. */
type Answered<T> = { readonly answer: T } | undefined

export class Walk {
  readonly #world: World
  readonly #person: Person
  readonly #point: Point | undefined
  readonly #browser: Browser
  #isCrashed = false

  constructor(world: World, person: Person, point?: Point) {
    this.#world = world
    this.#person = person
    this.#point = point
    const { gateway, github } = world
    // The upstream keeps ten tokens per account: everybody has one of their own there too.
    github.knobs.login = person.username ?? ''
    // It stops at every door, so that each step is one request.
    const doors = ['https://', github.authorizationEndpoint, `${gateway.url}/upstream/callback`]
    this.#browser = new Browser({ stopAt: doors })
  }

  /** `stay`: the tokens are not revoked in the end. */
  async run(stay: boolean): Promise<Outcome> {
    const { url } = this.#world.gateway
    const client = await this.#step('register', () => Client.register(url))
    const { code, trip, first } = await this.#signIn(client)
    await this.#step('call', () => this.#works(first))
    const second = await this.#step('refresh', async () => tokensOf(await client.refresh(first.refresh)))
    assert.equal(tokensOf(await client.refresh(first.refresh)), second, 'there is one successor')
    await this.#works(second)
    const outcome = { client, code, verifier: trip.verifier, pairs: [first, second], revoked: !stay }
    if (stay) return outcome
    const form = { token: second.refresh, client_id: client.id }
    await this.#step('revoke', async () =>
      assert.is((await postForm(`${url}/revoke`, form)).status, 200, 'revoked'),
    )
    await assertOver(url, outcome)
    return outcome
  }

  /** Anew from the consent page on, whenever a crash ate something that can't be asked for twice. */
  async #signIn(client: Client): Promise<{ code: string; trip: Trip; first: Tokens }> {
    for (let tries = 0; tries < 3; tries++) {
      const trip = client.trip()
      const page = await this.#step('authorize', () => this.#consentPage(trip))
      const upstream = await this.#once('login', () => decide(this.#browser, page, this.#person))
      const callback = upstream && (await this.#throughUpstream(upstream))
      const code = callback?.searchParams.get('code')
      if (!code) continue
      const answer = await this.#redeem(client, code, trip)
      if (answer !== undefined) return { code, trip, first: tokensOf(answer) }
    }
    throw new Error('nobody can sign in any more')
  }

  async #consentPage(trip: Trip): Promise<Page> {
    const page = await this.#browser.goto(trip.url)
    assert.is(page.status, 200, `${page}`)
    return page
  }

  /** From the redirect of screen 1, over screen 2 if there is one, to the redirect to the client. */
  async #throughUpstream(page: Page): Promise<URL | undefined> {
    const doorstep = page.sentTo
    if (!doorstep?.href.startsWith(this.#world.github.origin)) return doorstep
    const { sentTo } = await this.#browser.goto(doorstep, { from: page })
    const back = await this.#once('callback', () => this.#browser.goto(sentTo ?? '', { from: page }))
    return back?.sentTo
  }

  /** A second try after a lost answer is either the first that counts, or a replay: refused, and the grant is gone. */
  async #redeem(client: Client, code: string, trip: Trip): Promise<Answer | undefined> {
    const redeem = () => client.redeem(code, trip.verifier)
    const first = await this.#attempt('redeem', redeem)
    if (first !== undefined) return first.answer
    const again = await redeem()
    if (again.status === 200) return again
    assert.equal([again.status, again.body.error], [400, 'invalid_grant'])
    return undefined
  }

  async #works({ access }: Tokens): Promise<void> {
    const { status, text } = await callMcp(`${this.#world.gateway.url}/github`, access)
    assert.is(status, 200, text)
  }

  /** Something that may be asked for again until it is answered. */
  async #step<T>(step: Step, send: () => Promise<T>): Promise<T> {
    const first = await this.#attempt(step, send)
    return first === undefined ? send() : first.answer
  }

  /** A page that works once. Undefined: an answer was lost, and the second try says that it has been used. */
  async #once(step: Step, send: () => Promise<Page>): Promise<Page | undefined> {
    const first = await this.#attempt(step, send)
    const page = first === undefined ? await send() : first.answer
    // 403: the cookie that goes with the next step was lost with the answer.
    if (first === undefined && [400, 403, 409].includes(page.status)) return undefined
    assert.is(page.status, 303, `${step}: ${page}`)
    return page
  }

  async #attempt<T>(step: Step, send: () => Promise<T>): Promise<Answered<T>> {
    const { gateway, usualMs } = this.#world
    const point = this.#point
    if (point?.step !== step || this.#isCrashed) return { answer: await this.#timed(step, send) }
    this.#isCrashed = true
    if (point.after === 'answer') {
      const answer = await send()
      await gateway.crash()
      return { answer }
    }
    const answered = send().then((answer): Answered<T> => ({ answer }), ignoreCutOff)
    // Waited for below, but it may fail before that.
    answered.catch(() => {})
    await delay((usualMs.get(step) ?? 0) * point.after)
    await gateway.crash()
    return answered
  }

  async #timed<T>(step: Step, send: () => Promise<T>): Promise<T> {
    const begun = performance.now()
    const answer = await send()
    if (!this.#world.usualMs.has(step)) this.#world.usualMs.set(step, performance.now() - begun)
    return answer
  }
}

const CUT_OFF = /^(ECONNRESET|ECONNREFUSED|EPIPE|UND_ERR_SOCKET)$/

/** Undefined for a connection that broke; whatever else went wrong is thrown on. */
function ignoreCutOff(error: unknown): undefined {
  const causes = [error, error instanceof Error ? error.cause : undefined]
  if (causes.some((cause) => cause instanceof Error && 'code' in cause && CUT_OFF.test(String(cause.code))))
    return
  throw error
}

/** No token of the walk opens anything any more, and its code brings none back. */
export async function assertOver(
  url: string,
  { client, code, verifier, pairs }: Omit<Outcome, 'revoked'>,
): Promise<void> {
  for (const { access, refresh } of pairs) {
    assert.is((await callMcp(`${url}/github`, access)).status, 401)
    assertInvalidGrant(await client.refresh(refresh))
  }
  assertInvalidGrant(await client.redeem(code, verifier))
}

/** The newest pair works, and works on. */
export async function assertAlive(url: string, { client, pairs }: Outcome): Promise<void> {
  const newest = pairs.at(-1)
  assert.is((await callMcp(`${url}/github`, newest?.access)).status, 200)
  const next = tokensOf(await client.refresh(newest?.refresh ?? ''))
  assert.is((await callMcp(`${url}/github`, next.access)).status, 200)
}

export function assertInvalidGrant({ status, body }: Answer): void {
  assert.equal([status, body.error], [400, 'invalid_grant'])
}
