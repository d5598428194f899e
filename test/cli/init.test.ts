// `init` and `presets` as people run them.
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { presetNames } from '../../src/config/presets/preset.ts'
import { listen } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { runCli } from './run-cli.ts'

const test = suite('cli/init')

function emptyFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-init-'))
  context.after(() => rmSync(folder, { recursive: true }))
  return folder
}

test('init writes a file that validate accepts, its variables, the schema, and what to do next', async (context) => {
  const cwd = emptyFolder(context)
  const { code, stdout, stderr } = await runCli(['init', '--preset', 'github', '--preset', 'notion'], { cwd })
  assert.equal([code, stderr], [0, ''])
  assert.match(stdout, 'gateways.yaml: written, 2 routes\n.env.example: written, 2 variables\n')
  assert.match(stdout, 'http://localhost:8002/upstream/callback/github')
  assert.match(stdout, /mcp-oauth-gateway validate\n/)
  const text = readFileSync(join(cwd, 'gateways.yaml'), 'utf8')
  assert.match(text, /^# yaml-language-server: \$schema=\.\/gateways\.schema\.json\n/)
  assert.ok(JSON.parse(readFileSync(join(cwd, 'gateways.schema.json'), 'utf8')).$defs)
  assert.match(
    readFileSync(join(cwd, '.env.example'), 'utf8'),
    '\nGITHUB_CLIENT_ID=\nGITHUB_CLIENT_SECRET=\n',
  )
  const checked = await runCli(['validate'], { cwd })
  assert.is(checked.code, 0)
  assert.match(checked.stdout, 'gateways.yaml: ok, 2 routes')
})

test('init overwrites nothing without --force, not even one of several', async (context) => {
  const cwd = emptyFolder(context)
  writeFileSync(join(cwd, '.env.example'), 'MINE=1\n')
  const refused = await runCli(['init'], { cwd })
  assert.equal([refused.code, refused.stdout], [1, ''])
  assert.match(
    refused.stderr,
    '.env.example exists already. Nothing was written; --force overwrites, --out - prints.',
  )
  assert.not.ok(existsSync(join(cwd, 'gateways.yaml')))
  assert.is(readFileSync(join(cwd, '.env.example'), 'utf8'), 'MINE=1\n')
  assert.is((await runCli(['init', '--force'], { cwd })).code, 0)
  assert.ok(existsSync(join(cwd, 'gateways.yaml')))
  const before = statSync(join(cwd, 'gateways.yaml')).size
  assert.is((await runCli(['init'], { cwd })).code, 0, 'what is the same already is not in the way')
  assert.is(statSync(join(cwd, 'gateways.yaml')).size, before)
})

test('init --out names the file, and the steps name it too', async (context) => {
  const cwd = emptyFolder(context)
  const { code, stdout } = await runCli(['init', '--out', 'a/b.yaml', '--preset', 'slack'], { cwd })
  assert.is(code, 0)
  assert.match(stdout, 'mcp-oauth-gateway validate a/b.yaml\n')
  assert.match(stdout, 'mcp-oauth-gateway --config a/b.yaml\n')
  for (const file of ['a/b.yaml', 'a/.env.example', 'a/gateways.schema.json'])
    assert.ok(existsSync(join(cwd, file)), file)
})

test('init --from-flags turns flags into a file, and a secret into a reference', async (context) => {
  const cwd = emptyFolder(context)
  const flags = [
    '--upstream-rs=https://a.example.com/mcp',
    '--upstream-client-id=id',
    '--upstream-client-secret=hunter2',
    '--upstream-authorize-endpoint=https://b.example.com/authorize',
    '--upstream-token-endpoint=https://b.example.com/token',
  ]
  const { code, stdout } = await runCli(['init', '--from-flags', '--', ...flags], { cwd })
  assert.is(code, 0)
  const text = readFileSync(join(cwd, 'gateways.yaml'), 'utf8')
  assert.match(text, 'upstream: "https://a.example.com/mcp"')
  assert.match(text, '"${MCP_GATEWAY_UPSTREAM_CLIENT_SECRET}"')
  assert.not.match(text + stdout + readFileSync(join(cwd, '.env.example'), 'utf8'), 'hunter2')
  assert.is((await runCli(['validate'], { cwd })).code, 0)
})

test('init --discover writes what a live server needs', async (context) => {
  const cwd = emptyFolder(context)
  const { origin, close } = await listen((_request, response) => response.writeHead(200).end('{}'))
  context.after(close)
  const { code, stdout } = await runCli(['init', '--discover', `${origin}/mcp`, '--out', '-'], { cwd })
  assert.is(code, 0)
  assert.match(stdout, `upstream: "${origin}/mcp"\n    auth: none`)
  assert.not.ok(existsSync(join(cwd, 'gateways.yaml')))
})

test('init --discover of a server that is not there writes nothing and says why', async (context) => {
  const cwd = emptyFolder(context)
  const origin = `http://127.0.0.1:${await freePort()}`
  const { code, stdout, stderr } = await runCli(['init', '--discover', `${origin}/mcp`], { cwd })
  assert.equal([code, stdout], [1, ''])
  assert.is(stderr, `cannot look at ${origin}: connection refused\n`)
  assert.not.ok(existsSync(join(cwd, 'gateways.yaml')))
})

const mistakes: [args: string[], message: string][] = [
  [['init', '--preset', 'githbu'], 'there is no preset githbu. Did you mean "github"?'],
  [['init', '--discover', 'example.com'], '--discover needs the URL of an MCP server.'],
  [['init', '--from-flags'], 'no flags follow --.'],
  [['init', '--', '--upstream-rs=https://a.example.com'], 'what follows -- belongs to --from-flags.'],
  [['init', '--from-flags', '--preset', 'github', '--', '--port=1'], '--from-flags stands alone.'],
  [['presets', 'bitbucket'], 'there is no preset bitbucket. There are: atlassian, auth0,'],
]

for (const [args, message] of mistakes) {
  test(`${args.join(' ')} is refused`, async () => {
    const { code, stdout, stderr } = await runCli(args)
    assert.equal([code, stdout], [2, ''])
    assert.match(stderr, message)
  })
}

test('a flag that is missing is named', async (context) => {
  const cwd = emptyFolder(context)
  const { code, stderr } = await runCli(['init', '--from-flags', '--', '--port=9000'], { cwd })
  assert.is(code, 1)
  assert.match(stderr, '--upstream-rs: is missing')
})

test('presets lists every preset with what it needs', async () => {
  const { code, stdout, stderr } = await runCli(['presets'])
  assert.equal([code, stderr], [0, ''])
  const lines = stdout.split('\n')
  for (const name of presetNames())
    assert.ok(
      lines.some((line) => line.startsWith(`${name} `)),
      name,
    )
  assert.match(stdout, /^entra .* client_id, client_secret, tenant +-$/m)
  assert.match(stdout, /^linear .* nothing +https:\/\/mcp\.linear\.app\/mcp$/m)
  assert.ok(lines.every(({ length }) => length <= 120))
})

test('presets NAME shows what to do, what to write and where it is documented', async () => {
  const [page, json] = await Promise.all([
    runCli(['presets', 'entra']),
    runCli(['presets', 'entra', '--json']),
  ])
  for (const part of [
    'offline_access',
    'preset: entra',
    'tenant: ${ENTRA_TENANT}',
    '(unverified)',
    'learn.microsoft.com',
  ])
    assert.match(page?.stdout ?? '', part)
  const { name, quirks } = JSON.parse(json?.stdout ?? '')
  assert.equal([name, quirks.resource], ['entra', 'refused'])
})

test('presets --json is all of them', async () => {
  const { stdout } = await runCli(['presets', '--json'])
  assert.equal(
    JSON.parse(stdout).map(({ name }: { name: string }) => name),
    presetNames(),
  )
})

test.run()
