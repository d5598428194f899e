// Tells when the text of a configuration file has changed and settled. It judges nothing and cannot die: what it can't
// read now, it reads at the next tick.
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { watch } from 'chokidar'
import type { Log } from './ops/log.ts'

export interface Watcher {
  close(): Promise<void>
}

export interface WatchOptions {
  readonly file: string
  /** The text that runs now, so that a save of the same text is no change. */
  readonly initialText: string
  readonly onText: (text: string) => void | Promise<void>
  readonly log: Log
}

/** Editors write in several steps: truncate, write, rename. */
const SETTLE_MS = 150
/** Events get lost on network file systems, when a symlink is retargeted, when inotify runs out of watches. */
const POLL_MS = 1_000

export function watchFile({ file, initialText, onText, log }: WatchOptions): Watcher {
  let runningHash = hash(initialText)
  let seen = ''
  let timer: NodeJS.Timeout | undefined
  let reading = Promise.resolve()
  let lastComplaint = ''
  let closed = false

  // The folder too: a file that is renamed over takes its watch with it.
  const watcher = watch([dirname(file), file], { depth: 0, ignoreInitial: true })
  watcher.on('all', look)
  watcher.on('error', (error) => complain('the file watcher reports an error', error))
  const poll = setInterval(look, POLL_MS).unref()

  /** Events only say when to look: a neighbour that is written all the time must not keep the file from settling. */
  async function look(): Promise<void> {
    const now = await identity(file).catch(String)
    if (now === seen) return
    seen = now
    settle()
  }

  function settle(): void {
    clearTimeout(timer)
    if (closed) return
    timer = setTimeout(() => {
      reading = reading
        .then(read)
        .catch((error: unknown) => complain('the configuration file cannot be read', error))
    }, SETTLE_MS)
  }

  async function read(): Promise<void> {
    const before = await identity(file)
    const text = await readFile(file, 'utf8')
    // Written to while we read: what we have may be half of it.
    if ((await identity(file)) !== before) return settle()
    lastComplaint = ''
    if (hash(text) === runningHash) return
    runningHash = hash(text)
    await onText(text)
  }

  function complain(event: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    if (reason !== lastComplaint) log.warn(event, { file, reason })
    lastComplaint = reason
  }

  return {
    async close() {
      closed = true
      clearTimeout(timer)
      clearInterval(poll)
      await watcher.close()
      await reading
    },
  }
}

async function identity(file: string): Promise<string> {
  // The change time as well: a copy may keep size and modification time of what it replaces.
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true })
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
