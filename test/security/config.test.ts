// The configuration as an attack surface: what a hostile or careless file can make `validate`, `serve` and a running
// gateway do. Nothing is looked at but exit codes, output and what the gateway answers.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { type Outcome, runCli } from '../cli/run-cli.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { suite } from '../support/suite.ts'

const test = suite('security/config')

const CANARY = 'hunter2'
const MEGABYTE = 1024 * 1024

/** Runs a command in a folder with these files. */
async function cli(
  args: readonly string[],
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'config-attack-'))
  try {
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)))
    return await runCli(args, { cwd: folder, env: { HOME: folder, ...env } })
  } finally {
    await rm(folder, { recursive: true })
  }
}

const GOOD = `version: 1
server: { port: 0 }
store: { type: memory }
routes:
  mcp: { upstream: "http://127.0.0.1:9", auth: none }
`

/** Saved under a running gateway and reloaded: it must be refused, and nothing may have changed. Resolves with the reason. */
async function offer(gateway: TestGateway, text: string): Promise<string> {
  const before = gateway.app.current()
  await gateway.write(text)
  const outcome = await gateway.follower.reload()
  assert.is(outcome.kind, 'refused')
  assert.is(gateway.app.current(), before)
  assert.is((await fetch(`${gateway.url}/mcp`, { method: 'POST' })).status, 401)
  const { fields } = gateway.log.filter(({ event }) => event.startsWith('reload refused')).at(-1) ?? {}
  return String(fields?.reason)
}

async function running(after: (cleanup: () => unknown) => void): Promise<TestGateway> {
  const gateway = await startGateway({ yaml: GOOD })
  after(gateway.close)
  return gateway
}

// --- G1: secrets

const LITERAL_SECRETS: Readonly<Record<string, string>> = {
  'client_secret.yaml': `version: 1
authorization_servers:
  a:
    authorization_endpoint: https://a.example.com/authorize
    token_endpoint: https://a.example.com/token
    client_id: a
    client_secret: ${CANARY}-client
routes: { mcp: { upstream: "https://m.example.com", auth: { type: authorization_code, authorization_server: a } } }
`,
  'password.yaml': `${GOOD}login: { users: { alice: { password_hash: ${CANARY}-password } } }\n`,
  'api-key.yaml': `${GOOD}  b: { upstream: "https://m.example.com", auth: { type: api_key, value: "Bearer ${CANARY}" } }\n`,
  'store-key.yaml': GOOD.replace(
    'type: memory',
    `type: embedded, keys: [${CANARY}0000000000000000000000000000000000]`,
  ),
  'default.yaml': `${GOOD}  b: { upstream: "https://m.example.com", auth: { type: api_key, value: "\${KEY:-${CANARY}}" } }\n`,
  'url.yaml': `${GOOD}  b: { upstream: "https://me:${CANARY}@m.example.com", auth: none }\n`,
  'misplaced.yaml': `${GOOD}  b: { upstream: "https://m.example.com", auth: none, client_secret: ${CANARY} }\n`,
  'neighbour.yaml': `${GOOD}  b: { upstream: "https://m.example.com", auth: { type: api_key, value: ${CANARY} }, pth: /x }\n`,
  'syntax.yaml': `${GOOD}  b: { upstream: "https://m.example.com", auth: { type: api_key, value: ${CANARY} }\n`,
  'anchor.yaml': `x-secret: &s ${CANARY}\n${GOOD}  b: { upstream: "https://m.example.com", auth: { type: api_key, value: *s } }\n`,
}

for (const format of ['pretty', 'line', 'json', 'sarif', 'github', 'junit']) {
  test(`sec-G1: a secret in the file is an error with its place, and never shown, as ${format}`, async () => {
    const names = Object.keys(LITERAL_SECRETS)
    const { code, stdout, stderr } = await cli(['validate', '--format', format, ...names], LITERAL_SECRETS)
    assert.is(code, 1)
    for (const name of names) assert.match(stdout, name)
    assert.not.match(stdout + stderr, CANARY)
  })
}

test('sec-G1: serve does not start on a secret in the file, nor show it', async () => {
  const { code, stdout, stderr } = await cli(['serve', '-c', 'password.yaml'], LITERAL_SECRETS)
  assert.equal([code, stdout], [78, ''])
  assert.match(stderr, /password\.yaml:6:\d+ {2}login\.users\.alice\.password_hash: is a literal secret/)
  assert.not.match(stderr, CANARY)
})

