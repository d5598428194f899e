// The pre-commit hook and the GitHub Action: their files say what the tools read, and their commands do what they say.
// Runs the action's own shell steps in a repository with an origin, as a runner would.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { commands } from '../../../src/cli/commands.ts'
import { suite } from '../../support/suite.ts'

const test = suite('long/cli/git')
const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../', import.meta.url))
const read = (name: string) => parse(readFileSync(join(root, name), 'utf8'))

interface Step {
  readonly name?: string
  readonly uses?: string
  readonly shell?: string
  readonly run?: string
  readonly env?: Readonly<Record<string, string>>
}

const action: {
  readonly inputs: Readonly<Record<string, { readonly description: string; readonly default: string }>>
  readonly runs: { readonly using: string; readonly steps: readonly Step[] }
} = read('action.yml')

const BEFORE = `version: 1
server: { port: 0 }
routes:
  docs: { upstream: "https://docs.example.com/mcp", auth: none }
`
const AFTER = BEFORE.replace('docs.example.com', 'other.example.com')

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function shell(
  command: string,
  args: string[],
  cwd: string,
  env: Record<string, string>,
): Promise<Outcome> {
  const { PATH = '' } = process.env
  try {
    const { stdout, stderr } = await run(command, args, { cwd, env: { PATH, HOME: cwd, ...env } })
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as Outcome
    return { code, stdout, stderr }
  }
}

/** A checkout of this project as runners and pre-commit have it, already built; what it runs is the source. */
async function checkout(folder: string): Promise<string> {
  const path = join(folder, 'action')
  await mkdir(join(path, 'dist'), { recursive: true })
  await cp(join(root, 'git'), join(path, 'git'), { recursive: true })
  await symlink(join(root, 'node_modules'), join(path, 'node_modules'))
  await writeFile(join(path, 'package.json'), '{ "type": "module" }')
  const entry = `import { register } from 'tsx/esm/api'\nregister()\nawait import(${JSON.stringify(join(root, 'src/index.ts'))})\n`
  await writeFile(join(path, 'dist/index.js'), entry)
  await writeFile(join(path, 'dist/.built'), '')
  return path
}

/** A repository whose origin has `before`, with `after` in the working folder. */
async function repository(after: Readonly<Record<string, string>>) {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'git-')))
  const [origin, work] = [join(folder, 'origin'), join(folder, 'work')]
  await mkdir(origin)
  await writeFile(join(origin, 'gateways.yaml'), BEFORE)
  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: origin })
  await git('init', '-q', '-b', 'main')
  await git('add', '-A')
  await git('commit', '-qm', 'before')
  await git('clone', '-q', origin, work)
  for (const [name, text] of Object.entries(after)) await writeFile(join(work, name), text)
  return { folder, work, action: await checkout(folder), close: () => rm(folder, { recursive: true }) }
}

type Repository = Awaited<ReturnType<typeof repository>>

/** A step's script as the runner runs it: `bash -e -o pipefail`, with these variables besides its own. */
async function step(
  name: string,
  { work, folder, action: path }: Repository,
  env: Record<string, string> = {},
) {
  const script = action.runs.steps.find((candidate) => candidate.name === name)?.run
  assert.ok(script, `the step ${name}`)
  const summary = join(folder, 'summary.md')
  await writeFile(summary, '')
  const outcome = await shell(
    'bash',
    ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script ?? ''],
    work,
    {
      GITHUB_ACTIONS: 'true',
      GITHUB_ACTION_PATH: path,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_BASE_REF: 'main',
      FILES: 'gateways.yaml',
      STRICT: 'false',
      ...env,
    },
  )
  return { ...outcome, summary: await readFile(summary, 'utf8') }
}

