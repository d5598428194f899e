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
  const records = new Map<string, Held>()
  const rows = new Map<string, Set<string>>()
  let closed = false

  const assertOpen = (): void => {
    if (closed) throw new Error('the store is closed')
  }

  const live = (key: string): Held | undefined => {
    const held = records.get(key)
    return held?.text !== undefined && held.expiresAtMs > now() ? held : undefined
  }

  const write = (key: string, value: unknown, options: WriteOptions): void => {
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
  }

  return {
    async get<T>(key: string): Promise<Entry<T> | undefined> {
      assertOpen()
      const held = isKey(key) ? live(key) : undefined
      if (held?.text === undefined) return undefined
      return { value: JSON.parse(held.text) as T, version: held.version }
    },
    async put(key, value, options = {}) {
      assertOpen()
      assertWritable(key, options)
      write(key, value, options)
    },
    async cas(key, expected, value, options = {}) {
      assertOpen()
      assertWritable(key, options)
      if ((live(key)?.version ?? ABSENT) !== expected) return false
      write(key, value, options)
      return true
    },
    async *list(index) {
      assertOpen()
      yield* [...(rows.get(index) ?? [])].sort()
    },
    async close() {
      closed = true
    },
  }
}
