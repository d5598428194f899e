// `plan` as it is run: what it compares with, its formats and its exit codes, in a git repository of its own.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { suite, type TestContext } from '../support/suite.ts'
import { runCli } from './run-cli.ts'

const test = suite('cli/plan')

/** Each run is a process, and the machine may be busy. */
const SEVERAL_RUNS = { timeoutMs: 60_000 }

const yaml = (upstream: string, more = '') => `version: 1
routes:
  docs: { upstream: "${upstream}", auth: none }
${more}`

/** gateways.yaml is committed in a subfolder, then edited. */
function repository({ after }: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'plan-'))
  after(() => rmSync(root, { recursive: true }))
  const folder = join(root, 'deploy')
  mkdirSync(folder)
  const write = (text: string, name = 'gateways.yaml') => writeFileSync(join(folder, name), text)
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], { cwd: folder })
  const env = { HOME: root }
  const plan = (args: string[], input = '') => runCli(['plan', ...args], { cwd: folder, env, input })
  git('-C', root, 'init', '-q')
  write(yaml('https://one.example.com'))
  git('add', '.')
  git('commit', '-qm', 'one')
  git('tag', 'first')
  write(yaml('https://two.example.com'))
  return { write, git, plan, folder, env }
}

test('without a gateway that runs it compares with HEAD, from any folder', async (context) => {
  const { plan, folder, env } = repository(context)
  const { code, stdout, stderr } = await plan([])
  assert.equal([code, stderr], [0, ''])
  assert.match(stdout, 'Changes against HEAD:gateways.yaml:')
  assert.match(stdout, /~ routes\.docs\.upstream\.url {2}reconnect {2}https:\/\/one\S+ → https:\/\/two/)
  const elsewhere = await runCli(['plan', '-c', join(folder, 'gateways.yaml')], { cwd: tmpdir(), env })
  assert.match(elsewhere.stdout, 'https://two.example.com')
})

test('--exit-code ends with 2 for changes and 0 for none', async (context) => {
  const { plan, write } = repository(context)
  assert.is((await plan(['--exit-code'])).code, 2)
  write(`# only a comment\n${yaml('https://one.example.com')}`)
  const { code, stdout } = await plan(['--exit-code'])
  assert.equal([code, stdout], [0, 'No changes against HEAD:gateways.yaml.\n'])
})

test(
  'it compares with any revision, path and file',
  async (context) => {
    const { plan, write, git } = repository(context)
    git('commit', '-qam', 'two')
    write(yaml('https://three.example.com'), 'other.yaml')
    for (const [against, was] of [
      ['first', 'one'],
      ['HEAD~1', 'one'],
      ['first:gateways.yaml', 'one'],
      ['first:deploy/gateways.yaml', 'one'],
      ['other.yaml', 'three'],
    ] as const) {
      const { code, stdout, stderr } = await plan(['--against', against])
      assert.equal([code, stderr], [0, ''], against)
      assert.match(stdout, `https://${was}.example.com → https://two.example.com`)
    }
  },
  SEVERAL_RUNS,
)

test('standard input can be what comes, and a file that is not there yet what was', async (context) => {
  const { plan, write } = repository(context)
  const { stdout } = await plan(['-', '--against', 'HEAD'], yaml('https://five.example.com'))
  assert.match(stdout, 'https://one.example.com → https://five.example.com')
  write(yaml('https://new.example.com'), 'new.yaml')
  const fresh = await plan(['new.yaml', '--against', 'HEAD:new.yaml', '--exit-code'])
  assert.is(fresh.code, 2)
  assert.match(fresh.stderr, 'HEAD:new.yaml: there is no such file yet')
  assert.match(fresh.stdout, '+ routes.docs  live  https://new.example.com')
})

test('json and md say the same', async (context) => {
  const { plan } = repository(context)
  const [json, md] = await Promise.all([plan(['--format', 'json']), plan(['--format', 'md'])])
  const { formatVersion, changes, routes, todo } = JSON.parse(json?.stdout ?? '')
  assert.equal(
    { formatVersion, changes, routes, todo },
    {
      formatVersion: '1.0',
      changes: [
        {
          kind: 'changed',
          path: 'routes.docs.upstream.url',
          reload: 'reconnect',
          before: 'https://one.example.com',
          after: 'https://two.example.com',
          line: 3,
        },
      ],
      routes: [{ route: 'docs', effect: 'reconnect', gains: [], loses: [] }],
      todo: [],
    },
  )
  assert.match(md?.stdout ?? '', '### Plan for <code>gateways.yaml</code>')
  assert.match(md?.stdout ?? '', '| ~ | <code>routes.docs.upstream.url</code> | reconnect |')
})

test('a file with mistakes is shown with its frames, exit 1', async (context) => {
  const { plan, write } = repository(context)
  write(yaml('https://one.example.com', '  more: { upstrem: x }\n'))
  const { code, stdout, stderr } = await plan([])
  assert.equal([code, stdout], [1, ''])
  assert.match(stderr, 'gateways.yaml:4:')
})

const unreadable: [args: string[], says: string][] = [
  [['missing.yaml'], 'cannot read missing.yaml: no such file'],
  [['--against', 'missing.yaml'], 'cannot read missing.yaml: no such file'],
  [['--against', 'nonsense'], 'cannot read nonsense:gateways.yaml: no such revision'],
  [['--against', '--upload-pack=x:y'], 'no such revision'],
  [['--against', 'HEAD:misspelt.yaml'], 'cannot read HEAD:misspelt.yaml: no such file in that revision'],
  [['--against', 'running'], 'no gateway runs on gateways.yaml'],
]

test(
  'what cannot be read is named, exit 3',
  async (context) => {
    const { plan } = repository(context)
    const outcomes = await Promise.all(
      unreadable.map(([args]) => plan(args[1]?.startsWith('--') ? [args.join('=')] : args)),
    )
    for (const [index, [args, says]] of unreadable.entries()) {
      assert.equal([outcomes[index]?.code, outcomes[index]?.stdout], [3, ''], args.join(' '))
      assert.match(outcomes[index]?.stderr ?? '', says)
    }
  },
  SEVERAL_RUNS,
)

test('outside of git it says so', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'plan-'))
  context.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'gateways.yaml'), yaml('https://one.example.com'))
  const { code, stderr } = await runCli(['plan'], { cwd: folder, env: { HOME: folder } })
  assert.is(code, 3)
  assert.match(stderr, 'this is no git repository')
})

test('an unknown format is wrong usage', async () => {
  const { code, stderr } = await runCli(['plan', '--format', 'prety'])
  assert.is(code, 2)
  assert.match(stderr, 'unknown format prety. Did you mean "pretty"?')
})

test.run()
