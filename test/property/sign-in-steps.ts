// The steps that people, clients and thieves take, as data, and who can take them.
import fc from 'fast-check'

export const BROWSERS = 3
export type One = 0 | 1
/** Whose it is: of those it was made for, or of the others. */
export type Whose = 'own' | 'other'
export type TokenKind = 'access' | 'refresh'

/** The tab or grant it is done with: so many back from the newest, of those it can come to something with or of `any`. */
interface Aim {
  readonly back: number
  readonly any: boolean
}

interface Choices {
  authorize: { readonly browser: number; readonly client: One; readonly route: One }
  answer: Aim & {
    readonly browser: number | 'own'
    readonly press: 'allow' | 'deny' | 'switch' | 'relink' | 'wrong'
    readonly user: One
  }
  upstream: Aim & { readonly browser: number | 'own'; readonly press: 'allow' | 'deny' }
  callback: Aim & { readonly browser: number | 'own'; readonly answer: number; readonly path: Whose }
  redeem: Aim & { readonly by: Whose; readonly verifier: 'right' | 'wrong' }
  refresh: Aim & { readonly pair: number; readonly by: Whose }
  revoke: Aim & { readonly pair: number; readonly token: TokenKind; readonly by: Whose }
  call: Aim & { readonly pair: number; readonly token: TokenKind; readonly route: Whose }
  wait: { readonly ms: number }
}

/** One kind of step. */
export type Of<K extends keyof Choices> = { readonly do: K } & Choices[K]
export type Step = { [K in keyof Choices]: Of<K> }[keyof Choices]
export type TabStep = Of<'answer'> | Of<'upstream'> | Of<'callback'>
export type GrantStep = Of<'redeem'> | Of<'refresh'> | Of<'revoke'> | Of<'call'>

type Outcome = string | Promise<string>

/** The reference, or the gateway with all who use it. Their lists grow alike. */
export interface Player<Tab, Grant> {
  readonly tabs: readonly Tab[]
  readonly grants: readonly Grant[]
  authorize(step: Of<'authorize'>): Outcome
  answer(tab: Tab, step: Of<'answer'>): Outcome
  upstream(tab: Tab, step: Of<'upstream'>): Outcome
  callback(tab: Tab, step: Of<'callback'>): Outcome
  redeem(grant: Grant, step: Of<'redeem'>): Outcome
  refresh(grant: Grant, step: Of<'refresh'>): Outcome
  revoke(grant: Grant, step: Of<'revoke'>): Outcome
  call(grant: Grant, step: Of<'call'>): Outcome
  wait(step: Of<'wait'>): Outcome
}

/** `index`: of the tab or grant that the step is aimed at. */
export function play<Tab, Grant>(player: Player<Tab, Grant>, step: Step, index: number): Outcome {
  const tab = () => existing(player.tabs[index])
  const grant = () => existing(player.grants[index])
  switch (step.do) {
    case 'authorize':
      return player.authorize(step)
    case 'answer':
      return player.answer(tab(), step)
    case 'upstream':
      return player.upstream(tab(), step)
    case 'callback':
      return player.callback(tab(), step)
    case 'redeem':
      return player.redeem(grant(), step)
    case 'refresh':
      return player.refresh(grant(), step)
    case 'revoke':
      return player.revoke(grant(), step)
    case 'call':
      return player.call(grant(), step)
    case 'wait':
      return player.wait(step)
  }
}

export const newest = <T>(list: readonly T[], back: number): T | undefined =>
  list.at(-1 - (back % Math.max(list.length, 1)))

export function existing<T>(item: T | undefined): T {
  if (item === undefined) throw new Error('there is none')
  return item
}

/** Longer than a code or a spent token's grace lasts, and longer than a sign-in may take. */
const WAITS_MS = { short: 61_000, long: 601_000 }
/** Later than that, access tokens would begin to expire by themselves. */
export const LATEST_MS = 45 * 60_000
/** One tab less than cookies are kept for, so that none is ever pushed out. */
export const MOST_TABS = 9
/** After one more, that person would have to wait. */
export const MOST_WRONG_PASSWORDS = 4

const mostly = <T extends string | number | boolean>(usual: T, weight: number, ...others: [T, ...T[]]) =>
  fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) })
const kind = <K extends Step['do']>(name: K) => fc.constant(name)

const one = fc.constantFrom<One[]>(0, 1)
const back = mostly(0, 2, 1, 1, 2, 3, 5)
const whose = mostly<Whose>('own', 6, 'other')
const aim = { back, any: mostly(false, 4, true) }
const browser = mostly<number | 'own'>('own', 6, 0, 1, 2)
const token = fc.constantFrom<TokenKind[]>('access', 'refresh')

const WEIGHTED: readonly [weight: number, step: fc.Arbitrary<Step>][] = [
  [3, fc.record({ do: kind('authorize'), browser: fc.nat(BROWSERS - 1), client: one, route: one })],
  [
    6,
    fc.record({
      do: kind('answer'),
      ...aim,
      browser,
      press: mostly<Of<'answer'>['press']>('allow', 3, 'deny', 'switch', 'relink', 'wrong'),
      user: one,
    }),
  ],
  [
    4,
    fc.record({ do: kind('upstream'), ...aim, browser, press: mostly<'allow' | 'deny'>('allow', 8, 'deny') }),
  ],
  [
    4,
    fc.record({
      do: kind('callback'),
      ...aim,
      browser,
      answer: back,
      path: mostly<Whose>('own', 12, 'other'),
    }),
  ],
  [
    4,
    fc.record({
      do: kind('redeem'),
      ...aim,
      by: whose,
      verifier: mostly<'right' | 'wrong'>('right', 12, 'wrong'),
    }),
  ],
  [3, fc.record({ do: kind('refresh'), ...aim, pair: back, by: whose })],
  [1, fc.record({ do: kind('revoke'), ...aim, pair: back, token, by: whose })],
  [
    3,
    fc.record({
      do: kind('call'),
      ...aim,
      pair: back,
      token: mostly<TokenKind>('access', 8, 'refresh'),
      route: whose,
    }),
  ],
  [1, fc.record({ do: kind('wait'), ms: mostly(WAITS_MS.short, 4, WAITS_MS.long) })],
]

/** One arbitrary per weight, since `fc.commands` draws from its list evenly. */
export const steps: readonly fc.Arbitrary<Step>[] = WEIGHTED.flatMap(([weight, step]) =>
  Array<fc.Arbitrary<Step>>(weight).fill(step),
)
