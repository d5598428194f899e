// Records and their rows in LMDB, changed together or not at all. Knows versions; knows nothing of expiry.
import { setTimeout as delay } from 'node:timers/promises'
import type { Environment } from './environment.ts'
import { StoreFailure } from './failure.ts'
import { kindOf } from './record-key.ts'
import { rowsOf, type Stored } from './rows.ts'

export interface Held {
  readonly stored: Stored
  readonly version: number
}

export interface Table {
  read(key: string): Held | undefined
  /** Names of rows from `from` up to, without, `to`, in order. */
  rows(from: string, to: string, limit: number): readonly string[]
  /** Puts `next` in the place of `before`; undefined removes. False when the key has moved on since it was read. */
  replace(key: string, before: Held | undefined, next: Stored | undefined): Promise<boolean>
  /** Drops a row that leads nowhere. */
  dropRow(row: string): Promise<void>
  /** Waits for writes that are under way. Everything called later is refused. */
  close(): Promise<void>
}

export function recordTable({ records, rows, close }: Environment): Table {
  const commit = failStop()
  let closed = false

  const assertOpen = (): void => {
    if (closed) throw new Error('the store is closed')
  }

  return {
    read(key) {
      assertOpen()
      // LMDB's snapshot would otherwise live as long as this turn of the event loop, blind to other processes.
      records.resetReadTxn()
      const entry = records.getEntry(key)
      return entry && { stored: parseStored(key, entry.value), version: entry.version ?? 0 }
    },
    rows(from, to, limit) {
      assertOpen()
      rows.resetReadTxn()
      return [...rows.getKeys({ start: from, end: to, limit })]
    },
    replace(key, before, next) {
      const text = next && JSON.stringify(next)
      const old = new Set(rowsOf(key, before?.stored))
      const fresh = new Set(rowsOf(key, next))
      const change = (): void => {
        settle(text === undefined ? records.remove(key) : records.put(key, text, (before?.version ?? 0) + 1))
        for (const row of old) if (!fresh.has(row)) settle(rows.remove(row))
        for (const row of fresh) if (!old.has(row)) settle(rows.put(row, ''))
      }
      return commit(() =>
        before ? records.ifVersion(key, before.version, change) : records.ifNoExists(key, change),
      )
    },
    async dropRow(row) {
      await commit(() => rows.remove(row))
    },
    async close() {
      if (closed) return
      closed = true
      await close()
    },
  }
}

/** Runs commits until one fails, and none from then on. */
function failStop(): (write: () => Promise<boolean>) => Promise<boolean> {
  let failure: StoreFailure | undefined
  return async (write) => {
    if (failure !== undefined) throw failure
    try {
      return await write()
    } catch (error) {
      failure ??= new StoreFailure(await reasonOf(error))
      throw failure
    }
  }
}

// A write inside a condition rejects apart from the condition itself, which is the one that is awaited.
function settle(write: Promise<boolean>): void {
  write.catch(() => undefined)
}

function parseStored(key: string, text: string): Stored {
  try {
    return JSON.parse(text) as Stored
  } catch {
    // The parser's own message quotes the record.
    throw new Error(`the store is damaged: a ${kindOf(key)} record is unreadable`)
  }
}

// lmdb-js rejects with a promise of the reason, and that must be caught or it ends the process. Only the system's own
// words are taken: what follows them was written by the overflow that headroom.ts tells of.
async function reasonOf(error: unknown): Promise<string> {
  const { message, commitError } = error as Error & { commitError?: Promise<never> }
  if (commitError === undefined) return message
  const reason = commitError.then(
    () => message,
    (cause: Error) => cause.message.replace(/:.*/s, ''),
  )
  return Promise.race([reason, delay(1000, message, { ref: false })])
}