test('sec-G1: a variable that does not fit is not shown either', async () => {
  const text = `${GOOD}login: { users: { alice: { password_hash: "\${HASH}" } } }\ntokens: { access_ttl: "\${TTL}" }\n`
  const secrets = { HASH: `${CANARY}-hash`, TTL: `${CANARY}-ttl` }
  const { code, stdout, stderr } = await cli(
    ['validate', '--require-env', 'a.yaml'],
    { 'a.yaml': text },
    secrets,
  )
  assert.is(code, 1)
  assert.match(stdout, 'password_hash')
  assert.match(stdout, 'access_ttl')
  assert.not.match(stdout + stderr, CANARY)
})

test('sec-G1: a running gateway refuses them all, keeps what it has, and logs none', async ({ after }) => {
  const gateway = await running(after)
  for (const [name, text] of Object.entries(LITERAL_SECRETS)) {
    assert.match(await offer(gateway, text), /^gateways\.yaml:\d+:\d+ {2}/, name)
  }
  assert.not.match(JSON.stringify(gateway.log), CANARY)
  assert.is((await gateway.app.reload(GOOD.replace('mcp:', 'other:'))).generation, 2)
})

// --- G2: size and depth

const laughs = (levels: number) =>
  Array.from(
    { length: levels },
    (_, i) =>
      `x-${i}: &a${i} [${
        i === 0
          ? 'ha'
          : Array(9)
              .fill(`*a${i - 1}`)
              .join()
      }]`,
  ).join('\n')

const BOMBS: Readonly<Record<string, string>> = {
  'billion laughs': `${laughs(12)}\n${GOOD}`,
  'laughs in a route': `${laughs(9)}\n${GOOD}    title: *a8\n`,
  'merges of merges': `x-0: &m0 { a: 1 }\n${Array.from({ length: 30 }, (_, i) => `x-${i + 1}: &m${i + 1} { <<: [*m${i}, *m${i}] }`).join('\n')}\n${GOOD}x-l: { <<: *m30, b: [${'*m30,'.repeat(900)}] }\nbad: 1\n`,
  'ten thousand brackets': `${GOOD}x-deep: ${'['.repeat(10_000)}${']'.repeat(10_000)}\n`,
  'ten thousand braces': `${GOOD}x-deep: ${'{a: '.repeat(10_000)}${'}'.repeat(10_000)}\n`,
  'ten thousand dashes': `${GOOD}x-deep:\n  ${'- '.repeat(10_000)}a\n`,
  'ten thousand indentations': `x-deep:\n${Array.from({ length: 1_000 }, (_, i) => `${' '.repeat(i + 1)}a:`).join('\n')}\n${GOOD}`,
  'a whole megabyte': `${GOOD}# ${'x'.repeat(MEGABYTE)}`,
  'a long line of question marks': `${GOOD}x: ${'? '.repeat(100_000)}`,
  'an alias to itself': `${GOOD}x-a: &a [*a]\n`,
}

test('sec-G2: bombs are refused with less than a second of work each, and memory stays flat', async ({
  after,
}) => {
  const gateway = await running(after)
  // Once before it is measured: code is compiled and heaps grow at the first of each.
  for (const text of Object.values(BOMBS)) await offer(gateway, text)
  const before = process.memoryUsage.rss()
  for (const [name, text] of Object.entries(BOMBS)) {
    const started = process.cpuUsage()
    await offer(gateway, text)
    const { user, system } = process.cpuUsage(started)
    assert.ok(user + system < 1_000_000, `${name} took ${user + system} µs`)
  }
  const grown = (process.memoryUsage.rss() - before) / MEGABYTE
  assert.ok(grown < 64, `grew by ${Math.round(grown)} MiB`)
  assert.is((await gateway.app.reload(`${GOOD}# still edited\n`)).generation, 2)
})

test('sec-G2: validate says what is wrong with each', async () => {
  const files = Object.fromEntries(Object.values(BOMBS).map((text, index) => [`bomb-${index}.yaml`, text]))
  const names = Object.keys(files)
  const { code, stdout, stderr } = await cli(['validate', ...names], files)
  assert.is(code, 1, stderr)
  for (const name of names) assert.match(stdout, new RegExp(`^${name}:\\d+:\\d+ {2}`, 'm'))
  assert.is(stderr, '')
})

// --- G3: names

