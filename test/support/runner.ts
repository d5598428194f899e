// Runs the test files in uvu processes, several at a time, and believes a file only if uvu's summary, the exit code and
// the file's text agree. It knows nothing about what the tests test.
import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { type Ended, type Limits, runProcess } from './test-process.ts'

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
  /** A process that starts for one file costs as much as many a file. */
  filesPerProcess?: number
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
      const names = queue.splice(0, input.filesPerProcess ?? 1)
      if (names.length === 0) return
      const started = performance.now()
      for (const [name, result] of await runBatch(folder, names, limits)) {
        for (const key of ['passed', 'failed', 'skipped'] as const) sum[key] += result[key]
        write(report(name, result, (performance.now() - started) / names.length))
      }
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

/**
 * Files that share a process share its start-up. Only a spotless run counts for all of them; otherwise each is run
 * alone, where every fault shows as whose it is.
 */
async function runBatch(folder: string, names: string[], limits: Limits): Promise<[string, FileResult][]> {
  const together = names.length > 1 ? await runProcess(folder, names, limits) : undefined
  const spotless = together && (await spotlessResults(folder, names, together))
  if (spotless || limits.stop.aborted) return spotless ?? []
  const alone: [string, FileResult][] = []
  for (const name of names) alone.push([name, await runFile(folder, name, limits)])
  const [first] = alone
  const isForgiven = together === undefined || isCleanBesideSkips(together)
  if (!isForgiven && first && alone.every(([, { failed }]) => failed === 0)) {
    const why = together?.killed ?? `exit ${together?.exit}`
    first[1].faults.push(`failed in one process with ${names.join(', ')} (${why}), and not alone`)
    first[1].output = together?.output ?? ''
    first[1].failed = 1
  }
  return alone
}

/** Skips are told file by file, which is all that running them alone was for. */
function isCleanBesideSkips({ summary, killed, exit }: Ended): boolean {
  const isClean = killed === undefined && exit === 0 && summary?.passed === summary?.total
  return isClean && summary !== undefined && summary.skipped > 0
}

async function spotlessResults(
  folder: string,
  names: string[],
  { output, summary, killed, exit }: Ended,
): Promise<[string, FileResult][] | undefined> {
  if (
    !summary ||
    killed !== undefined ||
    exit !== 0 ||
    summary.passed !== summary.total ||
    summary.skipped > 0
  )
    return undefined
  const counts = passedByFile(output, names)
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  const isWhole =
    names.every((name) => counts.get(name)) && texts.every((text) => faultsOfText(text).length === 0)
  const sum = [...counts.values()].reduce((one, other) => one + other, 0)
  if (!isWhole || sum !== summary.passed) return undefined
  return names.map((name) => [
    name,
    { passed: counts.get(name) ?? 0, failed: 0, skipped: 0, faults: [], output: '' },
  ])
}

/** uvu writes each file's name above the lines of its suites, which end in `(passed / total)`. */
function passedByFile(output: string, names: string[]): Map<string, number> {
  const starts = names
    .map((name) => ({ name, at: `\n${output}`.indexOf(`\n${name}\n `) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at)
  return new Map(
    starts.map(({ name, at }, index) => {
      const suites = output.slice(at, starts[index + 1]?.at).matchAll(/ {2}\((\d+) \/ \d+\)\n/g)
      return [name, Array.from(suites, ([, passed]) => Number(passed)).reduce((one, other) => one + other, 0)]
    }),
  )
}

async function runFile(folder: string, name: string, limits: Limits): Promise<FileResult> {
  const faults = faultsOfText(await readFile(join(folder, name), 'utf8'))
  const { output, summary, killed, exit } = await runProcess(folder, [name], limits)
  if (killed) faults.push(killed)
  if (!summary) faults.push('printed no summary: it ended early or never reached .run()')
  else if (summary.total === 0 && summary.skipped === 0) faults.push('ran no test')
  else if (exit !== 0 && summary.passed === summary.total && !killed) {
    faults.push(`all its tests passed, but it exited with ${exit}`)
  }
  const passed = summary?.passed ?? 0
  const failed = Math.max((summary?.total ?? 0) - passed, faults.length > 0 ? 1 : 0)
  return { passed, failed, skipped: summary?.skipped ?? 0, faults, output }
}

function faultsOfText(text: string): string[] {
  const faults: string[] = []
  if (!text.includes('.run()')) faults.push('never calls .run(), so none of its tests run')
  if (/\.only\(/.test(text)) faults.push('contains .only(, so its other tests do not run')
  return faults
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
