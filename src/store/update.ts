// Read, decide, compare-and-swap, again when somebody else was faster: the one way to change a record in place.
import { setTimeout as delay } from 'node:timers/promises'
import { kindOf } from './record-key.ts'
import { ABSENT, type Store, type WriteOptions } from './store.ts'

const MAX_PAUSE_MS = 100

/** What a record becomes. `value` undefined deletes it; absent `options` drop its expiry and its indexes. */
export interface Change<T> {
  readonly value: T | undefined
  readonly options?: WriteOptions
}

/**
 * Runs `change` on the newest record until its result is stored, and returns that result. `change` may run several
 * times, so it must not have effects; when it returns undefined the record stays as it is and is returned.
 */
export async function update<T>(
  store: Store,
  key: string,
  change: (current: T | undefined) => Change<T> | undefined,
  attempts = 20,
): Promise<T | undefined> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const entry = await store.get<T>(key)
    const next = change(entry?.value)
    if (next === undefined) return entry?.value
    if (await store.cas(key, entry?.version ?? ABSENT, next.value, next.options)) return next.value
    // Contenders that retry in step would all but one lose again, so they are spread out.
    await delay(Math.random() * Math.min(2 ** attempt, MAX_PAUSE_MS))
  }
  throw new Error(`a ${kindOf(key)} record could not be changed: others kept changing it`)
}
