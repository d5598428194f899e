// `explain` as it is run: routes, requests and settings, with the lines that they come from and no environment.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { explainSetting } from '../../src/config/explain/setting.ts'
import { bundleSchema } from '../../src/config/schema.ts'
import { walkSchema } from '../../src/config/schema-walk.ts'
import { suite } from '../support/suite.ts'
import { runCli } from './run-cli.ts'

const test = suite('cli/explain')

/** Each run is a process, and the machine may be busy. */
const SEVERAL_RUNS = { timeoutMs: 60_000 }

const YAML = `version: 1
authorization_servers:
  github:
    authorization_endpoint: https://github.com/login/oauth/authorize
    token_endpoint: \${TOKEN_ENDPOINT}
    client_id: \${GITHUB_CLIENT_ID}
defaults:
  timeouts: { response: "\${TIMEOUT:-90s}" }
routes:
  github:
    upstream: https://api.githubcopilot.com/mcp/?key=hunter2
    auth: { type: authorization_code, authorization_server: github, scope: repo }
  tavily:
    upstream: https://mcp.tavily.com/mcp/
    auth: { type: api_key, value: "Bearer \${TAVILY_API_KEY}" }
`

let folder = ''
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'explain-'))
  writeFileSync(join(folder, 'gateways.yaml'), YAML)
})
test.after(() => rmSync(folder, { recursive: true }))

const explain = (...args: string[]) => runCli(['explain', ...args], { cwd: folder })

test('a route is shown step by step, each setting with its line and origin, no variable expanded', async () => {
  const { code, stdout, stderr } = await explain('github')
  assert.equal([code, stderr], [0, ''])
  const lines = stdout.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, ' | '))
  assert.is(lines[0], 'POST /github → route github | gateways.yaml:10')
  for (const expected of [
    'routes.github.access | anyone | default',
    'routes.github.auth.scope | repo | gateways.yaml:12 | file',
    'authorization_servers.github.token_endpoint | ${TOKEN_ENDPOINT} | gateways.yaml:5 | file',
    'defaults.timeouts.response | ${TIMEOUT:-90s} | gateways.yaml:8 | defaults',
    'routes.github.limits.max_body | 4MiB | default',
  ])
    assert.ok(lines.includes(expected), `${expected}\n\n${lines.join('\n')}`)
  assert.match(stdout, /1 authenticate +built in/)
  assert.match(stdout, /4 forward +gateways\.yaml:11 +file/)
  assert.not.match(stdout, /NaN|hunter2/)
})

test('who gets tokens without a sign-in is named where tokens are asked for', async () => {
  const clients = `clients:
  static:
    batch: { client_secret: "\${BATCH}", grant_types: [client_credentials] }
    reports: { client_secret: "\${REPORTS}" }
`
  writeFileSync(join(folder, 'machines.yaml'), YAML + clients)
  const { stdout } = await explain('tavily', '--config', 'machines.yaml')
  const step = stdout.slice(stdout.indexOf('1 authenticate'), stdout.indexOf('2 authorize'))
  assert.match(step, /clients\.static\.batch\.grant_types +\[client_credentials\] +machines\.yaml:18 +file/)
  assert.not.match(step, 'reports')
  // A machine has no account at GitHub.
  const people = (await explain('github', '--config', 'machines.yaml')).stdout
  assert.match(people, '1 authenticate')
  assert.not.match(people, 'batch')
})

test('without a subject every route is explained; --json is for machines', async () => {
  const { stdout } = await explain('--json')
  const routes = JSON.parse(stdout)
  assert.equal(
    routes.map(({ route, path, line }: Record<string, unknown>) => [route, path, line]),
    [
      ['github', '/github', 10],
      ['tavily', '/tavily', 13],
    ],
  )
  assert.equal(
    routes[0].steps.map(({ name }: { name: string }) => name),
    ['authenticate', 'authorize', 'attach', 'forward'],
  )
  assert.equal(routes[1].steps[2].settings.at(-1), {
    path: 'routes.tavily.auth.value',
    value: '•••${TAVILY_API_KEY}',
    origin: 'file',
    line: 15,
  })
})

