// How a record lies in the embedded store, and the names of the rows that lead back to it. Pure.
import { createHash } from 'node:crypto'

/** A record's JSON. Without `value` it is the trace of a deleted one, kept for a while to go on counting versions. */
export interface Stored {
  readonly value?: unknown
  readonly expiresAtMs?: number
  readonly indexes?: readonly string[]
}

export function isLive(stored: Stored | undefined, nowMs: number): stored is Stored {
  return stored?.value !== undefined && (stored.expiresAtMs === undefined || stored.expiresAtMs > nowMs)
}

/** All rows of a record: one per index, one for its expiry. */
export function rowsOf(key: string, stored: Stored | undefined): readonly string[] {
  const rows = (stored?.indexes ?? []).map((name) => indexPrefix(name) + key)
  if (stored?.expiresAtMs !== undefined) rows.push(expiryPrefix(stored.expiresAtMs) + key)
  return [...new Set(rows)]
}

/** Index names hold subjects of any length, and nothing ever asks for them back: a hash fits every key limit. */
export function indexPrefix(name: string): string {
  return `index/${createHash('sha256').update(name).digest('base64url')}/`
}

/** The first name behind all that start with `prefix`, which ends in a slash. */
export function prefixEnd(prefix: string): string {
  return `${prefix.slice(0, -1)}0`
}

/** The first name behind `row` (NUL is in no key). */
export function successor(row: string): string {
  return `${row}\u0001`
}

export const EXPIRIES = 'expiry/'
const EXPIRY_DIGITS = 16

/** Sorts by time, as text. */
export function expiryPrefix(atMs: number): string {
  return `${EXPIRIES}${String(Math.max(0, Math.ceil(atMs))).padStart(EXPIRY_DIGITS, '0')}/`
}

export function keyOfExpiryRow(row: string): string {
  return row.slice(EXPIRIES.length + EXPIRY_DIGITS + 1)
}