test('the hook runs a command that exists, on the files it is meant for', () => {
  const [hook, ...others] = read('.pre-commit-hooks.yaml')
  assert.is(others.length, 0)
  const [script = '', command = ''] = hook.entry.split(' ')
  assert.ok(existsSync(join(root, script)))
  assert.ok(Object.hasOwn(commands, command))
  const files = new RegExp(hook.files)
  for (const name of ['gateways.yaml', 'deploy/gateways.yml']) assert.ok(files.test(name), name)
  for (const name of ['my-gateways.yaml', 'gateways.yaml.bak']) assert.not.ok(files.test(name), name)
})

test('the action is composite, documents its inputs, and uses no action but setup-node', () => {
  assert.is(action.runs.using, 'composite')
  assert.equal(
    action.runs.steps
      .flatMap(({ uses }) => uses ?? [])
      .filter((uses) => !uses.startsWith('actions/setup-node@')),
    [],
  )
  for (const [name, { description, default: value }] of Object.entries(action.inputs)) {
    assert.ok(description.length > 10, name)
    assert.type(value, 'string')
  }
})

test('no input is text of a script', () => {
  for (const { run: script, shell: named } of action.runs.steps) {
    if (script === undefined) continue
    assert.is(named, 'bash')
    assert.not.match(script, '${{')
  }
})

test('the hook fails a commit with a mistake and says where', async ({ after }) => {
  const repo = await repository({ 'gateways.yaml': BEFORE.replace('auth: none', 'auth: nne') })
  after(repo.close)
  const { code, stdout } = await shell(
    join(repo.action, 'git/gateway'),
    ['validate', 'gateways.yaml'],
    repo.work,
    {},
  )
  assert.is(code, 1)
  assert.match(stdout, /^gateways\.yaml:4:\d+ {2}routes\.docs\.auth: "nne"/)
})

test('validate annotates the line, and fails the job', async ({ after }) => {
  const repo = await repository({ 'gateways.yaml': BEFORE.replace('auth: none', 'auth: nne') })
  after(repo.close)
  const { code, stdout } = await step('Validate', repo)
  assert.is(code, 1)
  assert.match(stdout, /^::error file=gateways\.yaml,line=4,/m)
})

test('validate passes what is good; warnings fail it when strict', async ({ after }) => {
  const repo = await repository({
    'gateways.yaml': BEFORE.replace('auth: none', 'auth: none, access: { users: [nobody] }').replace(
      'routes:',
      'login: { users: { alice: { password_hash: "${H}" } } }\nroutes:',
    ),
  })
  after(repo.close)
  assert.is((await step('Validate', repo)).code, 0)
  assert.is((await step('Validate', repo, { STRICT: 'true' })).code, 1)
})

test('a file name with a command in it is only a file name', async ({ after }) => {
  const repo = await repository({})
  after(repo.close)
  await step('Validate', repo, { FILES: '$(touch${IFS}pwned) ;touch pwned2' })
  for (const name of ['pwned', 'pwned2']) assert.not.ok(existsSync(join(repo.work, name)))
})

test('the plan of a pull request lands in the summary', async ({ after }) => {
  const repo = await repository({ 'gateways.yaml': AFTER })
  after(repo.close)
  const { code, stderr, summary } = await step('Plan', repo)
  assert.is(code, 0, stderr)
  assert.match(summary, 'docs')
  assert.match(summary, 'other.example.com')
})

test('a pull request that changes no gateway says so', async ({ after }) => {
  const repo = await repository({})
  after(repo.close)
  const { code, summary } = await step('Plan', repo)
  assert.is(code, 0)
  assert.match(summary, 'No gateway changes against `origin/main`.')
})

test('a file that cannot be planned, or is gone, fails nothing', async ({ after }) => {
  const repo = await repository({ 'gateways.yaml': 'version: 1\n' })
  after(repo.close)
  const broken = await step('Plan', repo)
  assert.is(broken.code, 0)
  assert.match(broken.summary, 'There is no plan for this change')
  await rm(join(repo.work, 'gateways.yaml'))
  const gone = await step('Plan', repo)
  assert.is(gone.code, 0)
  assert.match(gone.summary, 'Removed.')
})

