// The scene of the attacks: a gateway with two users in front of an upstream that records everything, a victim's and
// an attacker's browser, and an evil server that must never hear of any of it.
import * as assert from 'uvu/assert'
import { Browser } from '../support/browser.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Github, type GithubKnobs, startGithub } from '../support/github.ts'
import type { Page } from '../support/page.ts'
import { decide, type Person, signIn } from '../support/person.ts'
import { type Sink, startSink } from '../support/sink.ts'
import type { TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'
import {
  type Answer,
  Client,
  callMcp,
  callTool,
  type Form,
  send,
  type Tokens,
  type Trip,
  tokensOf,
} from './client.ts'

export const VICTIM = { username: 'victim', password: 'victim password' } as const
export const ATTACKER = { username: 'attacker', password: 'attacker password' } as const

/** Argon2id at its cheapest: these tests are about who may sign in, not about how long guessing takes. */
export const PASSWORD_HASHES = {
  VICTIM_HASH:
    '$argon2id$v=19$m=8,t=1,p=1$ntNS41JpfI4hegXiHYddxw$E4hgPQB29AwAitMA8+So7OoWOFxkRTP4Dql1P37Xtm0',
  ATTACKER_HASH:
    '$argon2id$v=19$m=8,t=1,p=1$vXo61T1JssE0+4GocsAfSg$H/eMfYsvVkAZC28SM3xequNzgz2wKY2Tu7axlYNawQ0',
}

export const TWO_USERS = `
login:
  users:
    victim: { password_hash: "\${VICTIM_HASH}" }
    attacker: { password_hash: "\${ATTACKER_HASH}" }
`
export const NO_LOGIN = `
login:
  none: {}
`

export interface WorldOptions {
  /** The whole configuration, from the upstream; one route `github` and two users by default. */
  yaml?: (github: Github, evil: Sink) => string
  env?: Record<string, string>
  now?: () => number
  upstream?: Partial<GithubKnobs>
}
export interface World {
  gateway: TestGateway
  url: string
  /** The default route. */
  mcpUrl: string
  github: Github
  evil: Sink
}

export async function startWorld({ after }: TestContext, options: WorldOptions = {}): Promise<World> {
  const github = await startGithub(options.upstream)
  after(() => github.close())
  const evil = await startSink()
  after(() => evil.close())
  // Whatever a test is about: the evil server was not so much as connected to.
  after(() => evil.assertUntouched())
  const yaml = options.yaml ?? ((upstream) => document(githubRoute('github', upstream)) + TWO_USERS)
  const gateway = await startGateway({
    yaml: yaml(github, evil),
    env: { ...githubEnv(github), ...PASSWORD_HASHES, ...options.env },
    ...(options.now && { now: options.now }),
  })
  after(() => gateway.close())
  return { gateway, url: gateway.url, mcpUrl: `${gateway.url}/github`, github, evil }
}

/** A browser that stops at every client (all of them are on https, and nothing else is). */
export const newBrowser = (...stopAt: string[]) => new Browser({ stopAt: ['https://', ...stopAt] })

/** A browser that stops at the upstream's door as well. */
export const doorstepBrowser = ({ github }: World) => newBrowser(github.authorizationEndpoint)

/** How often the upstream was asked for what. */
export const upstreamCalls = ({ github: { recorder } }: World) => ({
  authorize: recorder.count('/login/oauth/authorize'),
  token: recorder.count('/login/oauth/access_token'),
  mcp: recorder.count('/mcp/'),
})

/** Runs the attack and fails if the upstream heard of it. */
export async function withoutUpstream<T>(world: World, attack: () => Promise<T>): Promise<T> {
  const before = upstreamCalls(world)
  const result = await attack()
  assert.equal(upstreamCalls(world), before, 'the upstream must not notice')
  return result
}

export interface Authorized {
  tokens: Tokens
  trip: Trip
  code: string
  pages: Page[]
}
interface Visit {
  client: Client
  browser?: Browser
  person?: Person
  overrides?: Form
}

/** The way to a code: both screens, as the person would. */
export async function obtainCode({ client, browser = newBrowser(), person = VICTIM, overrides }: Visit) {
  const trip = client.trip(overrides)
  const { callback, pages } = await signIn(browser, trip.url, person)
  const code = callback.searchParams.get('code')
  if (code === null) throw new Error(`no code but ${callback}`)
  return { trip, code, callback, pages }
}

export async function obtainTokens(visit: Visit): Promise<Authorized> {
  const { trip, code, pages } = await obtainCode(visit)
  return { tokens: tokensOf(await visit.client.redeem(code, trip.verifier)), trip, code, pages }
}

/** Opens the consent page of a new trip. */
export async function openConsent(browser: Browser, client: Client, overrides?: Form) {
  const trip = client.trip(overrides)
  const page = await browser.goto(trip.url)
  return { trip, page }
}

export const allow = (browser: Browser, page: Page, person: Person = VICTIM) => decide(browser, page, person)

export function deny(browser: Browser, page: Page): Promise<Page> {
  return browser.submit(page.form(), {}, { button: 'Deny' })
}

/**
 * The same request so many times, as nearly at once as one process can: on connections that are open already, or
 * they would arrive one by one.
 */
export async function atOnce<T>({ url }: World, count: number, request: () => Promise<T>): Promise<T[]> {
  const times = Array.from({ length: count })
  await Promise.all(times.map(() => send(`${url}/.well-known/oauth-authorization-server`)))
  return Promise.all(times.map(request))
}

/** A good sign-in from the start, to the first tool call: no attack may have broken it. */
export async function stillWorks({ url, mcpUrl, github }: World): Promise<void> {
  const client = await Client.register(url)
  const { tokens } = await obtainTokens({ client })
  assert.is(await callTool(mcpUrl, tokens.access, 'whoami'), github.knobs.login)
}

/** RFC 6749 §4.1.2.1 at a registered redirect URI, with exactly one `state` and `iss` (RFC 9207). */
export function assertClientError(
  page: Page,
  trip: Trip,
  redirectUri: string,
  error: string,
  issuer: string,
) {
  const target = page.sentTo
  assert.is(page.status, 303)
  assert.is(`${target?.origin}${target?.pathname}`, redirectUri)
  assert.equal(target?.searchParams.getAll('error'), [error])
  assert.equal(target?.searchParams.getAll('state'), [trip.state])
  assert.equal(target?.searchParams.getAll('iss'), [issuer])
  assert.is(target?.searchParams.has('code'), false)
}

/** An error that stays with the person: a page, and no way for the browser to leave it. */
export function assertErrorPage(page: Page, statuses: readonly number[] = [400]) {
  assert.ok(statuses.includes(page.status), `one of ${statuses}, not ${page}`)
  assert.is(page.headers.location, undefined)
  assert.is(page.headers.refresh, undefined)
  assert.match(String(page.headers['content-type']), /^text\/html/)
  assert.equal(page.root.querySelectorAll('form, a, meta[http-equiv]').length, 0)
}

/** Goes on to the upstream, as the browser would have without stopping, and comes back with its answer. */
export async function upstreamAnswer(world: World, door: Page): Promise<URL> {
  const { headers } = await send(door.sentTo ?? '')
  const answer = new URL(headers.get('location') ?? '')
  assert.is(answer.origin, world.url)
  return answer
}

/** What this browser sends to the gateway, for requests that no browser makes. */
export const cookiesOf = (browser: Browser, url: URL | string) =>
  browser.cookies.header({ url: new URL(url), method: 'GET', crossSite: false }) ?? ''

export const twoRoutes = (github: World['github']) =>
  document(githubRoute('a', github), githubRoute('b', github)) + TWO_USERS

export function assertRefused(answer: Answer, error: string, label = '') {
  assert.equal(
    [label, answer.status, answer.body.error],
    [label, error === 'invalid_client' ? 401 : 400, error],
  )
  assert.is(answer.body.access_token, undefined)
  assert.is(answer.body.refresh_token, undefined)
}

/** The gateway takes the token, and the request reaches the upstream. */
export async function assertAccess(world: World, access: string, url = world.mcpUrl) {
  assert.is(await callTool(url, access, 'whoami'), world.github.knobs.login)
}

export async function assertNoAccess(world: World, access: string, url = world.mcpUrl) {
  const before = world.github.recorder.count('/mcp/')
  const answer = await callMcp(url, access)
  assert.is(answer.status, 401)
  assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer error="invalid_token"/)
  assert.is(world.github.recorder.count('/mcp/'), before)
}
