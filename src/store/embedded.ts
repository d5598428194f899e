// The store on this machine's disk (LMDB). Processes may share one folder: every condition is checked by LMDB inside
// its write transaction, so no lock is held while JavaScript runs.
import { type Environment, openEnvironment, prepareFolder } from './environment.ts'
import { type Headroom, watchHeadroom } from './headroom.ts'
import { assertWritable, isKey } from './record-key.ts'
import { indexPrefix, isLive, prefixEnd, successor } from './rows.ts'
import { ABSENT, type Entry, type Store, type WriteOptions } from './store.ts'
import { startSweeper } from './sweeper.ts'
import { type Held, recordTable, type Table } from './table.ts'

export interface EmbeddedOptions {
  readonly sweepEveryMs?: number
  /** With less than this, new records are refused. Records that exist can still be changed: revocation goes on. */
  readonly minFreeBytes?: number
}

const SWEEP_EVERY_MS = 10_000
const MIN_FREE_BYTES = 32 * 2 ** 20
const LIST_PAGE = 256

export async function openEmbeddedStore(
  folder: string,
  now: () => number,
  { sweepEveryMs = SWEEP_EVERY_MS, minFreeBytes = MIN_FREE_BYTES }: EmbeddedOptions = {},
): Promise<Store> {
  const isNew = await prepareFolder(folder)
  const headroom = await watchHeadroom(folder, minFreeBytes)
  try {
    if (isNew) headroom.assertRoom()
    return embeddedStore(await openEnvironment(folder), headroom, now, sweepEveryMs)
  } catch (error) {
    headroom.stop()
    throw error
  }
}

function embeddedStore(
  environment: Environment,
  headroom: Headroom,
  now: () => number,
  sweepEveryMs: number,
): Store {
  const table = recordTable(environment)
  const sweeper = startSweeper(table, now, sweepEveryMs)
  let closed = false

  const assertOpen = (): void => {
    if (closed) throw new Error('the store is closed')
  }

  const write = async (
    key: string,
    before: Held | undefined,
    value: unknown,
    { expiresAtMs, indexes }: WriteOptions,
  ): Promise<boolean> => {
    if (value === undefined) return before === undefined || table.replace(key, before, { expiresAtMs: now() })
    if (before === undefined) headroom.assertRoom()
    return table.replace(key, before, {
      value,
      ...(expiresAtMs !== undefined && { expiresAtMs }),
      ...(indexes !== undefined && { indexes }),
    })
  }

  return {
    async get<T>(key: string): Promise<Entry<T> | undefined> {
      assertOpen()
      const held = isKey(key) ? table.read(key) : undefined
      if (held === undefined || !isLive(held.stored, now())) return undefined
      return { value: held.stored.value as T, version: held.version }
    },
    async put(key, value, options = {}) {
      assertWritable(key, options)
      do assertOpen()
      while (!(await write(key, table.read(key), value, options)))
    },
    async cas(key, expected, value, options = {}) {
      assertWritable(key, options)
      assertOpen()
      const before = table.read(key)
      const version = before !== undefined && isLive(before.stored, now()) ? before.version : ABSENT
      return version === expected && write(key, before, value, options)
    },
    list: (index) => listKeys(table, indexPrefix(index), assertOpen),
    async close() {
      if (closed) return
      closed = true
      headroom.stop()
      await sweeper.stop()
      await environment.close()
    },
  }
}

// Page by page, each on the newest snapshot: one held open while a caller works would keep LMDB from reusing space.
async function* listKeys(table: Table, prefix: string, assertOpen: () => void): AsyncGenerator<string> {
  const end = prefixEnd(prefix)
  let from = prefix
  for (;;) {
    assertOpen()
    const rows = table.rows(from, end, LIST_PAGE)
    yield* rows.map((row) => row.slice(prefix.length))
    const last = rows.at(-1)
    if (last === undefined || rows.length < LIST_PAGE) return
    from = successor(last)
  }
}
