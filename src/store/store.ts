// The one interface to durable state. Drivers know nothing of OAuth; records are plain JSON values.

/** A record as read. `version` is what `cas` compares; it starts at 1 and grows with every write of the key. */
export interface Entry<T = unknown> {
  readonly value: T
  readonly version: number
}

export interface WriteOptions {
  /** Epoch milliseconds after which the record reads as absent and is swept. Absent: kept until deleted. */
  readonly expiresAtMs?: number
  /** Names under which `list` finds this key. Each write replaces the whole set. */
  readonly indexes?: readonly string[]
}

/** Compare with "no such record" in `cas`. */
export const ABSENT = 0

/**
 * Every write resolves only when it is durable (fdatasync'ed), and rejects if it is not known to be.
 * An index is a hint: `list` may name keys whose record is gone or has moved on, so callers re-read and check.
 */
export interface Store {
  get<T>(key: string): Promise<Entry<T> | undefined>
  put(key: string, value: unknown, options?: WriteOptions): Promise<void>
  /** Writes only if the key's version is `expected` (ABSENT: no live record). `value` undefined deletes. Tells whether it wrote. */
  cas(key: string, expected: number, value: unknown, options?: WriteOptions): Promise<boolean>
  list(index: string): AsyncIterable<string>
  close(): Promise<void>
}
