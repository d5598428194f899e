// Deletes what is dead: records past their expiry and traces of deleted ones, with their rows.
import { EXPIRIES, expiryPrefix, keyOfExpiryRow, rowsOf } from './rows.ts'
import type { Table } from './table.ts'

/** Dead records go on counting versions this long, so that a slow cas cannot hit a key that was made anew. */
const LINGER_MS = 60_000

const BATCH = 256

export interface Sweeper {
  stop(): Promise<void>
}

export function startSweeper(table: Table, now: () => number, everyMs: number): Sweeper {
  let running = Promise.resolve()
  let stopped = false

  const sweep = async (): Promise<void> => {
    // One batch is one commit, and the event loop gets its turn while that is flushed.
    while (!stopped && (await sweepBatch(table, now() - LINGER_MS)) === BATCH);
  }
  const timer = setInterval(() => {
    // A failed commit shows itself to every writer; the sweeper has nobody to tell.
    running = running.then(sweep).catch(() => undefined)
  }, everyMs).unref()

  return {
    async stop() {
      stopped = true
      clearInterval(timer)
      await running
    },
  }
}

async function sweepBatch(table: Table, deadSinceMs: number): Promise<number> {
  const expired = table.rows(EXPIRIES, expiryPrefix(deadSinceMs), BATCH)
  await Promise.all(expired.map((row) => sweepRow(table, row)))
  return expired.length
}

async function sweepRow(table: Table, row: string): Promise<void> {
  const key = keyOfExpiryRow(row)
  const held = table.read(key)
  if (held !== undefined && rowsOf(key, held.stored).includes(row)) await table.replace(key, held, undefined)
  else await table.dropRow(row)
}
