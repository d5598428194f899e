// Tokens that the gateway can get again without a person at a browser: kept sealed in the store,
// got anew ahead of their end, with at most one request at a time over all processes.
import { GatewayError, UpstreamError } from '../errors.ts'
import { messageOf } from '../message-of.ts'
import type { Log } from '../ops/log.ts'
import type { Subject } from '../slots.ts'
import { LockTaken, SILENT_MS, withLock } from '../store/lock.ts'
import { FORMAT, indexes, keys } from '../store/records.ts'
import type { Sealer } from '../store/seal.ts'
import { sealedRecords } from '../store/sealed-records.ts'
import type { Entry, Store } from '../store/store.ts'
import { isResting, restMs } from '../upstream/rest.ts'
import type { UpstreamTokens } from '../upstream/server.ts'
import { isDue, isExpired } from './refresh.ts'

/** Which token: everything that it depends on is in the key. */
export interface Place {
  readonly key: string
  /** Whose it is; undefined: everyone's. Who leaves the configuration loses theirs. */
  readonly subject: Subject | undefined
  /** Nobody asks for it from then on. Absent: they may always. */
  readonly usedUntilMs?: number | undefined
}

export interface HeldTokens {
  /** A token to send now. Throws what `obtain` throws. */
  get(place: Place, obtain: () => Promise<UpstreamTokens>): Promise<string>
  /** The upstream answered 401 to this one. True: another is there, or can be had. */
  refused(place: Place, accessToken: string): Promise<boolean>
}

export interface HeldTokensDeps {
  readonly store: Store
  readonly sealer: Sealer
  readonly now: () => number
  readonly log: Log
}

interface Stored {
  readonly v: typeof FORMAT
  readonly subject: Subject | undefined
  readonly sealed: string
  /** The upstream took it no more: only to know whether it is still the same. */
  readonly refused: boolean
  /** The one before was refused, so a refusal of this one is not helped by a third. */
  readonly replaces: boolean
}

interface Held extends Pick<Stored, 'refused' | 'replaces'> {
  readonly tokens: UpstreamTokens
}
interface Found extends Held {
  readonly entry: Entry<Stored>
}

const PURPOSE = 'held-token'
/** Two requests of 15 s each, and a search for the server. */
const LOCK_TTL_MS = 60_000
/** However long the upstream would take it: another costs one request, and callers who never come back leave nothing for longer. */
const LONGEST_MS = 24 * 60 * 60_000
/** A token that replaced a refused one and is refused as well will do so for a while. */
const REPLACE_EVERY_MS = 60_000
const MAX_IN_MEMORY = 10_000

export function createHeldTokens({ store, sealer, now, log }: HeldTokensDeps): HeldTokens {
  const records = sealedRecords<UpstreamTokens>(sealer, PURPOSE, MAX_IN_MEMORY)
  const underway = new Map<string, Promise<Held>>()
  const failed = new Map<string, { readonly atMs: number; readonly error: GatewayError }>()

  const recordOf = ({ key }: Place) => keys.heldToken(key)

  async function read(place: Place): Promise<Found | undefined> {
    const record = recordOf(place)
    const entry = await store.get<Stored>(record)
    const tokens = entry && records.open(record, entry.value.sealed)
    if (entry === undefined || tokens === undefined) return undefined
    const { refused, replaces } = entry.value
    return { tokens, refused, replaces, entry }
  }

  async function write(place: Place, held: Held): Promise<Held> {
    const { tokens, refused, replaces } = held
    const { subject } = place
    const record = recordOf(place)
    const sealed = records.seal(record, tokens)
    const value: Stored = { v: FORMAT, subject, sealed, refused, replaces }
    await store.put(record, value, options(place, tokens))
    return held
  }

  const endOf = ({ expiresAtMs = Infinity }: UpstreamTokens) => Math.min(expiresAtMs, now() + LONGEST_MS)

  const options = ({ subject, usedUntilMs = Infinity }: Place, tokens: UpstreamTokens) => ({
    expiresAtMs: Math.min(endOf(tokens), usedUntilMs),
    ...(subject !== undefined && { indexes: [indexes.bySubject(subject)] }),
  })

  const works = (held: Found | undefined): held is Found =>
    held !== undefined && !held.refused && !isExpired(held.tokens, now())

  async function obtainLocked(place: Place, obtain: () => Promise<UpstreamTokens>): Promise<Held> {
    // Somebody else may have been here while we waited for the lock.
    const found = await read(place)
    if (works(found) && !isDue(found.tokens, now())) return found
    const tokens = await obtain()
    return write(place, {
      tokens: { ...tokens, refreshToken: undefined, expiresAtMs: endOf(tokens) },
      refused: false,
      replaces: found?.refused === true,
    })
  }

  function renew(place: Place, obtain: () => Promise<UpstreamTokens>): Promise<Held> {
    const { key } = place
    const running = underway.get(key)
    if (running !== undefined) return running
    const failure = failed.get(key)
    if (failure !== undefined && isResting(failure.atMs, restMs(failure.error), now()))
      return Promise.reject(failure.error)
    const options = { ttlMs: LOCK_TTL_MS, silentMs: SILENT_MS, now }
    const started = withLock(store, recordOf(place), options, () => obtainLocked(place, obtain))
      .catch((error: unknown) => letRest(key, error))
      .finally(() => underway.delete(key))
    underway.set(key, started)
    return started
  }

  /** A server in trouble is not asked again by every request that comes in. */
  function letRest(key: string, thrown: unknown): never {
    const error = thrown instanceof LockTaken ? obtainedElsewhere() : thrown
    if (error instanceof GatewayError) {
      if (failed.size >= MAX_IN_MEMORY) failed.clear()
      failed.set(key, { atMs: now(), error })
    }
    throw error
  }

  return {
    async get(place, obtain) {
      const held = await read(place)
      if (!works(held)) return (await renew(place, obtain)).tokens.accessToken
      if (isDue(held.tokens, now())) {
        // Ahead of its end the old token is as good as ever, so nobody waits for the new one.
        renew(place, obtain).catch((error: unknown) =>
          log.warn('upstream token not renewed yet', {
            reason: messageOf(error),
          }),
        )
      }
      return held.tokens.accessToken
    },

    async refused(place, accessToken) {
      const held = await read(place)
      if (held === undefined || held.refused || held.tokens.accessToken !== accessToken) return true
      if (held.replaces && isResting(held.tokens.obtainedAtMs, REPLACE_EVERY_MS, now())) return false
      // Unless it was replaced meanwhile: the new one must not be lost to a call that comes late with the old one.
      const { entry, tokens } = held
      await store.cas(
        recordOf(place),
        entry.version,
        { ...entry.value, refused: true },
        options(place, tokens),
      )
      return true
    },
  }
}

function obtainedElsewhere(): UpstreamError {
  return new UpstreamError('unavailable', 'the upstream token is being fetched elsewhere', {}, 5)
}
