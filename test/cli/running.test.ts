// `status`, `routes`, `reload` and `plan` against a gateway in a process of its own, as they are run.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as assert from 'uvu/assert'
import { gatewayCommand } from '../support/command.ts'
import { suite } from '../support/suite.ts'
import { runCli } from './run-cli.ts'

const test = suite('cli/running')

/** Each run is a process, and the machine may be busy. */
const SEVERAL_RUNS = { timeoutMs: 60_000 }

const YAML = `version: 1
server: { port: 0 }
routes:
  docs: { upstream: https://docs.example.org/mcp, auth: none, access: { users: [gateway_user] } }
`

let folder = ''
let gateway: ChildProcess
const lines: string[] = []
const write = (text: string) => writeFileSync(join(folder, 'gateways.yaml'), text)
const cli = (...args: string[]) => runCli(args, { cwd: folder, env: { HOME: folder } })

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'running-'))
  write(YAML)
  const { PATH = '' } = process.env
  // Not watched: the test says when.
  gateway = spawn(process.execPath, [...gatewayCommand, 'serve', '--no-watch'], {
    cwd: folder,
    env: { PATH, HOME: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const { stderr } = gateway
  assert.ok(stderr)
  await new Promise<void>((resolve) => {
    createInterface({ input: stderr }).on('line', (line) => {
      lines.push(line)
      if (line.includes('"ready"')) resolve()
    })
    gateway.once('exit', () => resolve())
  })
  assert.is(gateway.exitCode, null, lines.join('\n'))
})

test.after(async () => {
  const ended = new Promise((resolve) => gateway.once('exit', resolve))
  gateway.kill('SIGTERM')
  await ended
  rmSync(folder, { recursive: true, force: true })
})

test('status and routes show what runs', async () => {
  const [status, routes] = await Promise.all([cli('status'), cli('routes')])
  assert.equal([status?.code, status?.stderr, routes?.code, routes?.stderr], [0, '', 0, ''])
  assert.match(
    status?.stdout ?? '',
    /^gateway {6}http:\/\/localhost:\d+, version \S+, process \d+, up \d+ s\n/,
  )
  assert.match(status?.stdout ?? '', /\nruns +generation 1 of gateways\.yaml \([0-9a-f]{12}\)\n/)
  assert.match(
    status?.stdout ?? '',
    /\nfile +is what runs\nlast reload +none since the start\nrestart +not needed\n$/,
  )
  assert.is(
    routes?.stdout,
    'NAME  PATH   UPSTREAM                      AUTH  ACCESS        STREAMS  SINCE\n' +
      'docs  /docs  https://docs.example.org/mcp  none  gateway_user  0        generation 1\n',
  )
})

test('--json is what the gateway answers', async () => {
  const { pid, generation } = JSON.parse((await cli('status', '--json')).stdout)
  assert.equal([pid, generation], [gateway.pid, 1])
  const [route] = JSON.parse((await cli('routes', '--json')).stdout)
  assert.equal([route.name, route.access], ['docs', { users: ['gateway_user'] }])
})

test('plan compares with what runs by itself, and counts', async () => {
  assert.is((await cli('plan')).stdout, 'No changes against what runs (generation 1).\n')
  write(YAML.replace('docs.example.org', 'docs2.example.org'))
  const { code, stdout } = await cli('plan', '--exit-code')
  assert.is(code, 2)
  assert.match(stdout, 'Changes against what runs (generation 1):')
  assert.match(stdout, 'docs  sessions reconnect (0 open streams)')
  assert.match((await cli('status')).stdout, /\nfile +differs from what runs: not applied yet/)
})

test('reload applies it and prints the plan; again there is nothing to do', async () => {
  const { code, stdout, stderr } = await cli('reload')
  assert.equal([code, stderr], [0, ''])
  assert.match(stdout, 'Changes against generation 1:')
  assert.match(stdout, '~ routes.docs.upstream.url')
  assert.match(stdout, /\nApplied: generation 2 runs\.\n$/)
  assert.is((await cli('reload')).stdout, 'gateways.yaml is what runs: generation 2 stays.\n')
})

test(
  'a refused reload prints the frame, exit 1, every time; status keeps the place',
  async () => {
    write(YAML.replace('auth: none', 'auth: nnoe'))
    for (const _ of ['first', 'second']) {
      const { code, stdout, stderr } = await cli('reload')
      assert.equal([code, stdout], [1, ''])
      assert.match(stderr, 'gateways.yaml:4:')
      assert.match(stderr, /\^{4}/)
      assert.match(stderr, /\nRefused: generation 2 goes on\.\n$/)
    }
    const { stdout } = await cli('status')
    assert.match(stdout, /\nfile +refused since \S+: what is wrong is below\n/)
    assert.match(stdout, /\n {2}gateways\.yaml:4:\d+ {2}routes\.docs\.auth/)
  },
  SEVERAL_RUNS,
)

test('a variable that an edit brings in is told with what helps a gateway that runs', async () => {
  write(YAML.replace('auth: none', 'auth: { type: api_key, value: "${NEW_KEY}" }'))
  const { code, stderr } = await cli('reload')
  assert.is(code, 1)
  const advice = 'A running gateway sees no new variables: set NEW_KEY and restart it, or use ${file:…}.'
  assert.match(stderr, `the environment variable NEW_KEY is not set. ${advice}`)
  assert.ok(lines.some((line) => line.includes('reload refused') && line.includes(advice)))
})

test(
  'on another file, no gateway runs: exit 3 and where it was looked for',
  async () => {
    writeFileSync(join(folder, 'other.yaml'), YAML)
    for (const command of ['status', 'routes', 'reload']) {
      const { code, stdout, stderr } = await cli(command, '-c', 'other.yaml')
      assert.equal([code, stdout], [3, ''])
      assert.match(stderr, /^no gateway runs on other\.yaml: nobody answers at \S+control\.sock\./)
    }
  },
  SEVERAL_RUNS,
)

test('the socket is never on the public port', async () => {
  const { url } = JSON.parse((await cli('status', '--json')).stdout)
  for (const path of ['/status', '/config', '/numbers', '/routes']) {
    assert.is((await fetch(`${url}${path}`)).status, 404)
  }
  assert.is((await fetch(`${url}/reload`, { method: 'POST' })).status, 404)
  assert.ok(existsSync(join(folder, '.local', 'state', 'mcp-oauth-gateway')) || process.platform === 'darwin')
})

test.run()
