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
  const write = writer(table, headroom, now)
  const live = (held: Held | undefined) => (isLive(held?.stored, now()) ? held : undefined)

  return {
    async get<T>(key: string): Promise<Entry<T> | undefined> {
      const held = isKey(key) ? live(table.read(key)) : undefined
      return held && { value: held.stored.value as T, version: held.version }
    },
    async put(key, value, options = {}) {
      assertWritable(key, options)
      // The caller may change its value between two attempts.
      const own = structuredClone(value)
      while (!(await write(key, table.read(key), own, options)));
    },
    async cas(key, expected, value, options = {}) {
      assertWritable(key, options)
      const before = table.read(key)
      return (live(before)?.version ?? ABSENT) === expected && write(key, before, value, options)
    },
    list: (index) => listKeys(table, indexPrefix(index)),
    async close() {
      headroom.stop()
      await sweeper.stop()
      await table.close()
    },
  }
}

type Write = (
  key: string,
  before: Held | undefined,
  value: unknown,
  options: WriteOptions,
) => Promise<boolean>

function writer(table: Table, headroom: Headroom, now: () => number): Write {
  return async (key, before, value, { expiresAtMs, indexes }) => {
    if (value === undefined) return before === undefined || table.replace(key, before, { expiresAtMs: now() })
    // A lock is gone in seconds, and without it no upstream token could be refreshed any more.
    if (before === undefined && !key.startsWith('lock/')) headroom.assertRoom()
    return table.replace(key, before, {
      value,
      ...(expiresAtMs !== undefined && { expiresAtMs }),
      ...(indexes !== undefined && { indexes }),
    })
  }
}

// Page by page, each on the newest snapshot: one held open while a caller works would keep LMDB from reusing space.
async function* listKeys(table: Table, prefix: string): AsyncGenerator<string> {
  const end = prefixEnd(prefix)
  let from = prefix
  for (;;) {
    const rows = table.rows(from, end, LIST_PAGE)
    yield* rows.map((row) => row.slice(prefix.length))
    const last = rows.at(-1)
    if (last === undefined || rows.length < LIST_PAGE) return
    from = successor(last)
  }
}
