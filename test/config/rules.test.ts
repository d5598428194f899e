// Every rule that can be broken is explained, and the page that explains them is current.
import { readdirSync, readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { conversions } from '../../src/config/convert.ts'
import { documentedRules, ruleAnchor, ruleDoc } from '../../src/config/rule-docs.ts'
import { rulePage } from '../../src/config/rule-page.ts'
import { rules } from '../../src/config/rules/index.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/rules')
const page = readFileSync(new URL('../../docs/rules.md', import.meta.url), 'utf8')

test('docs/rules.md is current', () => {
  assert.is(page, rulePage(), 'run npm run generate')
})

test('every semantic rule is documented', () => {
  assert.equal(
    rules.map(({ id }) => id).filter((id) => !ruleDoc(id)),
    [],
  )
})

test('every id that the source gives to a problem is documented', () => {
  const ids = idsInSource()
  assert.ok(ids.length > 60, `${ids.length}`)
  assert.equal(
    ids.filter((id) => !ruleDoc(id)),
    [],
  )
})

test('every id that a golden case shows is documented', () => {
  const folder = new URL('golden/', import.meta.url)
  const shown = readdirSync(folder).flatMap(
    (name) => /^rules: (.*)$/m.exec(readFileSync(new URL(name, folder), 'utf8'))?.[1]?.split(' ') ?? [],
  )
  assert.equal(
    [...new Set(shown)].filter((id) => !ruleDoc(id)),
    [],
  )
})

test('nothing is documented that does not exist', () => {
  const ids = new Set(idsInSource())
  assert.equal(
    documentedRules().filter((id) => !ids.has(id)),
    [],
  )
})

test('an anchor is the one that GitHub makes of the heading', () => {
  const headings = [...page.matchAll(/^### (.*)$/gm)].map(([, heading = '']) => heading)
  assert.equal(headings, documentedRules())
  const slugs = headings.map((heading) => heading.toLowerCase().replaceAll(/[^\w\- ]/g, ''))
  assert.is(new Set(slugs).size, slugs.length)
  assert.equal(
    documentedRules().map(ruleAnchor),
    slugs.map((slug) => `docs/rules.md#${slug}`),
  )
})

/** As the files of src/config write them: whole, by kind of YAML fault, by keyword of the schema, by type. */
function idsInSource(): string[] {
  const folder = new URL('../../src/config/', import.meta.url)
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !name.includes('rule-docs') && !name.includes('generated'),
  )
  const texts = files.map((name) => readFileSync(new URL(name, folder), 'utf8'))
  const all = (pattern: RegExp) =>
    texts.flatMap((text) => [...text.matchAll(pattern)].map(([, id = '']) => id))
  const messages = readFileSync(new URL('messages.ts', folder), 'utf8')
  const names = new Map(
    [...(/const RULE_NAMES[^{]*\{([^}]*)\}/.exec(messages)?.[1] ?? '').matchAll(/(\w+): '([\w-]+)'/g)].map(
      ([, keyword = '', name = '']) => [keyword, name],
    ),
  )
  const explained = [
    ...(/const explanations[^{]*\{(.*?)\n\}/s.exec(messages)?.[1] ?? '').matchAll(/^ {2}(\w+):/gm),
  ].map(([, keyword = '']) => `schema/${names.get(keyword) ?? keyword}`)
  return [
    ...new Set([
      ...all(/(?:rule|id)(?::| =) '([a-z-]+\/[a-z-]+)'/g),
      ...all(/\bfault\(\s*'([a-z-]+)'/g).map((name) => `yaml/${name}`),
      ...explained,
      ...Object.keys(conversions).map((type) => `value/${type}`),
    ]),
  ]
}

test.run()
