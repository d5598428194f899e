import { spawn } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { gatewayCommand } from '../support/command.ts'
import { suite } from '../support/suite.ts'
import { runCli } from './run-cli.ts'

const test = suite('cli/validate')

const GOOD = `version: 1
server: { port: "\${PORT:-8002}" }
routes:
  a: { upstream: "https://a.example.com", auth: none }
  b: { upstream: "https://b.example.com", auth: { type: api_key, value: "\${file:key}" } }
  c: { upstream: "https://c.example.com", auth: { type: api_key, value: "\${API_KEY}" } }
`
const BAD = GOOD.replace('auth: none', 'auth: nne')
const WARNS = GOOD.replace('auth: none', 'auth: none, access: { users: [bob] }')

let folder: string
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-cli-'))
  for (const [name, text] of Object.entries({
    'gateways.yaml': GOOD,
    'bad.yaml': BAD,
    'warns.yaml': WARNS,
    key: 'k',
  })) {
    writeFileSync(join(folder, name), text)
  }
})
test.after(() => rmSync(folder, { recursive: true }))

const validate = (args: string[] = [], env: Record<string, string> = {}, input = '') =>
  runCli(['validate', ...args], { cwd: folder, env, input })

test('without arguments it checks gateways.yaml, offline, and lists what it needs', async () => {
  const { code, stdout, stderr } = await validate([], { API_KEY: 'hunter2' })
  assert.is(code, 0)
  assert.is(stderr, '')
  assert.is(
    stdout,
    `gateways.yaml: ok, 3 routes
needs:
  PORT     unset, has a default
  key      file
  API_KEY  set
`,
  )
})

test('problems go to stdout with exit code 1, for all files in one run', async () => {
  const { code, stdout, stderr } = await validate(['bad.yaml', 'gateways.yaml'])
  assert.is(code, 1)
  assert.is(stderr, '')
  assert.match(stdout, 'bad.yaml:4:49  routes.a.auth: "nne" is not possible here. Did you mean "none"?')
  assert.match(stdout, 'bad.yaml: 1 error\n')
  assert.match(stdout, 'gateways.yaml: ok, 3 routes\n')
  assert.not.match(stdout, '\u001b')
})

test('a file that cannot be read is exit code 3, and the others are still checked', async () => {
  const { code, stdout, stderr } = await validate(['gone.yaml', 'gateways.yaml'])
  assert.is(code, 3)
  assert.is(stderr, 'cannot read gone.yaml: no such file\n')
  assert.match(stdout, 'gateways.yaml: ok')
})

test('--require-env complains about variables that are missing or wrong, and never shows them', async () => {
  const { code, stdout } = await validate(['--require-env'], { PORT: 'hunter2' })
  assert.is(code, 1)
  assert.match(stdout, 'the environment variable API_KEY is not set')
  assert.match(stdout, 'server.port: what ${PORT} stands for is not a whole number')
  assert.not.match(stdout, 'hunter2')
})

test('warnings are shown and are no failure', async () => {
  const { code, stdout } = await validate(['--require-env', 'warns.yaml'], { API_KEY: 'x' })
  assert.is(code, 0)
  assert.match(stdout, 'warning  routes.a.access.users[0]: login has no user "bob"')
  assert.match(stdout, 'warns.yaml: ok, 3 routes, 1 warning\n')
})

test('- is standard input', async () => {
  const { code, stdout } = await validate(['-'], {}, BAD)
  assert.is(code, 1)
  assert.match(stdout, /^\(stdin\):4:49 {2}routes\.a\.auth/)
})

test('--config and MCP_GATEWAY_CONFIG name the file', async () => {
  const [flag, variable] = await Promise.all([
    validate(['-c', 'bad.yaml']),
    validate([], { MCP_GATEWAY_CONFIG: 'bad.yaml' }),
  ])
  assert.match(flag?.stdout ?? '', 'bad.yaml: 1 error')
  assert.match(variable?.stdout ?? '', 'bad.yaml: 1 error')
})

test('--strict makes a failure of a warning', async () => {
  const env = { API_KEY: 'x' }
  const [strict, good] = await Promise.all([
    validate(['--strict', '--require-env', 'warns.yaml'], env),
    validate(['--strict', '--require-env', 'gateways.yaml'], env),
  ])
  assert.is(strict?.code, 1)
  assert.match(strict?.stdout ?? '', 'warns.yaml: ok, 3 routes, 1 warning\n')
  assert.is(good?.code, 0)
})

