// What lies sealed in records, opened and kept open: opening costs more than reading the record.
import type { Sealer } from './seal.ts'

export interface SealedRecords<T> {
  seal(identity: string, value: T): string
  /** Undefined when no key opens it. */
  open(identity: string, sealed: string): T | undefined
  /** Keeps nothing of it in memory. */
  drop(identity: string): void
}

/**
 * `most`: how many are kept open. Each stands as long as its sealed text, which no other has: a record's version would
 * not do, since it begins at 1 again once the record was swept.
 */
export function sealedRecords<T>(sealer: Sealer, purpose: string, most: number): SealedRecords<T> {
  const opened = new Map<string, { readonly sealed: string; readonly value: T }>()
  return {
    seal: (identity, value) => sealer.seal(purpose, identity, JSON.stringify(value)),
    open(identity, sealed) {
      const known = opened.get(identity)
      if (known?.sealed === sealed) return known.value
      const text = sealer.open(purpose, identity, sealed)
      if (text === undefined) return undefined
      const value = JSON.parse(text) as T
      if (opened.size >= most) opened.clear()
      opened.set(identity, { sealed, value })
      return value
    },
    drop: (identity) => opened.delete(identity),
  }
}
