// What a loaded configuration is, beyond its values: frozen, safe to look names up in, and with a memory of its file.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { ConfigError, checkConfig, loadConfig } from '../../src/config/load.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/load')

const TEXT = `version: 1
x-url: &url https://anchored.example.com
defaults:
  limits: { max_body: 1MiB }
routes:
  a:
    upstream: https://a.example.com
    auth: none
  b:
    upstream: { url: *url }
    auth: { type: api_key, value: "\${KEY}" }
    limits: { max_body: 2MiB }
`
const load = (text = TEXT) => loadConfig({ file: 'gateways.yaml', text, env: { KEY: 'k' }, folder: '/' })

test('it is frozen to the last leaf', () => {
  const { config } = load()
  const unfrozen = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    (!Object.isFrozen(value) || Object.values(value).some(unfrozen))
  assert.not.ok(unfrozen(config))
})

test('a name from outside finds no method of objects', () => {
  const { config } = load()
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    assert.is(config.routes[name], undefined)
    assert.is(config.authorization_servers[name], undefined)
  }
})

test('loading twice gives equal and separate configurations', () => {
  const [first, second] = [load().config, load().config]
  assert.is(JSON.stringify(first), JSON.stringify(second))
  assert.is.not(first.routes.a, second.routes.a)
})

const places: [pointer: string, place: string | undefined, origin: string][] = [
  ['/routes/a', '6:3', 'file'],
  ['/routes/a/upstream', '7:5', 'file'],
  ['/routes/a/upstream/url', '7:5', 'file'],
  ['/routes/a/upstream/headers', undefined, 'default'],
  ['/routes/a/auth/type', '8:5', 'file'],
  ['/routes/a/limits/max_body', '4:13', 'file'],
  ['/routes/b/limits/max_body', '12:15', 'file'],
  ['/routes/b/upstream/url', '10:17', 'file'],
  ['/routes/b/path', undefined, 'default'],
  ['/routes/b/timeouts/connect', undefined, 'default'],
  ['/server/port', undefined, 'default'],
  ['/version', '1:1', 'file'],
]

for (const [pointer, place, origin] of places) {
  test(`${pointer} comes from ${place ?? 'a default'}`, () => {
    const { source } = load()
    const found = source.locate(pointer)
    assert.is(found && `${found.line}:${found.column}`, place)
    assert.is(source.origin(pointer), origin)
  })
}

test('secret files are read from the folder of the file, and listed', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-config-'))
  context.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'key'), 's3cret\n')
  const text = TEXT.replace('${KEY}', '${file:key}')
  const { config, secretFiles } = loadConfig({ file: 'gateways.yaml', text, env: {}, folder })
  assert.equal(secretFiles, [join(folder, 'key')])
  const { auth } = config.routes.b ?? {}
  assert.is(auth?.type === 'api_key' && auth.value, 's3cret')
})

test('checking reads no environment and no file', () => {
  const text = TEXT.replace('${KEY}', '${file:/nowhere/key}').replace('1MiB', '"${SIZE:-1MiB}"')
  const readFile = () => {
    throw new Error('a file was read')
  }
  const { problems, variables, routes } = checkConfig({ file: 'f', text, folder: '/', readFile })
  assert.equal(problems, [])
  assert.equal(routes, ['a', 'b'])
  assert.equal(variables, [
    { name: 'SIZE', kind: 'env', required: false },
    { name: '/nowhere/key', kind: 'file', required: true },
  ])
})

test('warnings do not keep it from loading', () => {
  const { warnings } = load(TEXT.replace('auth: none', 'auth: none\n    access: { users: [nobody] }'))
  assert.equal(
    warnings.map(({ rule, severity }) => [rule, severity]),
    [['access/unknown-user', 'warning']],
  )
})

test('the error carries every problem with offsets into the text', () => {
  const text = TEXT.replace('auth: none', 'auth: nne').replace('version: 1', 'version: 3')
  const error = thrownBy(() => load(text))
  assert.ok(error instanceof ConfigError)
  const spans = error.problems.map(({ start, end }) => text.slice(start.offset, end.offset))
  assert.equal(spans, ['3', 'nne'])
  assert.match(
    error.message,
    /gateways\.yaml:8:11 {2}routes\.a\.auth: "nne" is not possible here\. Did you mean "none"\?/,
  )
})

test('a file of more than 1 MiB is refused', () => {
  const error = thrownBy(() => load(`${TEXT}# ${'x'.repeat(1024 * 1024)}`))
  assert.ok(error instanceof ConfigError)
  assert.is(error.problems[0]?.rule, 'yaml/size')
})

for (const [kind, text] of [
  ['brackets', `x-a: ${'['.repeat(400_000)}`],
  ['dashes', '- '.repeat(400_000)],
  [
    'aliases',
    Array.from({ length: 80 }, (_, i) => `x-${i}: &a${i} [${i > 0 ? `*a${i - 1}` : ''}]`).join('\n'),
  ],
] as const) {
  test(`depth by ${kind} is refused before it costs a stack`, () => {
    const error = thrownBy(() => load(text))
    assert.ok(error instanceof ConfigError)
    assert.is(error.problems[0]?.rule, 'yaml/depth')
  })
}

test('thousands of aliases are refused', () => {
  const error = thrownBy(() => load(`x-a: &a b\nx-b: [${'*a,'.repeat(1001)}]\n`))
  assert.ok(error instanceof ConfigError)
  assert.is(error.problems[0]?.rule, 'yaml/alias')
})

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

test('tens of thousands of names in one map, or of mistakes in one file, take seconds at most', () => {
  const lines = (count: number, line: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => line(index)).join('')
  const route = 'upstream: "https://a.example.com"'
  const texts = [
    `version: 1\nx-a:\n${lines(40_000, (index) => ` k${index}:\n`)}routes: { a: { ${route} } }\n`,
    `version: 1\nx-a:\n${lines(40_000, () => ' k:\n')}routes: { a: { ${route} } }\n`,
    `version: 1\n${lines(20_000, (index) => `k${index}:\n`)}routes: { a: { ${route} } }\n`,
    `version: 1\nroutes:\n${lines(8_000, (index) => ` r${index}: { ${route}, auth: nne }\n`)}`,
  ]
  const started = process.cpuUsage() // the clock would count what the machine does beside it
  const counts = texts.map((text) => checkConfig({ file: 'a', text, folder: '/' }).problems.length)
  assert.equal(counts, [0, 1000, 1000, 1000])
  const { user, system } = process.cpuUsage(started)
  assert.ok(user + system < 30_000_000, `${user + system} µs`)
})

test.run()