test('--format chooses the report; an unknown one is wrong usage', async () => {
  const [json, sarif, wrong] = await Promise.all([
    validate(['--format', 'json', 'bad.yaml', 'gone.yaml']),
    validate(['--format=sarif', 'gateways.yaml']),
    validate(['--format', 'jsn']),
  ])
  const report = JSON.parse(json?.stdout ?? '')
  assert.is(json?.code, 3)
  assert.is(report.problems[0].rule, 'schema/discriminator')
  assert.is(report.files[1].unreadable, 'cannot read gone.yaml: no such file')
  assert.is(sarif?.code, 0)
  assert.equal(JSON.parse(sarif?.stdout ?? '').runs[0].results, [])
  assert.is(wrong?.code, 2)
  assert.match(wrong?.stderr ?? '', 'Did you mean "json"?')
})

test('in GitHub Actions problems become annotations, unless another format is asked for', async () => {
  const env = { GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: join(folder, '..') }
  const [annotated, asked] = await Promise.all([
    validate(['bad.yaml'], env),
    validate(['bad.yaml', '--format', 'line'], env),
  ])
  const path = join(folder, 'bad.yaml').split('/').at(-2)
  assert.match(annotated?.stdout ?? '', `::error file=${path}/bad.yaml,line=4,col=49,`)
  assert.is(annotated?.code, 1)
  assert.match(asked?.stdout ?? '', /^bad\.yaml:4:49: error: /)
})

test('--fix corrects the file, keeps its mode and its link, and says what it did', async () => {
  const real = join(folder, 'real.yaml')
  const link = join(folder, 'link.yaml')
  writeFileSync(real, `# mine\n${BAD}# end`)
  chmodSync(real, 0o640)
  symlinkSync('real.yaml', link)
  const { code, stdout, stderr } = await validate(['--fix', 'link.yaml'])
  assert.is(code, 0)
  assert.is(stderr, '')
  assert.match(stdout, 'link.yaml:5:49  fixed  routes.a.auth: write none  [schema/discriminator]\n')
  assert.match(stdout, 'link.yaml: ok, 3 routes\n')
  assert.is(readFileSync(real, 'utf8'), `# mine\n${GOOD}# end`)
  assert.is(statSync(real).mode & 0o777, 0o640)
  assert.ok(lstatSync(link).isSymbolicLink())
  assert.equal(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  )
})

test('--fix leaves a file alone that has nothing to fix or is not UTF-8', async () => {
  const file = join(folder, 'latin.yaml')
  const bytes = Buffer.from(`# caf\u00e9\n${BAD}`, 'latin1')
  writeFileSync(file, bytes)
  const before = statSync(join(folder, 'gateways.yaml'), { bigint: true })
  const [good, latin] = await Promise.all([validate(['--fix']), validate(['--fix', 'latin.yaml'])])
  assert.is(good?.code, 0)
  assert.is(statSync(join(folder, 'gateways.yaml'), { bigint: true }).ctimeNs, before.ctimeNs)
  assert.is(latin?.code, 3)
  assert.match(latin?.stderr ?? '', 'nothing was written')
  assert.ok(readFileSync(file).equals(bytes))
})

test('--fix with a machine format tells what it did on stderr', async () => {
  writeFileSync(join(folder, 'machine.yaml'), BAD)
  const { stdout, stderr } = await validate(['--fix', '--format', 'json', 'machine.yaml'])
  assert.equal(JSON.parse(stdout).problems, [])
  assert.match(stderr, 'fixed  routes.a.auth: write none')
})

test('--fix and --watch need files', async () => {
  const [fix, watch] = await Promise.all([validate(['--fix', '-'], {}, BAD), validate(['--watch', '-'])])
  assert.is(fix?.code, 2)
  assert.match(fix?.stderr ?? '', '--fix edits files')
  assert.is(watch?.code, 2)
})

test('--watch checks again when a file changes, and ends with the last result', async () => {
  const file = join(folder, 'watched.yaml')
  writeFileSync(file, GOOD)
  const args = [...gatewayCommand, 'validate', '--watch', '--format', 'line', 'watched.yaml']
  const child = spawn(process.execPath, args, { cwd: folder, env: { PATH: process.env.PATH ?? '' } })
  let shown = ''
  const seen = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => shown.includes(text) && resolve()
      child.stdout.on('data', look)
      child.stderr.on('data', look)
      look()
    })
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      shown += text
    })
  }
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  await seen('watching')
  rmSync(file)
  await seen('cannot read watched.yaml: no such file')
  writeFileSync(file, BAD)
  await seen('watched.yaml:4:49: error:')
  assert.match(shown, /──── \d\d:\d\d:\d\d ────/)
  child.kill('SIGINT')
  assert.is(await closed, 1)
})

test.run()
