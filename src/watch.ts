// Tells when one of several files may have changed and has settled. It reads nothing, judges nothing and cannot die:
// what the events miss, it sees at the next look.
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { watch } from 'chokidar'
import { messageOf } from './message-of.ts'
import type { Log } from './ops/log.ts'

export interface Watcher {
  close(): Promise<void>
}

export interface WatchOptions {
  readonly file: string
  /** Further files that count; asked for anew at every look. */
  readonly alongside: () => readonly string[]
  /** Called once in the beginning, too. Must not throw. */
  readonly onSettled: () => void
  readonly log: Log
}

/** Editors write in several steps: truncate, write, rename. */
const SETTLE_MS = 150
/** Events get lost on network file systems, when a symlink is retargeted, when inotify runs out of watches. */
const POLL_MS = 1_000

export function watchFiles({ file, alongside, onSettled, log }: WatchOptions): Watcher {
  let seen = ''
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let lastComplaint = ''

  // The folder too: a file that is renamed over takes its watch with it.
  const watcher = watch([dirname(file), file], { depth: 0, ignoreInitial: true })
  watcher.on('all', look)
  watcher.on('error', (error) => {
    const reason = messageOf(error)
    if (reason !== lastComplaint) log.warn('the file watcher reports an error', { file, reason })
    lastComplaint = reason
  })
  const poll = setInterval(look, POLL_MS).unref()
  void look()

  /** Events only say when to look: a neighbour that is written all the time must not keep the file from settling. */
  async function look(): Promise<void> {
    const now = (await Promise.all([file, ...alongside()].map(identity))).join('\n')
    if (closed || now === seen) return
    seen = now
    clearTimeout(timer)
    timer = setTimeout(onSettled, SETTLE_MS)
  }

  return {
    async close() {
      closed = true
      clearTimeout(timer)
      clearInterval(poll)
      await watcher.close()
    },
  }
}

/** Changes whenever the file does, and when it goes or comes. */
export async function identity(file: string): Promise<string> {
  try {
    // The change time as well: a copy may keep size and modification time of what it replaces.
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true })
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
  } catch (error) {
    return String(error)
  }
}
