// One uvu process over some test files: started, limited in time, and ended with everything that it started.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const uvuBin = fileURLToPath(new URL('../../node_modules/uvu/bin.js', import.meta.url)) // not among its exports

export interface Limits {
  fileMs: number
  /** How long a process may live on after its summary: longer means a test left something open. */
  exitMs: number
  stop: AbortSignal
}
export interface Summary {
  total: number
  passed: number
  skipped: number
}
export interface Ended {
  output: string
  /** Undefined: it ended early or never reached .run(). */
  summary: Summary | undefined
  /** Why it was killed, if it was. */
  killed?: string
  exit: number | string | null
}

export async function runProcess(folder: string, names: readonly string[], limits: Limits): Promise<Ended> {
  const exact = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), uvuBin, folder, `^(${exact})$`, '--no-color'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // its own process group, so that whatever it leaves behind can be ended with it
    },
  )
  const attended = await attend(child, { ...limits, fileMs: limits.fileMs * names.length })
  return { ...attended, summary: parseSummary(attended.output), exit: child.exitCode ?? child.signalCode }
}

export function parseSummary(output: string): Summary | undefined {
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
