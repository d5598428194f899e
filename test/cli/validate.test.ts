import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
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

test.run()
