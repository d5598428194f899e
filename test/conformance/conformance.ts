// Runs the official MCP conformance suite in a process of its own and reads what it found from its result files.
// It judges nothing.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const [major = 0] = process.versions.node.split('.').map(Number)

/** The suite does not load on Node 20. */
export const modernNode = process.env.NODE24 || (major >= 22 ? process.execPath : undefined)
export const WHY_SKIPPED = 'the conformance suite needs Node 22 or newer: name its binary in NODE24'

const program = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/dist/index.js')

export interface Check {
  readonly scenario: string
  readonly id: string
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO'
  readonly errorMessage?: string
}
export interface Findings {
  readonly exitCode: number | null
  readonly output: string
  readonly checks: readonly Check[]
}
export interface RunOptions {
  /** Opens the URL that the suite asks its user to open, and signs in there. */
  readonly browse?: (url: string) => Promise<unknown>
  readonly limitMs?: number
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>
}

export async function conformance(parameters: string[], options: RunOptions = {}): Promise<Findings> {
  const { exitCode, output, files } = await withFolder(async (folder) => {
    const ended = await run([...parameters, '-o', folder], options)
    return { ...ended, files: await readResults(folder) }
  })
  if (exitCode === null || files.length === 0) {
    throw new Error(`the suite ended with ${exitCode ?? 'a signal'} and ${files.length} results:\n${output}`)
  }
  return { exitCode, output, checks: files.flat() }
}

/** What the suite prints: for its commands that write no results. */
export async function run(parameters: string[], options: RunOptions = {}) {
  const { browse, limitMs = 18_000, env = {} } = options
  if (modernNode === undefined) throw new Error(WHY_SKIPPED)
  // With the limit, a suite whose browser never arrives does not wait its five minutes.
  const child = spawn(modernNode, [program, ...parameters], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    env: { ...process.env, ...env },
  })
  const [output] = await Promise.all([attend(child, browse), once(child, 'close')])
  return { exitCode: child.exitCode, output }
}

async function attend(child: ChildProcess, browse: RunOptions['browse']): Promise<string> {
  let output = ''
  let visit: Promise<Error | undefined> | undefined
  const read = (text: string) => {
    output += text
    const url = browse && urlToOpen(output)
    if (url === undefined || visit !== undefined) return
    visit = browse?.(url).then(
      () => undefined,
      (error: Error) => {
        child.kill()
        return error
      },
    )
  }
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', read)
  await once(child, 'close')
  const failure = await visit
  if (failure !== undefined) throw failure
  return output
}

/** Not before the suite listens for the callback. */
function urlToOpen(output: string): string | undefined {
  if (!/^Callback server started/m.test(output)) return undefined
  return /^(https?:\/\/\S+)\n/m.exec(output)?.[1]
}

async function readResults(folder: string): Promise<Check[][]> {
  // One folder per scenario, whose name may have a slash: `[<what is tested>-]<scenario>-<time>/checks.json`.
  const named = (name: string) =>
    /^(?:authorization-server-|server-)?(.+)-\d{4}-\d\d-\d\dT/.exec(name)?.[1] ?? name
  const names = (await readdir(folder, { recursive: true })).filter(
    (name) => basename(name) === 'checks.json',
  )
  return Promise.all(
    names.sort().map(async (name) => {
      const checks = JSON.parse(await readFile(join(folder, name), 'utf8')) as Check[]
      return checks.map((check) => ({ ...check, scenario: named(name) }))
    }),
  )
}

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}