const requests: [method: string, path: string, answer: string][] = [
  ['post', '/tavily', 'POST /tavily → route tavily'],
  ['GET', '/tavily/', 'GET /tavily/ → 404: no route has this path'],
  ['PUT', '/tavily', 'PUT /tavily → 405: a route takes POST, GET, DELETE'],
  ['GET', '/authorize', 'GET /authorize → the gateway itself, built in'],
  ['GET', '/.well-known/oauth-authorization-server', 'the gateway itself, built in'],
]

test(
  'a request leads to its route, or to why it has none',
  async () => {
    for (const [method, path, answer] of requests) {
      const { code, stdout } = await explain(method, path)
      assert.is(code, 0)
      assert.match(stdout, answer)
    }
  },
  SEVERAL_RUNS,
)

test('a subject that is nothing is answered with the routes there are', async () => {
  const { code, stderr } = await explain('nope')
  assert.is(code, 2)
  assert.match(stderr, 'there is no route or setting nope. Routes: github, tavily.\n')
})

test('a setting is explained from the schema, without any file', async () => {
  const { code, stdout } = await runCli(['explain', 'routes.*.auth.type'], { cwd: tmpdir() })
  assert.is(code, 0)
  assert.match(stdout, /value +none, api_key, authorization_code/)
  assert.match(stdout, /an edit +reauthorize: people sign in at the upstream again/)
  const port = await runCli(['explain', 'server.port', '--json'], { cwd: tmpdir() })
  assert.equal(JSON.parse(port.stdout), {
    path: 'server.port',
    description: 'TCP port to listen on. 0 takes any free port.',
    values: ['a whole number'],
    default: '8002',
    reload: 'restart',
    examples: ['8002', '${PORT:-8002}'],
    settings: [],
  })
})

test('every setting of the schema can be explained', () => {
  const schema = walkSchema(bundleSchema())
  let leaves = 0
  const visit = (path: string, depth: number): void => {
    const found = explainSetting(schema, path)
    assert.ok('path' in found, path)
    assert.is(found.path, path)
    if (found.settings.length === 0) {
      leaves += 1
      assert.ok(found.description !== '' || path.endsWith('.*'), `${path} has no description`)
    }
    if (depth < 8) for (const { name } of found.settings) visit(`${path}.${name}`, depth + 1)
  }
  for (const name of Object.keys(schema.root.properties ?? {})) visit(name, 0)
  assert.ok(leaves > 60, `${leaves} leaves`)
})

const mistakes: [subject: string, says: string][] = [
  ['routes.x.upstrem', 'there is no setting routes.*.upstrem. Did you mean "routes.*.upstream"?'],
  ['githb', 'there is no route or setting githb. Did you mean "github"?'],
  ['constructor', 'there is no route or setting constructor.'],
]

test(
  'what is not there is named with what is near, exit 2',
  async () => {
    for (const [subject, says] of mistakes) {
      const { code, stdout, stderr } = await explain(subject)
      assert.equal([code, stdout], [2, ''])
      assert.match(stderr, says)
    }
  },
  SEVERAL_RUNS,
)

test('a file that cannot be read is exit 3, one with mistakes exit 1', async () => {
  const missing = await explain('github', '-c', 'missing.yaml')
  assert.equal([missing.code, missing.stderr], [3, 'cannot read missing.yaml: no such file\n'])
  writeFileSync(join(folder, 'bad.yaml'), YAML.replace('scope: repo', 'scoop: repo'))
  const bad = await explain('github', '-c', 'bad.yaml')
  assert.is(bad.code, 1)
  assert.match(bad.stderr, 'bad.yaml:12:')
})

test.run()
