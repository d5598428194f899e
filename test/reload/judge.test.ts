// Whether a saved text is whole: a save that arrives in two halves never drops a route, wherever it is cut.
import * as assert from 'uvu/assert'
import { suspicion } from '../../src/reload/judge.ts'
import { suite } from '../support/suite.ts'
import { EDITS, isValid, load, SIX } from './six.ts'

const test = suite('reload/judge')

const routesOf = (text: string) => Object.entries(load(text).config.routes)

test('sec-H1: cut anywhere, the running text is held or refused', () => {
  for (let end = 0; end < SIX.length; end += 1)
    assert.ok(suspicion(SIX, SIX.slice(0, end), isValid) !== undefined, `at ${end}`)
})

for (const [name, edit] of Object.entries(EDITS)) {
  test(`sec-H1: ${name}: cut anywhere, no route, no user and no restriction is lost`, () => {
    const whole = edit(SIX)
    assert.is.not(whole, SIX)
    const expected = routesOf(SIX)
    let applied = 0
    for (let end = 0; end < whole.length; end += 1) {
      const half = whole.slice(0, end)
      if (suspicion(SIX, half, isValid) !== undefined || !isValid(half)) continue
      applied += 1
      const { routes, login } = load(half).config
      assert.equal(Object.keys(login.users ?? {}), ['alice', 'bob'], `at ${end}`)
      for (const [route, { access }] of expected)
        assert.equal(routes[route]?.access, access, `at ${end}: ${route}`)
    }
    assert.ok(applied < 10, `${applied} halves would be taken for whole`)
  })

  test(`${name}: the whole text is taken at once`, () => {
    assert.is(suspicion(SIX, edit(SIX), isValid), undefined)
  })
}

const HELD: Record<string, [edit: (text: string) => string, says: RegExp]> = {
  'an empty file': [() => '', /empty/],
  'a file of blank lines': [() => '\n\n', /empty/],
  'no newline at the end': [(text) => `${text}# a note`, /newline/],
  'the beginning of what runs': [(text) => text.slice(0, text.indexOf('  f:')), /beginning/],
  'the beginning of an edited text': [
    (text) => text.replace('title: A', 'title: Edited').slice(0, text.indexOf('  f:') + 5),
    /routes\.f and ends before/,
  ],
}

for (const [name, [edit, says]] of Object.entries(HELD)) {
  test(`${name} is held, and the reason is told`, () => {
    assert.match(suspicion(SIX, edit(SIX), isValid) ?? 'not held', says)
  })
}

test('what is refused anyway is refused at once: the author of a typo does not wait', () => {
  const typo = SIX.replace(/auth: none\n$/, 'auht: none\n')
  assert.is.not(typo, SIX)
  assert.is(suspicion(SIX, typo, isValid), undefined)
})

test('another upstream for the last route, with fewer fields, does not wait', () => {
  const before = SIX.replace(
    /auth: none\n$/,
    'auth:\n      type: api_key\n      value: "${KEY}"\n      in: query\n',
  )
  const after = SIX.replace(/auth: none\n$/, 'auth:\n      type: authorization_code\n')
  assert.is(suspicion(before, after, isValid), undefined)
  assert.is(suspicion(before, SIX, isValid), undefined)
})

test.run()
