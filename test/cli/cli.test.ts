// Commands, help and mistakes on the command line.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as assert from 'uvu/assert'
import { UsageError } from '../../src/cli/args.ts'
import { commands } from '../../src/cli/commands.ts'
import { serveOptions } from '../../src/cli/serve-options.ts'
import { ANNOTATIONS } from '../../src/config/schema.ts'
import { verifyPassword } from '../../src/login/password.ts'
import { listen } from '../support/http.ts'
import { suite } from '../support/suite.ts'
import { runCli } from './run-cli.ts'

const test = suite('cli')

test('--version prints the version alone', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  assert.equal(await runCli(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

test('--help lists every command', async () => {
  const { code, stdout, stderr } = await runCli(['--help'])
  assert.is(code, 0)
  assert.is(stderr, '')
  for (const [name, { summary }] of Object.entries(commands)) {
    assert.match(stdout, name)
    assert.match(stdout, summary)
  }
})

test('help of a command comes by flag and by name', async () => {
  const [flag, named] = await Promise.all([runCli(['validate', '--help']), runCli(['help', 'validate'])])
  assert.is(flag?.stdout, named?.stdout)
  assert.match(flag?.stdout ?? '', /^Usage: mcp-oauth-gateway validate/)
})

test('every usage fits a terminal and shows an example and the exit codes', () => {
  for (const [name, { usage }] of Object.entries(commands)) {
    const longest = Math.max(...usage.split('\n').map(({ length }) => length))
    assert.ok(longest <= 80, `${name}: ${longest} columns`)
    if (name === 'help') continue
    assert.match(usage, 'Examples:\n  ')
    assert.match(usage, 'Exit codes: 0')
  }
})

const mistakes: [command: string, args: string[], message: string, hint?: string][] = [
  ['validate', ['--requrie-env'], 'unknown flag --requrie-env', 'Did you mean "--require-env"?'],
  ['serve', ['--prot=9000'], 'unknown flag --prot', 'Did you mean "--port"?'],
  ['serve', ['-x'], 'unknown flag -x'],
  ['validate', ['--json'], 'unknown flag --json', 'Write --format json.'],
  ['status', ['--format', 'json'], 'unknown flag --format', 'Write --json.'],
  ['schema', ['--out'], '--out needs a value'],
  ['validate', ['--require-env=yes'], '--require-env takes no value'],
  ['hash-password', ['hunter2'], 'this command takes nothing but flags'],
  ['help', ['shcema'], 'unknown command shcema', 'Did you mean "schema"?'],
  [
    'serve',
    ['--config', 'x', '--port', '1'],
    '--port and --config exclude each other',
    'Write the setting into the file.',
  ],
]

for (const [command, args, message, hint] of mistakes) {
  test(`${command} ${args.join(' ')} is refused`, async () => {
    const module = await commands[command]?.load()
    const error = await module?.run(args).catch((reason: unknown) => reason)
    assert.ok(error instanceof UsageError)
    assert.equal({ message: error.message, hint: error.hint }, { message, hint })
  })
}

test('a mistake in usage is told on stderr with exit code 2', async () => {
  assert.equal(await runCli(['vaildate']), {
    code: 2,
    stdout: '',
    stderr: 'unknown command vaildate. Did you mean "validate"?\nSee mcp-oauth-gateway --help\n',
  })
  const ofCommand = 'unknown flag --json. Write --format json.\nSee mcp-oauth-gateway plan --help\n'
  assert.is((await runCli(['plan', '--json'])).stderr, ofCommand)
  assert.match((await runCli(['-x'])).stderr, /\nSee mcp-oauth-gateway serve --help\n$/)
})

test('flags without an upstream name the flag to add', async () => {
  const { code, stdout, stderr } = await runCli(['--port', '9000'])
  assert.is(code, 78)
  assert.is(stdout, '')
  assert.match(stderr, /^\(flags\) {2}--upstream-rs: is missing\. Add --upstream-rs/)
})

for (const port of ['99999', 'abc', '0x50', '8002.5']) {
  test(`--port ${port} is a mistake of the configuration, told by the name of the flag`, async () => {
    const { code, stderr } = await runCli(['--upstream-rs', 'https://a.example.com/mcp', '--port', port])
    assert.is(code, 78)
    assert.match(stderr, /^\(flags\):3:9 {2}--port: \S+ (is too large|does not fit here)\. /)
  })
}

test('what no flag can say is told with how to come to a file', async () => {
  const flags = ['--upstream-rs', 'https://a.example.com/mcp', '--host', '0.0.0.0']
  const { code, stderr } = await runCli(flags)
  assert.is(code, 78)
  const advice =
    /Add (server\.public_url|login\.users)\b.* No flag sets that: .*mcp-oauth-gateway init --from-flags -- …/g
  assert.equal(
    [...stderr.matchAll(advice)].map(([, setting]) => setting),
    ['server.public_url', 'login.users'],
  )
})

test('without a file it is said how to get one, by every command that reads it', async (context) => {
  const cwd = mkdtempSync(join(tmpdir(), 'gateway-empty-'))
  context.after(() => rmSync(cwd, { recursive: true }))
  const missing =
    'cannot read gateways.yaml: no such file. Write one with `mcp-oauth-gateway init`, or name another with --config.\n'
  const commands = [[], ['validate'], ['plan'], ['explain'], ['doctor']]
  const told = await Promise.all(commands.map((args) => runCli(args, { cwd, env: { HOME: cwd } })))
  assert.equal(
    told.map(({ code, stderr }) => [code, stderr]),
    commands.map(() => [3, missing]),
  )
  const status = await runCli(['status'], { cwd, env: { HOME: cwd } })
  assert.match(status.stderr, /^no gateway runs on gateways\.yaml: there is no such file\./)
})

test('a store that cannot be made is told by its setting, in words', async (context) => {
  const cwd = mkdtempSync(join(tmpdir(), 'gateway-store-'))
  context.after(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, 'key.txt'), '')
  const text = `version: 1
server: { port: 0 }
store: { path: ./key.txt/store }
routes: { a: { upstream: "https://a.example.com", auth: none } }
`
  writeFileSync(join(cwd, 'gateways.yaml'), text)
  const { code, stderr } = await runCli([], { cwd, env: { HOME: cwd } })
  assert.is(code, 1)
  const { reason } = JSON.parse(stderr)
  assert.match(
    reason,
    /^store\.path: cannot make or open \/\S+\/key\.txt\/store: a part of the path is a file$/,
  )
})

test('a port that is taken is told with both ways to set another', async (context) => {
  const cwd = mkdtempSync(join(tmpdir(), 'gateway-port-'))
  context.after(() => rmSync(cwd, { recursive: true }))
  const other = await listen((_, response) => response.end())
  context.after(other.close)
  const { port } = new URL(other.origin)
  const flags = ['--upstream-rs', 'https://a.example.com/mcp', '--host', '127.0.0.1', '--port', port]
  const { code, stderr } = await runCli(flags, { env: { HOME: cwd } })
  assert.is(code, 1)
  assert.match(JSON.parse(stderr).reason, `port ${port} on 127.0.0.1 is taken`)
  assert.match(JSON.parse(stderr).reason, 'server.port, or --port')
})

test('serve takes a file or flags', () => {
  assert.equal(serveOptions([], {}), { kind: 'file', file: 'gateways.yaml', watch: true })
  assert.equal(serveOptions([], { MCP_GATEWAY_CONFIG: 'a.yaml' }), {
    kind: 'file',
    file: 'a.yaml',
    watch: true,
  })
  assert.equal(serveOptions(['-c', 'b.yaml', '--no-watch'], { MCP_GATEWAY_CONFIG: 'a.yaml' }), {
    kind: 'file',
    file: 'b.yaml',
    watch: false,
  })
  assert.equal(serveOptions(['--port=1', '--upstream-rs', 'https://a'], {}), {
    kind: 'flags',
    flags: { port: '1', 'upstream-rs': 'https://a' },
  })
})

test('hash-password prints the hash of what it reads and nothing else', async () => {
  const { code, stdout, stderr } = await runCli(['hash-password'], { input: 'hunter2\n' })
  assert.is(code, 0)
  assert.is(stderr, '')
  assert.match(stdout, /^\$argon2id\$\S+\n$/)
  assert.ok(await verifyPassword(stdout.trim(), 'hunter2'))
})

test('hash-password refuses what no one can type', async () => {
  const { code, stdout, stderr } = await runCli(['hash-password'], { input: 'a\nb\n' })
  assert.equal([code, stdout], [1, ''])
  assert.match(stderr, 'line break')
})

test('schema writes one document that an editor can use alone', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-schema-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'gateways.schema.json')
  const [printed, written] = await Promise.all([runCli(['schema']), runCli(['schema', '--out', file])])
  assert.equal([printed?.code, written?.code], [0, 0])
  assert.is(readFileSync(file, 'utf8'), printed?.stdout)
  const ajv = new Ajv2020({ allowUnionTypes: true, strictTypes: false })
  ajv.addVocabulary(ANNOTATIONS)
  const validate = ajv.compile(JSON.parse(readFileSync(file, 'utf8')))
  assert.ok(validate({ version: 1, routes: { a: { upstream: 'https://a.example.com', auth: 'none' } } }))
  assert.not.ok(validate({ version: 1, routes: { a: { upstream: 'https://a.example.com', auth: 'nne' } } }))
})

test('schema --out says why it cannot write', async () => {
  const { code, stdout, stderr } = await runCli([
    'schema',
    '--out',
    join(tmpdir(), 'no', 'such', 'folder.json'),
  ])
  assert.equal([code, stdout], [3, ''])
  assert.match(stderr, /^cannot write \S+folder\.json: no such folder\n$/)
})

test.run()
