// What every driver accepts as a key and as write options, so that a test on one driver holds for the others.
import type { WriteOptions } from './store.ts'

/** LMDB ends at 1,978 bytes, of which an index row needs 50 beside the key. Index names have no limit: they are hashed. */
const MAX_KEY_BYTES = 1024

/** Reads answer "absent" for anything else, because parts of keys come from requests. */
export function isKey(key: string): boolean {
  const bytes = Buffer.from(key)
  // NUL ends a key in LMDB, and lone surrogates would let two keys become the same bytes.
  return bytes.length > 0 && bytes.length <= MAX_KEY_BYTES && !key.includes('\0') && bytes.toString() === key
}

export function assertWritable(key: string, options: WriteOptions): void {
  if (!isKey(key))
    throw new TypeError(`a ${kindOf(key)} record has an unusable key of ${key.length} characters`)
  if (options.expiresAtMs !== undefined && !Number.isFinite(options.expiresAtMs)) {
    throw new TypeError(`a ${kindOf(key)} record has an expiry that is not a time`)
  }
}

/** The part of a key that is fit for an error: what follows may name a person. */
export function kindOf(key: string): string {
  return /^[a-z_-]{1,20}(?=\/)/.exec(key)?.[0] ?? 'nameless'
}
