// The same steps for real: a running gateway before two upstreams, three browsers and two clients. What holds after
// every step, whatever the reference says, is checked here.
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
import { ATTACKER, NO_LOGIN, PASSWORD_HASHES, TWO_USERS, VICTIM } from '../security/world.ts'
import { Browser } from '../support/browser.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import type { Github } from '../support/github.ts'
import type { Page } from '../support/page.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'
import {
  BROWSERS,
  newest,
  type Of,
  type One,
  type Player,
  type TokenKind,
  type Whose,
} from './sign-in-steps.ts'

const NAMES = ['a', 'b'] as const
const USERS = [VICTIM, ATTACKER] as const
const other = (one: One): One => (one === 0 ? 1 : 0)

interface Tab {
  readonly id: number
  readonly browser: number
  readonly client: One
  readonly route: One
  readonly trip: Trip
  page: Page
  door: URL | undefined
  readonly answers: URL[]
}
interface Grant {
  readonly client: One
  readonly route: One
  readonly code: string
  readonly trip: Trip
  readonly pairs: Tokens[]
}
export interface Upstreams {
  readonly 0: Github
  readonly 1: Github
}

export class World implements Player<Tab, Grant> {
  readonly tabs: Tab[] = []
  readonly grants: Grant[] = []
  readonly #gateway: TestGateway
  readonly #upstreams: Upstreams
  readonly #clients: readonly [Client, Client]
  readonly #browsers: readonly Browser[]
  readonly #clock: { nowMs: number }
  /** Tab and browser of everybody who pressed Allow and was believed. */
  readonly #consents = new Set<string>()
  #accounts = 0

  private constructor(
    gateway: TestGateway,
    upstreams: Upstreams,
    clients: readonly [Client, Client],
    clock: { nowMs: number },
  ) {
    this.#gateway = gateway
    this.#upstreams = upstreams
    this.#clients = clients
    this.#clock = clock
    const doors = [upstreams[0].authorizationEndpoint, upstreams[1].authorizationEndpoint]
    const stopAt = ['https://', ...doors, `${gateway.url}/upstream/callback`]
    this.#browsers = Array.from({ length: BROWSERS }, () => new Browser({ stopAt }))
  }

  static async start(login: 'users' | 'none', upstreams: Upstreams): Promise<World> {
    const clock = { nowMs: Date.now() }
    const routes = NAMES.map((name, index) => githubRoute(name, upstreams[index as One]))
    const gateway = await startGateway({
      yaml: `${document(...routes)}${login === 'users' ? TWO_USERS : NO_LOGIN}store: { type: memory }\n`,
      env: { ...githubEnv(upstreams[0]), ...PASSWORD_HASHES },
      now: () => clock.nowMs,
    })
    for (const { recorder } of [upstreams[0], upstreams[1]]) recorder.clear()
    const clients = [await Client.register(gateway.url), await Client.register(gateway.url)] as const
    return new World(gateway, upstreams, clients, clock)
  }

  close(): Promise<void> {
    return this.#gateway.close()
  }

  async authorize({ browser, client, route }: Of<'authorize'>): Promise<string> {
    const trip = this.#clients[client].trip({ resource: `${this.#gateway.url}/${NAMES[route]}` })
    const page = await this.#browser(browser).goto(trip.url)
    this.tabs.push({ id: this.tabs.length, browser, client, route, trip, page, door: undefined, answers: [] })
    return this.#see(page)
  }

  async answer(tab: Tab, { browser, press, user }: Of<'answer'>): Promise<string> {
    const by = browser === 'own' ? tab.browser : browser
    const form = tab.page.form()
    const { username, password } = USERS[user]
    const person = { username, password: press === 'wrong' ? 'a wrong one' : password }
    const values = form.has('input[type=password]') && !['deny', 'switch'].includes(press) ? person : {}
    const button = press === 'wrong' ? 'allow' : press
    const page = await this.#browser(by).submit(form, values, { button })
    const isAllowed = page.status === 303 && (press === 'allow' || press === 'relink')
    if (isAllowed) this.#consents.add(`${tab.id} ${by}`)
    if (page.forms.length > 0) tab.page = page
    return this.#arrive(page, tab, by)
  }

  /** At the upstream everybody is somebody new, so that an account says whose sign-in it came from. */
  async upstream(tab: Tab, { browser, press }: Of<'upstream'>): Promise<string> {
    this.#accounts += 1
    const visitor = this.#browser(browser === 'own' ? tab.browser : browser)
    const page = await visitor.goto(tab.door ?? '')
    const button = press === 'allow' ? 'Authorize' : 'Cancel'
    const { sentTo } = await visitor.submit(page.form(), { login: `account-${this.#accounts}` }, { button })
    if (sentTo === undefined) throw new Error(`no answer at ${page}`)
    tab.answers.push(sentTo)
    return 'answer'
  }

