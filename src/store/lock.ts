// One holder at a time, over all processes that share a store. A holder that dies loses the lock when its time is up.
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
  // Only our own: it may have run out and be somebody else's by now.
  const changeOwn = (change: Change<Owner>) =>
    update<Owner>(store, key, (held) => (held?.owner === owner ? change : undefined))
  const extend = () =>
    changeOwn({ value: { owner }, options: { expiresAtMs: Math.min(endsAtMs, now() + silentMs) } })
  // Where it fails, the lock runs out.
  const beat = () => extend().catch(() => {})
  const heartbeat = silentMs < ttlMs ? setInterval(beat, silentMs / 3) : undefined
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    await changeOwn({ value: undefined })
  }
}

interface Owner {
  readonly owner: string
}
