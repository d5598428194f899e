// The reference: what must come of each step, told without HTTP, cookies, hashes or compare-and-swap. Outcomes are
// words, `+exchange` and `+call` saying what the upstream noticed.
import { newest, type Of, type One, type Player } from './sign-in-steps.ts'

type Subject = string

export interface Tab {
  readonly browser: number
  readonly client: One
  readonly route: One
  readonly expiresAtMs: number
  stage: 'consent' | 'upstream' | 'done'
  /** The browser whose cookie fits. */
  holder: number | undefined
  /** The page that is open, and for whom it was made. */
  page: {
    readonly asksPassword: boolean
    readonly subject: Subject | undefined
    readonly hasAccount: boolean
  }
  subject: Subject | undefined
  wasSent: boolean
  /** They want another account than the one that is connected by then. */
  isRelink: boolean
  readonly answers: (string | undefined)[]
}

export interface Grant {
  readonly client: One
  readonly route: One
  readonly subject: Subject
  readonly expiresAtMs: number
  isGone: boolean
  readonly pairs: { isRevoked: boolean; graceEndsAtMs: number }[]
}

const INVALID = 'invalid_grant'

export class Model implements Player<Tab, Grant> {
  readonly login: 'users' | 'none'
  readonly tabs: Tab[] = []
  readonly grants: Grant[] = []
  readonly #sessions = new Map<number, Subject>()
  /** The account at the upstream, by route and subject. */
  readonly #links = new Map<string, string>()
  readonly wrongPasswords = [0, 0]
  nowMs = 0
  #accounts = 0

  constructor(login: 'users' | 'none') {
    this.login = login
  }

  authorize({ browser, client, route }: Of<'authorize'>): string {
    const page = this.#pageFor(this.#sessions.get(browser), route)
    const expiresAtMs = this.nowMs + 600_000
    const tab = {
      browser,
      client,
      route,
      expiresAtMs,
      page,
      holder: browser,
      subject: undefined,
      wasSent: false,
      isRelink: false,
    }
    this.tabs.push({ ...tab, stage: 'consent', answers: [] })
    return 'form 200'
  }

  #pageFor(subject: Subject | undefined, route: One): Tab['page'] {
    const hasAccount = subject !== undefined && this.#links.has(`${route} ${subject}`)
    return { asksPassword: this.login === 'users' && subject === undefined, subject, hasAccount }
  }

  answer(tab: Tab, step: Of<'answer'>): string {
    const browser = step.browser === 'own' ? tab.browser : step.browser
    if (tab.expiresAtMs <= this.nowMs) return 'page 400'
    if (tab.holder !== browser) return 'page 403'
    if (tab.stage !== 'consent') return 'page 409'
    const { asksPassword } = tab.page
    if (!asksPassword && tab.page.subject !== this.#sessions.get(browser)) return 'page 403'
    if (step.press === 'deny') return this.#finish(tab, 'client access_denied')
    if (step.press === 'switch') this.#sessions.delete(browser)
    if (step.press === 'switch' || step.press === 'wrong') {
      if (step.press === 'wrong') this.wrongPasswords[step.user] = (this.wrongPasswords[step.user] ?? 0) + 1
      tab.page = this.#pageFor(undefined, tab.route)
      return step.press === 'wrong' ? 'form 403' : 'form 200'
    }
    if (asksPassword) this.wrongPasswords[step.user] = 0
    if (asksPassword) this.#sessions.set(browser, `user ${step.user}`)
    else if (!this.#sessions.has(browser)) this.#sessions.set(browser, `browser ${browser}`)
    tab.subject = this.#sessions.get(browser)
    if (step.press === 'relink' || !this.#links.has(`${tab.route} ${tab.subject}`)) {
      tab.stage = 'upstream'
      tab.wasSent = true
      tab.isRelink = step.press === 'relink'
      return 'upstream'
    }
    return this.#issue(tab)
  }

  upstream(tab: Tab, { press }: Of<'upstream'>): string {
    this.#accounts += 1
    tab.answers.push(press === 'allow' ? `account-${this.#accounts}` : undefined)
    return 'answer'
  }

  callback(tab: Tab, step: Of<'callback'>): string {
    const browser = step.browser === 'own' ? tab.browser : step.browser
    if (tab.expiresAtMs <= this.nowMs || tab.stage !== 'upstream' || step.path === 'other') return 'page 400'
    if (tab.holder !== browser) {
      tab.stage = 'done'
      return 'page 403'
    }
    if (this.#sessions.get(browser) !== tab.subject) return 'page 403'
    const account = newest(tab.answers, step.answer)
    if (account === undefined) return this.#finish(tab, 'client access_denied')
    // Another tab was faster, and one account is enough.
    if (!tab.isRelink && this.#links.has(`${tab.route} ${tab.subject}`)) return this.#issue(tab)
    this.#links.set(`${tab.route} ${tab.subject}`, account)
    return `${this.#issue(tab)} +exchange`
  }

  #issue(tab: Tab): string {
    const { client, route, subject = '' } = tab
    this.grants.push({ client, route, subject, expiresAtMs: this.nowMs + 60_000, isGone: false, pairs: [] })
    return this.#finish(tab, 'client code')
  }

  #finish(tab: Tab, outcome: string): string {
    tab.stage = 'done'
    tab.holder = undefined
    return outcome
  }

  redeem(grant: Grant, { by, verifier }: Of<'redeem'>): string {
    if (grant.isGone || by === 'other') return INVALID
    const isSpent = grant.pairs.length > 0
    if (!isSpent && grant.expiresAtMs <= this.nowMs) return INVALID
    if (isSpent || verifier === 'wrong') {
      grant.isGone = true
      return INVALID
    }
    return this.#newPair(grant)
  }

  #newPair(grant: Grant): string {
    grant.pairs.push({ isRevoked: false, graceEndsAtMs: Number.POSITIVE_INFINITY })
    return 'new tokens'
  }

  refresh(grant: Grant, { pair, by }: Of<'refresh'>): string {
    const spent = newest(grant.pairs, pair)
    if (grant.isGone || by === 'other' || spent === undefined) return INVALID
    if (spent === grant.pairs.at(-1)) {
      spent.graceEndsAtMs = this.nowMs + 60_000
      return this.#newPair(grant)
    }
    if (spent.graceEndsAtMs > this.nowMs) return 'the newest tokens again'
    grant.isGone = true
    return INVALID
  }

  revoke(grant: Grant, { pair, token, by }: Of<'revoke'>): string {
    const presented = newest(grant.pairs, pair)
    if (by === 'other' || presented === undefined) return 'revoked'
    if (token === 'access') presented.isRevoked = true
    else if (presented.graceEndsAtMs > this.nowMs) grant.isGone = true
    return 'revoked'
  }

  call(grant: Grant, { pair, token, route }: Of<'call'>): string {
    if (grant.isGone || token === 'refresh' || route === 'other') return '401'
    if (newest(grant.pairs, pair)?.isRevoked !== false) return '401'
    return `200 ${this.#links.get(`${grant.route} ${grant.subject}`)} +call`
  }

  wait({ ms }: Of<'wait'>): string {
    this.nowMs += ms
    return 'later'
  }
}
