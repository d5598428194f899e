// Runs every test file in a uvu process of its own, several at a time, and believes a file only if uvu's summary,
// the exit code and the file's text agree. It knows nothing about what the tests test.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const uvuBin = fileURLToPath(new URL('../../node_modules/uvu/bin.js', import.meta.url)) // not among its exports

export interface RunInput {
  folder: string
  pattern: string
  /** Tests under `long/` have a script of their own; they and the others are never run together. */
  long?: boolean
  /** Fewer tests than this is a failure, even if all of them pass. */
  leastTests: number
  write: (text: string) => void
  /** Many tests wait most of their time. */
  atOnce?: number
  fileLimitMs?: number
  runLimitMs?: number
  /** How long a process may live on after its summary: longer means a test left something open. */
  exitLimitMs?: number
}
export interface RunResult {
  ok: boolean
  passed: number
  failed: number
  skipped: number
  summary: string
}
interface FileResult {
  passed: number
  failed: number
  skipped: number
  faults: string[]
  output: string
}
interface Limits {
  fileMs: number
  exitMs: number
  stop: AbortSignal
}

export async function runTests(input: RunInput): Promise<RunResult> {
  const { folder, pattern, leastTests, write } = input
  const files = (await readdir(folder, { recursive: true }))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.split(sep).join('/'))
    .filter((name) => name.startsWith('long/') === (input.long ?? false) && name.includes(pattern))
    .sort()
  const stop = stopper(input.runLimitMs ?? 10 * 60_000)
  const { fileLimitMs = 120_000, exitLimitMs = 5_000 } = input
  const limits = { fileMs: fileLimitMs, exitMs: exitLimitMs, stop: stop.signal }
  const sum = { passed: 0, failed: 0, skipped: 0 }
  const fail = (why: string) => {
    write(`✘ ${why}\n`)
    sum.failed += 1
  }
  const queue = [...files]
  const worker = async () => {
    while (!stop.signal.aborted) {
      const name = queue.shift()
      if (name === undefined) return
      const started = performance.now()
      const result = await runFile(folder, name, limits)
      for (const key of ['passed', 'failed', 'skipped'] as const) sum[key] += result[key]
      write(report(name, result, performance.now() - started))
    }
  }
  await Promise.all(Array.from({ length: input.atOnce ?? 2 }, worker))
  stop.release()
  const total = sum.passed + sum.failed + sum.skipped
  if (stop.signal.aborted) fail(`stopped with ${queue.length} files not run`)
  else if (total < leastTests) fail(`${total} tests in ${files.length} files, ${leastTests} were expected`)
  const skips = sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''
  return { ok: sum.failed === 0, ...sum, summary: `${sum.passed} passed, ${sum.failed} failed${skips}` }
}

function report(name: string, result: FileResult, tookMs: number): string {
  const skips = result.output.match(/^skipped: .*$/gm) ?? []
  const counts = [`${result.passed} passed`]
  if (result.failed > 0) counts.push(`${result.failed} failed`)
  if (result.skipped > 0) counts.push(`${result.skipped} skipped`)
  const mark = result.failed > 0 ? '✘' : '•'
  const head = `${mark} ${name.replace(/\.test\.ts$/, '')}  ${counts.join(', ')}  ${(tookMs / 1000).toFixed(1)} s\n`
  if (result.failed === 0) return head + skips.map((line) => `    ${line}\n`).join('')
  const faults = result.faults.map((fault) => `    ${fault}\n`).join('')
  return `${head}${faults}\n${result.output.trimEnd()}\n\n`
}

async function runFile(folder: string, name: string, limits: Limits): Promise<FileResult> {
  const faults = faultsOfText(await readFile(join(folder, name), 'utf8'))
  const exact = `^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), uvuBin, folder, exact, '--no-color'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // its own process group, so that whatever it leaves behind can be ended with it
    },
  )
  const { output, killed } = await attend(child, limits)
  if (killed) faults.push(killed)
  const counts = parseSummary(output)
  if (!counts) faults.push('printed no summary: it ended early or never reached .run()')
  else if (counts.total === 0 && counts.skipped === 0) faults.push('ran no test')
  else if (child.exitCode !== 0 && counts.passed === counts.total && !killed) {
    faults.push(`all its tests passed, but it exited with ${child.exitCode ?? child.signalCode}`)
  }
  const passed = counts?.passed ?? 0
  const failed = Math.max((counts?.total ?? 0) - passed, faults.length > 0 ? 1 : 0)
  return { passed, failed, skipped: counts?.skipped ?? 0, faults, output }
}

function faultsOfText(text: string): string[] {
  const faults: string[] = []
  if (!text.includes('.run()')) faults.push('never calls .run(), so none of its tests run')
  if (/\.only\(/.test(text)) faults.push('contains .only(, so its other tests do not run')
  return faults
}

export function parseSummary(output: string): { total: number; passed: number; skipped: number } | undefined {
  const found = /\n {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n {2}Duration:/.exec(output)
  if (!found) return undefined
  const [total = 0, passed = 0, skipped = 0] = found.slice(1).map(Number)
  return { total, passed, skipped } // uvu does not count a skipped test in its total
}

async function attend(child: ChildProcess, limits: Limits): Promise<{ output: string; killed?: string }> {
  let output = ''
  let killed: string | undefined
  const done = new AbortController()
  const kill = (reason: string) => {
    killed ??= reason
    endGroup(child)
  }
  const killAfter = (ms: number, reason: string) =>
    delay(ms, undefined, { signal: done.signal }).then(
      () => kill(reason),
      () => undefined,
    )
  const listen = (chunk: Buffer) => {
    const before = parseSummary(output)
    output += chunk
    if (!before && parseSummary(output)) {
      killAfter(
        limits.exitMs,
        `did not exit within ${limits.exitMs} ms of its summary: something was left open`,
      )
    }
  }
  child.stdout?.on('data', listen)
  child.stderr?.on('data', listen)
  killAfter(limits.fileMs, `killed after ${limits.fileMs} ms`)
  const stopped = () => kill('killed: the run was stopped or reached its time limit')
  if (limits.stop.aborted) stopped()
  limits.stop.addEventListener('abort', stopped)
  child.on('exit', () => endGroup(child)) // a grandchild may hold the pipes open
  await once(child, 'close')
  done.abort()
  limits.stop.removeEventListener('abort', stopped)
  return killed === undefined ? { output } : { output, killed }
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // ESRCH: the whole group has ended already
  }
}

// The children are in groups of their own, so Ctrl-C reaches only us: it is passed on.
function stopper(limitMs: number): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController()
  const stop = () => controller.abort()
  const timer = setTimeout(stop, limitMs)
  process.once('SIGINT', stop).once('SIGTERM', stop)
  return {
    signal: controller.signal,
    release: () => {
      clearTimeout(timer)
      process.off('SIGINT', stop).off('SIGTERM', stop)
    },
  }
}
