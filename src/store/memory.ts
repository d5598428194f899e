// The store without a disk: for tests and throw-away gateways. Same contract as the embedded driver, but nothing
// outlives the process and dead records are never swept.
import { assertWritable, isKey } from './record-key.ts'
import { ABSENT, type Entry, type Store, type WriteOptions } from './store.ts'

interface Held {
  readonly version: number
  /** JSON, so that callers never share a reference with the store. Undefined: deleted. */
  readonly text: string | undefined
  readonly expiresAtMs: number
  readonly indexes: readonly string[]
}

export function memoryStore(now: () => number): Store {
  const table = memoryTable()
  let closed = false

  const assertOpen = (): void => {
    if (closed) throw new Error('the store is closed')
  }
  const read = (key: string): Held | undefined => {
    assertOpen()
    const held = table.read(key)
    return held?.text !== undefined && held.expiresAtMs > now() ? held : undefined
  }

  return {
    async get<T>(key: string): Promise<Entry<T> | undefined> {
      const held = isKey(key) ? read(key) : undefined
      if (held?.text === undefined) return undefined
      return { value: JSON.parse(held.text) as T, version: held.version }
    },
    async put(key, value, options = {}) {
      assertOpen()
      assertWritable(key, options)
      table.write(key, value, options)
    },
    async cas(key, expected, value, options = {}) {
      assertWritable(key, options)
      if ((read(key)?.version ?? ABSENT) !== expected) return false
      table.write(key, value, options)
      return true
    },
    async *list(index) {
      assertOpen()
      yield* table.keysOf(index)
    },
    async close() {
      closed = true
    },
  }
}

function memoryTable() {
  const records = new Map<string, Held>()
  const rows = new Map<string, Set<string>>()

  return {
    read: (key: string) => records.get(key),
    keysOf: (index: string) => [...(rows.get(index) ?? [])].sort(),
    write(key: string, value: unknown, options: WriteOptions): void {
      const before = records.get(key)
      if (before === undefined && value === undefined) return
      for (const name of before?.indexes ?? []) rows.get(name)?.delete(key)
      const indexes = value === undefined ? [] : (options.indexes ?? [])
      for (const name of indexes) rows.set(name, (rows.get(name) ?? new Set()).add(key))
      records.set(key, {
        // A deleted key goes on counting: a cas against what stood there before must not hit its successor.
        version: (before?.version ?? ABSENT) + 1,
        text: value === undefined ? undefined : JSON.stringify(value),
        expiresAtMs: options.expiresAtMs ?? Number.POSITIVE_INFINITY,
        indexes: [...indexes],
      })
    },
  }
}
