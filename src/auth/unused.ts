// Records about authorization servers that an upstream named. They go when nobody has used them for long: an upstream that
// names ever new ones must not fill the store.
import type { Store, WriteOptions } from '../store/store.ts'

/** A link that nobody used for so long is deleted (design §2): beyond this nobody is signed in without having come back to the upstream. */
export const UNUSED_MS = 90 * 24 * 60 * 60_000
/** So that use does not mean a write each time. */
export const NOTED_EVERY_MS = 24 * 60 * 60_000

interface Used {
  /** Absent: made before this was noted. */
  readonly usedAtMs?: number
}

export function usedNow<T extends object>(
  value: T,
  nowMs: number,
): { readonly value: T & Used; readonly options: WriteOptions } {
  return { value: { ...value, usedAtMs: nowMs }, options: { expiresAtMs: nowMs + UNUSED_MS } }
}

function isUseDue({ usedAtMs = Number.NEGATIVE_INFINITY }: Used, nowMs: number): boolean {
  return nowMs - usedAtMs >= NOTED_EVERY_MS
}

/** Notes that the record is in use, if there is one. Whoever changes it meanwhile has noted it too. */
export async function noteUse(store: Store, key: string, nowMs: number): Promise<void> {
  const entry = await store.get<object & Used>(key)
  if (entry === undefined || !isUseDue(entry.value, nowMs)) return
  const { value, options } = usedNow(entry.value, nowMs)
  await store.cas(key, entry.version, value, options)
}
