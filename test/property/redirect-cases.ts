// Redirect URIs put together from their parts, requests that are a change or two away from one that was registered, and
// answers to them. Whether a URI may be registered is known from its parts.
import fc from 'fast-check'
import { entropy, pick } from './check.ts'
import { CHANGES } from './redirect-changes.ts'
import { AROUND, type Choice, KINDS, type Parts } from './redirect-parts.ts'

export interface RegistrationCase {
  readonly uri: string
  readonly isRegistrable: boolean
}

const drawn = fc.array(entropy, { minLength: 10, maxLength: 10, size: 'max' })

/** One part in sixteen is bad, so that most bad URIs have a single fault. */
function choose({ good, bad }: Choice, number: number, canBeBad: boolean): { text: string; isGood: boolean } {
  return canBeBad && number % 16 === 15
    ? { text: pick(bad, number >>> 4), isGood: false }
    : { text: pick(good, number >>> 4), isGood: true }
}

function uriOf([kindNumber = 0, ...numbers]: readonly number[], canBeBad: boolean): RegistrationCase {
  const kind = pick(KINDS, kindNumber)
  const choices = [kind.scheme, ...kind.parts]
  const parts = choices.map((choice, index) => choose(choice, numbers[index] ?? 0, canBeBad))
  const [front, back] = [
    choose(AROUND, kindNumber >>> 3, canBeBad),
    choose(AROUND, kindNumber >>> 9, canBeBad),
  ]
  const all = [front, ...parts, back]
  const uri = all.map(({ text }) => text).join('')
  return { uri, isRegistrable: all.every(({ isGood }) => isGood) && !isRootLeftOut(uri) }
}

/** A parser writes the slash before a query when a web URI has none. */
const isRootLeftOut = (uri: string) => /^https?:\/\/[^/?]*\?/.test(uri)

export const registrations: fc.Arbitrary<RegistrationCase> = drawn.map((numbers) => uriOf(numbers, true))

export interface RequestCase {
  readonly registered: readonly string[]
  readonly requested: string
}

/** One to three registered URIs, and one of them with none, one or two changes. */
export const requests: fc.Arbitrary<RequestCase> = fc
  .tuple(
    fc.array(drawn, { minLength: 1, maxLength: 3 }),
    fc.tuple(entropy, entropy, entropy, entropy, entropy),
  )
  .map(([several, [which, first, a, second, b]]) => {
    const registered = several
      .map((numbers) => uriOf(numbers, false))
      .filter(({ isRegistrable }) => isRegistrable)
    const uris = registered.length > 0 ? registered.map(({ uri }) => uri) : ['http://localhost/cb']
    const base = pick(uris as [string, ...string[]], which)
    const once = pick(CHANGES, first)(base, a)
    return {
      registered: uris,
      requested: second % 3 === 0 && once !== '' ? pick(CHANGES, second >>> 2)(once, b) : once,
    }
  })

export interface AnswerCase {
  readonly uri: string
  readonly parameters: Readonly<Record<string, string | undefined>>
}

const PLANTED: Parts = [
  'tenant=1',
  'flag',
  'a=%20&b=c%2fd',
  'q=a|b',
  'x=1&x=2',
  'code=evil',
  'st%61te=evil',
  'iss=evil&iss=evil',
  'Code=1',
  'code',
  'error=evil',
  '&&',
  '=',
  'code%00=1',
  'codes=1',
]
const VALUES: Parts = [
  'x',
  's&=+é',
  'a b',
  '',
  '%',
  '#',
  '&code=evil',
  '\u0000',
  '"><script>',
  'https://gw.example',
]

export const answers: fc.Arbitrary<AnswerCase> = fc
  .tuple(drawn, fc.array(entropy, { maxLength: 4 }), entropy, entropy)
  .map(([numbers, planted, value, which]) => {
    const { uri, isRegistrable } = uriOf(numbers, false)
    const [base = ''] = (isRegistrable ? uri : 'https://a.example/cb').split('?')
    const query = planted.map((number) => pick(PLANTED, number)).join('&')
    const outcome = which % 2 === 0 ? { code: pick(VALUES, value) } : { error: pick(VALUES, value) }
    const state = which % 3 === 0 ? undefined : pick(VALUES, value >>> 8)
    return {
      uri: query === '' ? base : `${base}${hasNoPath(base) ? '/' : ''}?${query}`,
      parameters: { ...outcome, state, iss: pick(VALUES, value >>> 16) },
    }
  })

const hasNoPath = (base: string) => /^https?:\/\/[^/]*$/.test(base)
