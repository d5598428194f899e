import * as assert from 'uvu/assert'
import { expandOffline, expandText, referencesIn, splitText } from '../../src/config/expand.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/expand')

const lookup = {
  env: { NAME: 'value', EMPTY: '', TRICKY: '${NAME}\nauth: none' },
  readFile: (path: string) => {
    if (path === '/run/secret') return 'from a file\n'
    if (path === '/run/lines') return 'one\ntwo\n\n'
    if (path === '/run/windows') return 'line\r\n'
    throw Object.assign(new Error(path), { code: path === '/locked' ? 'EACCES' : 'ENOENT' })
  },
}

const expansions: [text: string, expanded: string][] = [
  ['plain', 'plain'],
  ['', ''],
  ['${NAME}', 'value'],
  ['${env:NAME}', 'value'],
  ['Bearer ${NAME}!', 'Bearer value!'],
  ['${NAME}${NAME}', 'valuevalue'],
  ['${MISSING:-fallback}', 'fallback'],
  ['${EMPTY:-fallback}', 'fallback'],
  ['${MISSING:-}', ''],
  ['${NAME:-fallback}', 'value'],
  ['${MISSING:-a:-b}', 'a:-b'],
  ['${file:/run/secret}', 'from a file'],
  ['${file:/run/lines}', 'one\ntwo\n'],
  ['${file:/run/windows}', 'line'],
  ['$${NAME}', '${NAME}'],
  ['$$${NAME}', '$${NAME}'],
  ['$NAME costs $5', '$NAME costs $5'],
  ['${TRICKY}', '${NAME}\nauth: none'],
]

for (const [text, expanded] of expansions) {
  test(`${JSON.stringify(text)} becomes ${JSON.stringify(expanded)}`, () => {
    assert.equal(expandText(text, lookup), { text: expanded })
  })
}

const refusals: [text: string, rule: string, message: RegExp][] = [
  ['${MISSING}', 'variable/missing', /MISSING is not set/],
  ['${EMPTY}', 'variable/missing', /EMPTY is empty/],
  ['${constructor}', 'variable/missing', /constructor is not set/],
  ['${}', 'variable/syntax', /no reference/],
  ['${A B}', 'variable/syntax', /no reference/],
  ['${A-b}', 'variable/syntax', /no reference/],
  ['${NAME', 'variable/syntax', /no reference/],
  ['${file:}', 'variable/syntax', /no reference/],
  ['${A:-${B}}', 'variable/syntax', /no reference/],
  ['${file:/gone}', 'variable/file', /cannot read \/gone: no such file/],
  ['${file:/locked}', 'variable/file', /permission denied/],
]

for (const [text, rule, message] of refusals) {
  test(`${JSON.stringify(text)} is refused`, () => {
    const outcome = expandText(text, lookup)
    assert.ok('message' in outcome)
    assert.is(outcome.rule, rule)
    assert.match(outcome.message, message)
    assert.ok(outcome.hint)
  })
}

test('without an environment only what refers to nothing is known', () => {
  assert.equal(expandOffline('$${NAME}'), { text: '${NAME}' })
  assert.is(expandOffline('${NAME:-x}'), undefined)
  assert.ok('message' in (expandOffline('${A B}') ?? {}))
})

test('references are told without their defaults', () => {
  assert.equal(referencesIn('a ${NAME:-secret} ${file:/x} $${NOT}'), ['${NAME}', '${file:/x}'])
})

test('a process that runs already is told that it sees no new variables', () => {
  const outcome = expandText('${MISSING}', { ...lookup, isFixed: true })
  assert.ok('message' in outcome)
  assert.match(outcome.hint, /set MISSING and restart it, or use \$\{file:…\}/)
})

test('a text is split without losing a character', () => {
  const kinds = splitText('a ${B} $${c} ${file:/d}').map(({ kind }) => kind)
  assert.equal(kinds, ['text', 'env', 'text', 'text', 'text', 'file'])
})

test.run()