const NAMES: readonly (readonly [text: string, says: RegExp])[] = [
  [`${GOOD}__proto__: { server: { port: 1 } }\n`, /name|known/],
  [`${GOOD}  __proto__: { upstream: "https://m.example.com", auth: none }\n`, /name cannot be used/],
  [`${GOOD}  constructor.prototype: { upstream: "https://m.example.com" }\n`, /name cannot be used/],
  [`${GOOD}login: { users: { __proto__: { password_hash: "\${H}" } } }\n`, /name/],
  [`${GOOD}x-a: &a { __proto__: { polluted: yes } }\nserver2: { <<: *a }\n`, /this name cannot be used/],
  [GOOD.replace('auth: none', 'auth: { __proto__: { type: none } }'), /name cannot be used/],
  [GOOD.replace('auth: none', 'auth: { type: __proto__ }'), /"__proto__" is no type/],
  [GOOD.replace('auth: none', 'auth: constructor'), /"constructor" is not possible here/],
  [GOOD.replace('upstream:', 'upstraem:'), /Did you mean "upstream"/],
  [GOOD.replace('auth: none', 'auth: nne'), /Did you mean "none"/],
  [`${GOOD}rotues: {}\n`, /Did you mean "routes"/],
  [
    `${GOOD}routes: { b: { upstream: "https://m.example.com", auth: none } }\n`,
    /already used in the same map/,
  ],
  [`${GOOD}  "mcp": { upstream: "https://m.example.com", auth: none }\n`, /already used in the same map/],
]

test('sec-G3: names of prototypes, unknown and doubled names are errors that say what was meant', async ({
  after,
}) => {
  const files = Object.fromEntries(NAMES.map(([text], index) => [`name-${index}.yaml`, text]))
  const { code, stdout } = await cli(['validate', ...Object.keys(files)], files)
  assert.is(code, 1)
  for (const [index, [, says]] of NAMES.entries()) {
    const first = stdout.split('\n').find((line) => line.startsWith(`name-${index}.yaml:`)) ?? ''
    assert.match(first, says, `case ${index}: ${first}`)
  }
  const gateway = await running(after)
  for (const [text] of NAMES) await offer(gateway, text)
  assert.is(({} as Record<string, unknown>).polluted, undefined)
})

test('sec-G3: what objects inherit is no route', async ({ after }) => {
  const gateway = await running(after)
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    assert.is((await fetch(`${gateway.url}/${name}`, { method: 'POST' })).status, 404)
  }
})

// --- G4: variables

/** The title as clients see it. */
async function titleOf(gateway: TestGateway): Promise<unknown> {
  const answer = await fetch(`${gateway.url}/.well-known/oauth-protected-resource/mcp`)
  return ((await answer.json()) as { resource_name?: unknown }).resource_name
}

const withTitle = (title: string) => GOOD.replace('mcp: {', `mcp: { title: ${title},`)

const VALUES: readonly string[] = [
  'a\nadmin: true',
  'a, auth: { type: api_key, value: b }, x: "',
  '"quoted" \'too\' # and more',
  '${HOME}',
  '$${HOME} ${file:/etc/passwd}',
  '0123',
  'null',
  '*alias &anchor !!tag',
  '{ a: b }',
  '\u2028---\n...',
]

for (const value of VALUES) {
  test(`sec-G4: ${JSON.stringify(value)} from a variable stays that text`, async ({ after }) => {
    const gateway = await startGateway({ yaml: withTitle('"${X}"'), env: { X: value } })
    after(gateway.close)
    assert.is(await titleOf(gateway), value)
    assert.equal([...gateway.app.current().routes.keys()], ['mcp'])
  })
}

test('sec-G4: an unset variable is an error, also where only a key would be missing', async () => {
  const files = { 'a.yaml': withTitle('"${NOT_SET}"') }
  const { code, stdout } = await cli(['validate', '--require-env', 'a.yaml'], files)
  assert.is(code, 1)
  assert.match(stdout, 'the environment variable NOT_SET is not set')
})

test('sec-G4: names are never expanded', async () => {
  const files = { 'a.yaml': GOOD.replace('mcp:', '"${X}":') }
  const { code, stdout } = await cli(['validate', '--require-env', 'a.yaml'], files, { X: 'mcp' })
  assert.is(code, 1)
  assert.match(stdout, 'this name cannot be used')
})

// --- G5: types

/** As written in place of a text, and what it has to become; undefined: refused. */
const TRAPS: readonly (readonly [written: string, becomes: string | undefined])[] = [
  ['no', 'no'],
  ['on', 'on'],
  ['Yes', 'Yes'],
  ['12:30', '12:30'],
  ['2026-01-01', '2026-01-01'],
  ['1_000', '1_000'],
  ['0b11', '0b11'],
  ['1.2.3', '1.2.3'],
  ['"0777"', '0777'],
  ['~user', '~user'],
  ['|-\n      two\n      lines\n   ', undefined],
  ['0777', undefined],
  ['0x1F', undefined],
  ['0o17', undefined],
  ['1.10', undefined],
  ['1e3', undefined],
  ['.inf', undefined],
  ['123456789012345678901', undefined],
  ['true', undefined],
  ['null', undefined],
  ['~', undefined],
  ['[a]', undefined],
  ['!!str no', undefined],
  ['!env HOME', undefined],
  ['!!binary aGk=', undefined],
]

