// `doctor` as a command: text, JSON, exit codes, and what is said when there is nothing to visit.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { listen } from '../support/http.ts'
import { suite } from '../support/suite.ts'
import { runCli } from './run-cli.ts'

const test = suite('cli/doctor')

const scene: { folder: string; origin: string; status: number; close: () => Promise<void> } = {
  folder: '',
  origin: '',
  status: 200,
  close: async () => undefined,
}

test.before(async () => {
  const upstream = await listen((_, response) => response.writeHead(scene.status).end('{}'))
  scene.folder = await mkdtemp(join(tmpdir(), 'doctor-'))
  scene.origin = upstream.origin
  scene.close = upstream.close
  const text = `version: 1
server: { port: 0 }
store: { type: memory }
routes:
  github: { upstream: "${upstream.origin}", auth: { type: api_key, value: "\${KEY}" } }
  docs: { upstream: "${upstream.origin}", auth: none }
`
  await writeFile(join(scene.folder, 'gateways.yaml'), text)
})
test.after(async () => {
  await scene.close()
  await rm(scene.folder, { recursive: true })
})

const doctor = (args: string[], env: Record<string, string> = { KEY: 'hunter2' }) =>
  runCli(['doctor', ...args], { cwd: scene.folder, env: { HOME: scene.folder, ...env } })

test('when everything is well it says so, and is quiet on stderr', async () => {
  scene.status = 200
  const { code, stdout, stderr } = await doctor([])
  assert.is(stderr, '')
  assert.is(
    stdout,
    `ok    config         gateways.yaml is valid: 2 routes
ok    file           the gateway sees edits to ${scene.folder}/gateways.yaml
ok    server.port    the gateway takes any free port at its start
ok    routes.github  ${scene.origin} answers, and takes the key
ok    routes.docs    ${scene.origin} answers
ok    clock          this machine's clock agrees with ${new URL(scene.origin).host}

Everything is well.
`,
  )
  assert.is(code, 0)
})

test('a problem has its advice on the next line, and exit code 1', async () => {
  scene.status = 401
  const { code, stdout } = await doctor(['github'])
  assert.match(
    stdout,
    `FAIL  routes.github  ${scene.origin} refuses the key (401)
                     → Check what auth.value stands for, and its name and place.
`,
  )
  assert.not.match(stdout, 'routes.docs')
  assert.match(stdout, /\n1 problem\.\n$/)
  assert.not.match(stdout, 'hunter2')
  assert.is(code, 1)
})

test('a warning alone is exit code 0', async () => {
  scene.status = 400
  const { code, stdout } = await doctor(['docs'])
  assert.match(stdout, /^warn {2}routes\.docs {2}/m)
  assert.match(stdout, /\n1 warning\.\n$/)
  assert.is(code, 0)
})

test('--json is one object, without secrets', async () => {
  scene.status = 401
  const { code, stdout, stderr } = await doctor(['github', '--json'])
  const { ok, findings } = JSON.parse(stdout)
  assert.equal([ok, code, stderr], [false, 1, ''])
  assert.equal(
    findings.find(({ scope }: { scope: string }) => scope === 'routes.github'),
    {
      level: 'fail',
      scope: 'routes.github',
      message: `${scene.origin} refuses the key (401)`,
      advice: 'Check what auth.value stands for, and its name and place.',
    },
  )
  assert.not.match(stdout, 'hunter2')
})

test('a file with mistakes is not visited: the mistakes are shown', async () => {
  const { code, stdout, stderr } = await doctor([], {})
  assert.match(
    stderr,
    /gateways\.yaml:5:\d+ {2}routes\.github\.auth\.value: the environment variable KEY is not set/,
  )
  assert.is(
    stdout,
    'FAIL  config  gateways.yaml has mistakes\n              → Run: mcp-oauth-gateway validate --require-env\n\n1 problem.\n',
  )
  assert.is(code, 1)
})

test('a file of another name is named in the command that shows its mistakes', async () => {
  const file = join(scene.folder, "alice's port.yaml")
  await writeFile(file, 'version: 1\nserver: { port: 99999 }\nroutes: {}\n')
  const { stdout } = await doctor(['-c', "alice's port.yaml"])
  assert.match(stdout, "Run: mcp-oauth-gateway validate --require-env 'alice'\\''s port.yaml'\n")
  const { stdout: named } = await doctor([], { MCP_GATEWAY_CONFIG: "alice's port.yaml" })
  assert.match(named, 'Run: mcp-oauth-gateway validate --require-env\n')
})

test('a route that does not exist is wrong usage', async () => {
  const { code, stderr } = await doctor(['githbu'])
  assert.match(stderr, 'there is no route githbu. Did you mean "github"?')
  assert.is(code, 2)
})

test('a file that cannot be read is exit code 3', async () => {
  const { code, stderr } = await doctor(['-c', 'nowhere.yaml'])
  assert.match(stderr, 'cannot read nowhere.yaml: no such file')
  assert.is(code, 3)
})

test.run()
