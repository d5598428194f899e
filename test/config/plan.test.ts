// Every file in plan/ is a test: a configuration, `---- becomes ----`, its edit, `---- expect ----`, and the plan as a
// person sees it. An empty first part: there was none. With UPDATE_GOLDEN=1 expectations are written; read the diff.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { analyse } from '../../src/config/analyse.ts'
import { formatPlanMarkdown } from '../../src/config/plan/markdown.ts'
import { planChanges, withNumbers } from '../../src/config/plan/plan.ts'
import { formatPlan } from '../../src/config/plan/pretty.ts'
import type { Plan, RouteNumbers } from '../../src/config/plan/types.ts'
import { bundleSchema } from '../../src/config/schema.ts'
import { walkSchema } from '../../src/config/schema-walk.ts'
import { suite } from '../support/suite.ts'

const CANARY = 'hunter2'
const folder = new URL('plan/', import.meta.url)
const cases = readdirSync(folder).filter((name) => name.endsWith('.golden'))
const schema = walkSchema(bundleSchema())
const test = suite('config/plan')

for (const name of cases) {
  test(name.replace(/\.golden$/, ''), () => {
    const url = new URL(name, folder)
    const text = readFileSync(url, 'utf8')
    const [before = '', rest = ''] = text.split('---- becomes ----\n')
    const [after = '', expected] = rest.split('---- expect ----\n')
    const output = formatPlan(numbered(planOf(before, after), before), 'HEAD', (_, shown) => shown)
    assert.not.match(output, CANARY)
    if (process.env.UPDATE_GOLDEN)
      writeFileSync(url, `${before}---- becomes ----\n${after}---- expect ----\n${output}`)
    else assert.fixture(output, expected ?? 'no expectation: run with UPDATE_GOLDEN=1')
    assert.not.match(JSON.stringify(planOf(before, after)), CANARY)
    assert.not.match(formatPlanMarkdown(planOf(before, after), 'a.yaml', 'HEAD'), CANARY)
  })
}

test('there are enough cases', () => {
  assert.ok(cases.length >= 25, `${cases.length} cases`)
})

function planOf(before: string, after: string): Plan {
  const read = (text: string) => analyse({ file: 'gateways.yaml', text, folder: '/' })
  const plan = planChanges(before === '' ? undefined : read(before), read(after), schema)
  assert.ok(plan)
  return plan
}

/** `# numbers: github grants=3 subjects=2 links=2 streams=1` */
function numbered(plan: Plan, text: string): Plan {
  const lines = [...text.matchAll(/^# numbers: (\S+) (.*)$/gm)].map(([, route = '', counts = '']) => {
    const numbers = Object.fromEntries(
      counts.split(' ').map((pair) => [pair.split('=')[0], Number(pair.split('=')[1])]),
    )
    const found: RouteNumbers = { grants: 0, subjects: 0, links: 0, streams: 0, partial: false, ...numbers }
    return [route, { ...found, partial: counts.includes('partial') }]
  })
  return withNumbers(plan, Object.fromEntries(lines))
}

test('what is compared keeps its pieces of markup to itself', () => {
  const route = (title: string) =>
    `version: 1\nroutes: { a: { upstream: https://a.example, auth: none, title: ${JSON.stringify(title)} } }\n`
  const page = formatPlanMarkdown(
    planOf(route('A'), route('x | y `z` <b> @all #1 https://e.vil')),
    'f',
    'HEAD',
  )
  const row = page.split('\n').find((line) => line.includes('title')) ?? ''
  assert.is(row.split('|').length, 7)
  assert.not.match(row, /`|<b>|@all|https:|[^&]#1/)
})

test('a text that is no configuration has no plan', () => {
  const read = (text: string) => analyse({ file: 'gateways.yaml', text, folder: '/' })
  const good = read('version: 1\nroutes: { a: { upstream: https://a.example, auth: none } }\n')
  assert.is(planChanges(good, read('a: ['), schema), undefined)
  assert.is(planChanges(read('a: ['), good, schema), undefined)
})

test.run()