test('sec-G5: typed traps are the exact text, or refused; nothing in between', async ({ after }) => {
  const gateway = await running(after)
  for (const [written, becomes] of TRAPS) {
    if (becomes === undefined) {
      await offer(gateway, withTitle(written))
      continue
    }
    await gateway.app.reload(withTitle(written))
    assert.is(await titleOf(gateway), becomes, written)
  }
})

const NOT_PORTS = ['"8002"', '08002', '8002.5', '-1', '65536', 'true', '[8002]', '0o17502_', '8_002', '""']

test('sec-G5: a port is a whole number from 0 to 65535', async () => {
  const files = Object.fromEntries(
    NOT_PORTS.map((port, index) => [`port-${index}.yaml`, GOOD.replace('port: 0', `port: ${port}`)]),
  )
  const { stdout } = await cli(['validate', ...Object.keys(files)], files)
  const accepted = NOT_PORTS.filter((_, index) => new RegExp(`^port-${index}\\.yaml: ok`, 'm').test(stdout))
  // YAML reads 08002 as the number it looks like.
  assert.equal(accepted, ['08002'])
})

// --- G6: settings that undo the protection

const INSECURE: readonly (readonly [text: string, says: string])[] = [
  [GOOD.replace('port: 0', 'port: 0, public_url: "http://mcp.example.com"'), 'must be https off loopback'],
  [GOOD.replace('port: 0', 'port: 0, host: 0.0.0.0'), 'server.public_url is missing'],
  [
    GOOD.replace('port: 0', 'port: 0, host: 0.0.0.0, public_url: "https://mcp.example.com"'),
    'nobody is named under login',
  ],
  [GOOD.replace('port: 0', 'port: 0, allowed_origins: ["*"]'), '"*" does not fit here'],
  [GOOD.replace('port: 0', 'port: 0, allowed_origins: ["null"]'), 'does not fit here'],
  [GOOD.replace('port: 0', 'port: 0, allowed_origins: ["https://*.example.com"]'), 'is no single origin'],
  [GOOD.replace('port: 0', 'port: 0, allowed_hosts: ["*"]'), '"*" does not fit here'],
  [GOOD.replace('auth: none', 'auth: none, access: {}'), 'has no entries'],
  [
    GOOD.replace(
      'auth: none',
      'auth: { type: authorization_code, authorization_server: { issuer: "http://as.example.com" } }',
    ),
    'an issuer off loopback is https',
  ],
  [`${GOOD}clients: { registration: { redirect_schemes: [javascript] } }\n`, 'is no private-use scheme'],
  [
    `${GOOD}clients: { static: { app: { redirect_uris: ["http://evil.example.com/cb"] } } }\n`,
    'redirect_uris[0]',
  ],
]

test('sec-G6: what would undo the protection is refused', async ({ after }) => {
  const files = Object.fromEntries(INSECURE.map(([text], index) => [`insecure-${index}.yaml`, text]))
  const { code, stdout } = await cli(['validate', ...Object.keys(files)], files)
  assert.is(code, 1)
  for (const [index, [, says]] of INSECURE.entries()) {
    const lines = stdout.split('\n').filter((line) => line.startsWith(`insecure-${index}.yaml:`))
    assert.ok(
      lines.some((line) => line.includes(says) && !line.includes('warning  ')),
      `case ${index}: ${lines.join()}`,
    )
  }
  const gateway = await running(after)
  for (const [text] of INSECURE) await offer(gateway, text)
})

test('sec-G6: an empty list of users admits nobody', async ({ after }) => {
  const gateway = await startGateway({
    yaml: GOOD.replace('auth: none', 'auth: none, access: { users: [] }'),
  })
  after(gateway.close)
  const withTest = `${GOOD.replace('auth: none', 'auth: none, access: { users: [] }')}tests: ["user gateway_user on mcp → 403"]\n`
  assert.is((await gateway.app.reload(withTest)).generation, 2)
})

test('sec-G6: plain http to an upstream off loopback is told, and strict makes it an error', async () => {
  const files = {
    'a.yaml': GOOD.replace(
      'http://127.0.0.1:9", auth: none',
      'http://m.example.com", auth: { type: api_key, value: "${K}" }',
    ),
  }
  const [lenient, strict] = await Promise.all([
    cli(['validate', 'a.yaml'], files),
    cli(['validate', '--strict', 'a.yaml'], files),
  ])
  assert.match(lenient.stdout, 'credentials cross the network unencrypted')
  assert.equal([lenient.code, strict.code], [0, 1])
})

test.run()