/** A `gh` that notes what it is asked, and says there is this comment. */
async function withGh(repo: Repository, comment: string) {
  const bin = join(repo.folder, 'bin')
  const log = join(repo.folder, 'gh.log')
  await mkdir(bin, { recursive: true })
  await writeFile(
    join(bin, 'gh'),
    `#!/bin/sh\necho "$@" >> ${log}\ncase "$*" in *--paginate*) printf '%s' '${comment}' ;; esac\n`,
  )
  await chmod(join(bin, 'gh'), 0o755)
  const { code, stderr } = await step('Plan', repo, {
    PATH: `${bin}:${process.env.PATH}`,
    GH_TOKEN: 'hunter2',
    GITHUB_REPOSITORY: 'me/gateways',
    PULL_REQUEST: '7',
  })
  assert.is(code, 0, stderr)
  const calls = await readFile(log, 'utf8')
  assert.not.match(calls, 'hunter2')
  return calls.trim().split('\n').slice(1)
}

test('with a token the plan is one comment, made once and then updated', async ({ after }) => {
  const [first, second] = await Promise.all([
    repository({ 'gateways.yaml': AFTER }),
    repository({ 'gateways.yaml': AFTER }),
  ])
  after(first.close)
  after(second.close)
  const [made] = await withGh(first, '')
  assert.match(
    made ?? '',
    /^api --silent --method POST repos\/me\/gateways\/issues\/7\/comments --field body=@/,
  )
  const [updated, ...more] = await withGh(second, '42\n')
  assert.match(
    updated ?? '',
    /^api --silent --method PATCH repos\/me\/gateways\/issues\/comments\/42 --field body=@/,
  )
  assert.equal(more, [])
})

test('a token that may not write leaves the summary, a warning, and a good job', async ({ after }) => {
  const repo = await repository({ 'gateways.yaml': AFTER })
  after(repo.close)
  const bin = join(repo.folder, 'bin')
  await mkdir(bin)
  await writeFile(join(bin, 'gh'), '#!/bin/sh\nexit 1\n')
  await chmod(join(bin, 'gh'), 0o755)
  const token = { GH_TOKEN: 'hunter2', GITHUB_REPOSITORY: 'me/gateways', PULL_REQUEST: '7' }
  const { code, stdout, summary } = await step('Plan', repo, { PATH: `${bin}:${process.env.PATH}`, ...token })
  assert.is(code, 0)
  assert.match(stdout, '::warning::the plan is in the summary only')
  assert.match(summary, 'other.example.com')
})

test('a pull request about something else gets no comment', async ({ after }) => {
  const repo = await repository({})
  after(repo.close)
  assert.equal(await withGh(repo, ''), [])
})

test('a fresh checkout is built once; a build that fails is told', async ({ after }) => {
  const repo = await repository({})
  after(repo.close)
  await rm(join(repo.action, 'dist'), { recursive: true })
  const bin = join(repo.folder, 'bin')
  await mkdir(bin)
  const npm = (text: string) =>
    writeFile(join(bin, 'npm'), `#!/bin/sh\n${text}\n`).then(() => chmod(join(bin, 'npm'), 0o755))
  const gateway = () =>
    shell(join(repo.action, 'git/gateway'), ['--version'], repo.work, { PATH: `${bin}:${process.env.PATH}` })
  await npm('echo no network >&2; exit 1')
  const failed = await gateway()
  assert.equal([failed.code, failed.stdout], [3, ''])
  assert.match(failed.stderr, /no network\n.*could not be built/)
  await npm(
    `echo "$@" >> ${join(repo.folder, 'npm.log')}; mkdir -p dist; echo 'console.log(process.argv[2])' > dist/index.js`,
  )
  for (const _ of [1, 2]) assert.equal(await gateway(), { code: 0, stdout: '--version\n', stderr: '' })
  assert.is(
    await readFile(join(repo.folder, 'npm.log'), 'utf8'),
    'ci --ignore-scripts --no-audit --no-fund\nrun build\n',
  )
})

test.run()
