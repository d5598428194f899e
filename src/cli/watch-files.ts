// Repeats a task whenever one of its files has changed and settled, until the person has had enough.
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Looking is cheap, and never misses what file events miss: renames, links that are pointed elsewhere, network drives. */
const POLL_MS = 200

/** Resolves with the last result once SIGINT or SIGTERM came. */
export async function watchAndRepeat(files: readonly string[], task: () => Promise<number>): Promise<number> {
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort())
  let done = await identities(files)
  let result = await task()
  process.stderr.write('watching; Ctrl+C ends\n')
  let seen = done
  while (!(await isAborted(sleep(POLL_MS, undefined, { signal: ended.signal })))) {
    const now = await identities(files)
    const isSettled = now === seen
    seen = now
    if (!isSettled || now === done) continue
    done = now
    process.stderr.write(`\n──── ${new Date().toLocaleTimeString('en-GB')} ────\n`)
    result = await task()
  }
  return result
}

async function isAborted(waiting: Promise<unknown>): Promise<boolean> {
  return waiting.then(
    () => false,
    () => true,
  )
}

async function identities(files: readonly string[]): Promise<string> {
  const all = await Promise.all(files.map((file) => identity(file).catch(String)))
  return all.join('\n')
}

async function identity(file: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true })
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
}
