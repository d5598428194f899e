// Every file in golden/ is a test: a configuration, `---- expect ----`, and what loading it says. Comments at the top
// of a configuration set the scene: `# env: NAME=value`, `# file: path=content`, `# offline`, `# show: a.b, c.d`.
// With UPDATE_GOLDEN=1 expectations are written instead of checked; read the diff.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { analyse } from '../../src/config/analyse.ts'
import { ConfigError, formatProblems, loadConfig } from '../../src/config/load.ts'
import type { Problem } from '../../src/config/problem.ts'
import { rules } from '../../src/config/rules/index.ts'
import { suite } from '../support/suite.ts'

const SEPARATOR = '---- expect ----\n'
const CANARY = 'hunter2'
const FILE = 'gateways.yaml'

const folder = new URL('golden/', import.meta.url)
const cases = readdirSync(folder).filter((name) => name.endsWith('.golden'))
const test = suite('config/golden')

for (const name of cases) {
  test(name.replace(/\.golden$/, ''), () => {
    const url = new URL(name, folder)
    const [text = '', expected] = readFileSync(url, 'utf8').split(SEPARATOR)
    const output = outcome(text)
    assert.not.match(output, CANARY)
    if (process.env.UPDATE_GOLDEN) writeFileSync(url, text + SEPARATOR + output)
    else assert.fixture(output, expected ?? 'no expectation: run with UPDATE_GOLDEN=1')
  })
}

test('there are enough of them, and the canary is in many', () => {
  const canaries = cases.filter((name) => readFileSync(new URL(name, folder), 'utf8').includes(CANARY))
  assert.ok(cases.length >= 120, `${cases.length} cases`)
  assert.ok(canaries.length >= 15, `${canaries.length} canaries`)
})

test('every rule has a case', () => {
  const seen = cases.flatMap(
    (name) => /^rules: (.*)$/m.exec(readFileSync(new URL(name, folder), 'utf8'))?.[1]?.split(' ') ?? [],
  )
  assert.equal(
    rules.map(({ id }) => id).filter((id) => !seen.includes(id)),
    [],
  )
})

function outcome(text: string): string {
  const scene = directives(text)
  const files = new Map(pairs(scene, 'file'))
  const input = {
    file: FILE,
    text,
    folder: '/etc/gateway',
    env: Object.fromEntries(pairs(scene, 'env')),
    readFile: (path: string) => files.get(path) ?? missingFile(),
  }
  if (scene.some(([key]) => key === 'offline')) {
    const { problems } = analyse({ ...input, env: undefined })
    return report(problems, text)
  }
  try {
    const { config, warnings } = loadConfig(input)
    const paths = scene.flatMap(([key, value]) => (key === 'show' ? value.split(', ') : []))
    return (
      report(warnings, text) + paths.map((path) => `${path} = ${JSON.stringify(at(config, path))}\n`).join('')
    )
  } catch (error) {
    if (error instanceof ConfigError) return report(error.problems, text)
    throw error
  }
}

function report(problems: readonly Problem[], text: string): string {
  const rules = problems.map(({ rule }) => rule).join(' ')
  const shown = formatProblems(problems, new Map([[FILE, text]]), { color: false })
  return problems.length === 0 ? 'ok\n' : `${shown}\n\nrules: ${rules}\n`
}

function directives(text: string): [key: string, value: string][] {
  return [...text.matchAll(/^# (env|file|show|offline)(?:: (.*))?$/gm)].map(([, key = '', value = '']) => [
    key,
    value,
  ])
}

function pairs(scene: readonly [key: string, value: string][], wanted: string): [string, string][] {
  return scene
    .filter(([key]) => key === wanted)
    .map(([, pair]) => [
      pair.slice(0, pair.indexOf('=')),
      pair.slice(pair.indexOf('=') + 1).replaceAll('\\n', '\n'),
    ])
}

function at(value: unknown, path: string): unknown {
  return path.split('.').reduce((inner, key) => (inner as Record<string, unknown>)[key], value)
}

function missingFile(): never {
  throw Object.assign(new Error('missing'), { code: 'ENOENT' })
}

test.run()
