// uvu's `suite` with its traps closed: every test and hook has a deadline, a throwing hook fails the tests it
// serves, a suite that is never run fails the process, and a skip is counted, explained and can be forbidden.
// It must not use uvu's own hooks: a throwing `before` there prints a green line.
import { suite as uvuSuite } from 'uvu'

const DEFAULT_TIMEOUT_MS = 20_000

type Work = () => unknown
export interface TestContext {
  /** Runs when the test ends, passed or failed, last registered first. */
  after(cleanup: Work): void
}
export type TestBody = (context: TestContext) => unknown
export interface TestOptions {
  timeoutMs?: number
}
export type AddTest = (name: string, body: TestBody, options?: TestOptions) => void
export interface AddHook {
  (hook: Work): void
  each(hook: Work): void
}
export interface Suite extends AddTest {
  before: AddHook
  after: AddHook
  /** `test.skipUnless(hasRedis, 'no redis-server')('…', async () => {…})` */
  skipUnless(condition: unknown, reason: string): AddTest
  run(): void
}

interface Hooks {
  before: Work[]
  after: Work[]
  beforeEach: Work[]
  afterEach: Work[]
}
interface Entry {
  name: string
  body: TestBody
  timeoutMs: number
}

/** What a test is called, and the line that added it: one line adds many tests where they come out of a table. */
export interface AddedTest {
  readonly name: string
  readonly line: string
}
/** With LIST_TESTS set nothing is run: the tests of all the files that are imported gather here instead. */
export const added: AddedTest[] = []
const isListing = process.env.LIST_TESTS !== undefined

const neverRun = new Set<string>()
process.on('exit', () => {
  if (neverRun.size === 0) return
  process.exitCode = 1
  console.error(`Suites without .run(): ${[...neverRun].join(', ')}`)
})

export function suite(title: string): Suite {
  const inner = uvuSuite(title)
  const hooks: Hooks = { before: [], after: [], beforeEach: [], afterEach: [] }
  const entries: Entry[] = []
  let skipped = 0
  neverRun.add(title)

  const add: AddTest = (name, body, options = {}) => {
    note(name)
    entries.push({ name, body, timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS })
  }
  const skip = (reason: string): AddTest => {
    if (process.env.FORBID_SKIPS === '1' && !mayBeSkipped(reason)) {
      return (name) => add(name, () => Promise.reject(new Error(`skipping is forbidden: ${reason}`)))
    }
    return (name) => {
      note(name)
      skipped += 1
      inner.skip(name)
      console.log(`skipped: ${title}: ${name} (${reason})`)
    }
  }
  const run = () => {
    if (entries.length + skipped === 0) throw new Error(`suite ${title} has no tests`)
    neverRun.delete(title)
    for (const { name, handler } of plan(entries, hooks)) inner(name, handler)
    if (!isListing) inner.run()
  }
  return Object.assign(add, {
    before: Object.assign(into(hooks.before), { each: into(hooks.beforeEach) }),
    after: Object.assign(into(hooks.after), { each: into(hooks.afterEach) }),
    skipUnless: (condition: unknown, reason: string) => (condition ? add : skip(reason)),
    run,
  })
}

/** ALLOW_SKIPS names the reasons that are good ones all the same, by how they begin: `ALLOW_SKIPS='no Python; no redis'`. */
function mayBeSkipped(reason: string): boolean {
  const allowed = (process.env.ALLOW_SKIPS ?? '').split(';').map((start) => start.trim())
  return allowed.some((start) => start !== '' && reason.startsWith(start))
}

function note(name: string): void {
  if (!isListing) return
  const frames = (new Error('who added it?').stack ?? '').split('\n').slice(1)
  added.push({ name, line: frames.find((frame) => !frame.includes('/support/suite.ts')) ?? '' })
}

const into = (list: Work[]) => (hook: Work) => {
  list.push(hook)
}

// The first test carries the `before` hooks, the last one the `after` hooks, so that their failures are
// failures of a named test. uvu runs every test of a suite, whatever became of the one before it.
function plan(entries: Entry[], hooks: Hooks) {
  const setup: { error?: Error } = {}
  return entries.map((entry, index) => ({
    name: entry.name,
    handler: async () => {
      const errors: Error[] = []
      if (index === 0) {
        await collect(errors, inOrder('before hook', hooks.before))
        if (errors[0]) setup.error = errors[0]
      } else if (setup.error) {
        errors.push(new Error(`before hook failed: ${setup.error.message}`))
      }
      if (!setup.error) await runOne(entry, hooks, errors)
      if (index === entries.length - 1) await collectAll(errors, 'after hook', hooks.after)
      if (errors.length > 0) throw combined(errors)
    },
  }))
}

async function runOne({ body, timeoutMs }: Entry, hooks: Hooks, errors: Error[]): Promise<void> {
  const cleanups: Work[] = []
  const context: TestContext = { after: (cleanup) => cleanups.unshift(cleanup) }
  const ready = await collect(errors, inOrder('before.each hook', hooks.beforeEach))
  if (ready) await collect(errors, () => deadline('test', () => body(context), timeoutMs))
  await collectAll(errors, 'cleanup', cleanups)
  await collectAll(errors, 'after.each hook', hooks.afterEach)
}

const inOrder = (label: string, hooks: Work[]) => async () => {
  for (const hook of hooks) await deadline(label, hook)
}

// Every closing hook gets its turn: one that throws must not leave the servers of the next one open.
async function collectAll(errors: Error[], label: string, hooks: Work[]): Promise<void> {
  for (const hook of hooks) await collect(errors, () => deadline(label, hook))
}

async function collect(errors: Error[], work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    // uvu's reporter itself throws on anything that is not an Error.
    errors.push(error instanceof Error ? error : new Error(`thrown: ${String(error)}`))
    return false
  }
}

// The timer is deliberately not unref'd: a test that awaits something nothing will ever settle must be named,
// instead of ending the process early.
async function deadline(label: string, work: Work, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${label} timed out after ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    await Promise.race([Promise.resolve().then(work), late])
  } finally {
    clearTimeout(timer)
  }
}

function combined(errors: Error[]): Error {
  const [first, ...others] = errors as [Error, ...Error[]]
  for (const other of others) first.message += `\n    and then: ${other.message}`
  return first
}
