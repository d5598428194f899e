// Every configuration that `init` can write from presets is valid, alone and all together.
import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { checkConfig, loadConfig } from '../../src/config/load.ts'
import { loadPreset, type Preset, presetNames } from '../../src/config/presets/preset.ts'
import { presetSection } from '../../src/init/from-preset.ts'
import { comment, document, literal } from '../../src/init/section.ts'
import { starter } from '../../src/init/starter.ts'
import { suite } from '../support/suite.ts'

const test = suite('init/presets')
const presets = presetNames().map((name) => loadPreset(name) as Preset)

function check(text: string): readonly string[] {
  const file = 'gateways.yaml'
  const { problems, variables } = checkConfig({ file, text, folder: '/' })
  assert.equal(problems, [])
  const env = Object.fromEntries(variables.map(({ name }) => [name, valueFor(name)]))
  assert.equal(loadConfig({ file, text, folder: '/', env }).warnings, [])
  return variables.map(({ name }) => name)
}

const valueFor = (name: string) => (/URL|AUDIENCE/.test(name) ? 'https://a.example.com/mcp' : 'a.example.com')

for (const preset of presets) {
  test(`${preset.name} becomes a valid file, with and without its environment`, () => {
    const text = document([presetSection(preset)])
    const variables = check(text)
    const prefix = preset.name.toUpperCase()
    assert.ok(variables.every((name) => name.startsWith(`${prefix}_`)))
    assert.is(variables.includes(`${prefix}_CLIENT_ID`), preset.quirks.registration !== 'dynamic')
    assert.ok(text.split('\n').every(({ length }) => length <= 120))
  })
}

test('all of them fit into one file', () => {
  check(document(presets.map(presetSection)))
})

test('optional parameters are valid once uncommented', () => {
  const text = document([presetSection(loadPreset('gitlab') as Preset)])
  check(
    text.replace('# preset_parameters:', 'preset_parameters:').replace('#   host: gitlab', '  host: gitlab'),
  )
})

test('the redirect URI to register stands in the file', () => {
  assert.match(
    document([presetSection(loadPreset('github') as Preset)]),
    'http://localhost:8002/upstream/callback/github',
  )
})

test('the starter is valid as it stands, and so is each part once uncommented', () => {
  assert.equal(check(starter()), [])
  const parts = starter().replace(/^ {2}# (\w+:| {2}.*)$/gm, '  $1')
  assert.equal(check(parts), ['GITHUB_CLIENT_ID', 'GITHUB_CLIENT_SECRET', 'TAVILY_API_KEY'])
  const people = starter()
    .replace(/^# (login:| +users:| +alice:.*)$/gm, '$1')
    .replace('${ALICE_PASSWORD_HASH}', '${file:/hash}')
  assert.equal(checkConfig({ file: 'gateways.yaml', text: people, folder: '/' }).problems, [])
  assert.equal(checkConfig({ file: 'gateways.yaml', text: people, folder: '/' }).variables, [
    { name: '/hash', kind: 'file', required: true },
  ])
})

test('the starter names the same preset and scope as the README', () => {
  assert.match(readFileSync(new URL('../../README.md', import.meta.url), 'utf8'), 'scope: repo read:user')
})

test('a comment is one whatever is in it', () => {
  assert.equal(comment('a\nroutes:\u2028b\u0085c'), ['# a routes: b c'])
  const long = comment(`- ${'word '.repeat(60)}`.trim(), '  ')
  assert.ok(long.length > 1)
  assert.ok(long.every((line) => line.startsWith('# ') && line.length <= 110))
  assert.ok(long.slice(1).every((line) => line.startsWith('#   word')))
})

test("a server's text never becomes a reference to a variable", () => {
  assert.is(literal('https://a.example.com/?x=${SECRET}'), '"https://a.example.com/?x=$${SECRET}"')
})

test.run()
