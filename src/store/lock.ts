// One holder at a time, over all processes that share a store. A holder that dies loses the lock when it
// has been silent for too long, or when its time is up.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { ABSENT, type Store } from './store.ts'
import { type Change, update } from './update.ts'

export interface LockOptions {
  /** Longer than the work can take: past it somebody else may begin. */
  readonly ttlMs: number
  /** A holder that was not heard of for so long counts as dead, also when it was only stopped. Absent: that long is `ttlMs`. */
  readonly silentMs?: number
  readonly now: () => number
}

/** The lock stayed taken for as long as anybody may hold it. */
export class LockTaken extends Error {}

/**
 * Long enough for a process that is stopped for a moment, or waits for a slow disk, and short enough for the person or
 * call that waits behind one that was killed.
 */
export const SILENT_MS = 5_000
const POLL_MS = 25

/** Runs `work` while holding the lock; waits up to `ttlMs` for it. The caller must read again what it protects. Throws LockTaken. */
export async function withLock<T>(
  store: Store,
  name: string,
  { ttlMs, silentMs = ttlMs, now }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const key = `lock/${name}`
  const owner = randomUUID()
  const giveUpAtMs = now() + ttlMs
  while (!(await store.cas(key, ABSENT, { owner }, { expiresAtMs: now() + silentMs }))) {
    if (now() >= giveUpAtMs) throw new LockTaken(`the lock ${name.split('/')[0]} stayed taken`)
    await delay(POLL_MS + Math.random() * POLL_MS)
  }
  const endsAtMs = now() + ttlMs
  // It may have run out and be somebody else's by now.
  const changeWhere = (isOurs: (held: Owner | undefined) => boolean, change: Change<Owner>) =>
    update<Owner>(store, key, (held) => (isOurs(held) ? change : undefined))
  // Who was only stopped, and finds that nobody came meanwhile, holds it again.
  const extend = () =>
    changeWhere((held) => held === undefined || held.owner === owner, {
      value: { owner },
      options: { expiresAtMs: Math.min(endsAtMs, now() + silentMs) },
    })
  let beating: Promise<unknown> = Promise.resolve()
  const beat = () => {
    // Where it fails, the lock runs out.
    beating = Promise.allSettled([beating, extend()])
  }
  const heartbeat = silentMs < ttlMs ? setInterval(beat, silentMs / 3) : undefined
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    // One that is still under way would take the lock again after it was given back.
    await beating
    await changeWhere((held) => held?.owner === owner, { value: undefined })
  }
}

interface Owner {
  readonly owner: string
}