  async callback(tab: Tab, { browser, answer, path }: Of<'callback'>): Promise<string> {
    const by = browser === 'own' ? tab.browser : browser
    const url = new URL(newest(tab.answers, answer) ?? '')
    if (path === 'other') url.pathname = `/upstream/callback/${NAMES[other(tab.route)]}`
    return this.#arrive(await this.#browser(by).goto(url), tab, by)
  }

  async redeem(grant: Grant, { by, verifier }: Of<'redeem'>): Promise<string> {
    const right = grant.trip.verifier
    const sent = verifier === 'right' ? right : [...right].reverse().join('')
    const answer = await this.#client(grant, by).redeem(grant.code, sent, { redirect_uri: undefined })
    return this.#tokens(answer, grant)
  }

  async refresh(grant: Grant, { pair, by }: Of<'refresh'>): Promise<string> {
    return this.#tokens(
      await this.#client(grant, by).refresh(newest(grant.pairs, pair)?.refresh ?? ''),
      grant,
    )
  }

  async revoke(grant: Grant, { pair, token, by }: Of<'revoke'>): Promise<string> {
    const form = { token: newest(grant.pairs, pair)?.[token], client_id: this.#client(grant, by).id }
    const { status } = await postForm(`${this.#gateway.url}/revoke`, form)
    return status === 200 ? 'revoked' : `${status}`
  }

  async call(grant: Grant, { pair, token, route }: Of<'call'>): Promise<string> {
    const to = route === 'own' ? grant.route : other(grant.route)
    const { status } = await callMcp(`${this.#gateway.url}/${NAMES[to]}`, newest(grant.pairs, pair)?.[token])
    if (status !== 200) return `${status}`
    const { recorder, tokens } = this.#upstreams[to]
    const { authorization } = recorder.to('/mcp/').at(-1)?.headers ?? {}
    return `200 ${tokens().find((known) => authorization === `Bearer ${known.token}`)?.login}`
  }

  wait({ ms }: Of<'wait'>): string {
    this.#clock.nowMs += ms
    return 'later'
  }

  /** What the upstreams noticed of a step. */
  async watch(step: () => string | Promise<string>): Promise<string> {
    const seen = () => [this.#count('/login/oauth/access_token'), this.#count('/mcp/')] as const
    const before = seen()
    const outcome = await step()
    const [exchanges, calls] = seen().map((count, index) => count - (before[index] ?? 0))
    const times = (count = 0, word: string) => ` +${word}`.repeat(count)
    return outcome + times(exchanges, 'exchange') + times(calls, 'call')
  }

  #count(path: string): number {
    return this.#upstreams[0].recorder.count(path) + this.#upstreams[1].recorder.count(path)
  }

  #browser(index: number): Browser {
    const browser = this.#browsers[index]
    if (browser === undefined) throw new Error(`no browser ${index}`)
    return browser
  }

  #client({ client }: Grant, by: Whose): Client {
    return this.#clients[by === 'own' ? client : other(client)]
  }

  #see(page: Page): string {
    assert.ok(page.status < 500, `${page}`)
    return `${page.forms.length > 0 ? 'form' : 'page'} ${page.status}`
  }

  /** Wherever the browser is sent, it is this tab's own client or this route's own upstream. */
  #arrive(page: Page, tab: Tab, browser: number): string {
    const { sentTo } = page
    if (sentTo === undefined) return this.#see(page)
    assert.is(page.status, 303)
    if (sentTo.href.startsWith(this.#upstreams[tab.route].authorizationEndpoint)) {
      tab.door = sentTo
      return 'upstream'
    }
    const parameters = sentTo.searchParams
    assert.is(`${sentTo.origin}${sentTo.pathname}`, this.#clients[tab.client].redirectUri)
    assert.equal([parameters.get('state'), parameters.get('iss')], [tab.trip.state, this.#gateway.url])
    const code = parameters.get('code')
    if (code === null) return `client ${parameters.get('error')}`
    assert.ok(this.#consents.has(`${tab.id} ${browser}`), 'a code without consent in the same browser')
    this.grants.push({ client: tab.client, route: tab.route, code, trip: tab.trip, pairs: [] })
    return 'client code'
  }

  #tokens(answer: Answer, grant: Grant): string {
    if (answer.status !== 200) return answer.status === 400 ? String(answer.body.error) : `${answer.status}`
    const tokens = tokensOf(answer)
    const known = this.grants.flatMap(({ pairs }) => pairs).find((pair) => sharesOne(pair, tokens))
    if (known === undefined) {
      grant.pairs.push(tokens)
      return 'new tokens'
    }
    assert.equal(tokens, known, 'half of a pair is new')
    return known === grant.pairs.at(-1) ? 'the newest tokens again' : 'older tokens again'
  }
}

const KINDS: readonly TokenKind[] = ['access', 'refresh']
const sharesOne = (a: Tokens, b: Tokens) => KINDS.some((kind) => a[kind] === b[kind])
