// Whose an MCP session is. Its id alone opens nothing, but an upstream that sees one credential for everybody cannot tell
// who brings it: so it is remembered whom it was given to, and for everybody else there is no such session (spec-R8).
// Nor is there one for another upstream account of that person: the upstream may refuse it there for ever.
import { HttpError } from './errors.ts'
import { hashToken } from './oauth/tokens.ts'
import type { Log } from './ops/log.ts'
import { createBuckets } from './policy/bucket.ts'
import type { Caller, Credentials } from './slots.ts'
import { FORMAT, keys, type McpSession } from './store/records.ts'
import { ABSENT, type Entry, type Store } from './store/store.ts'

type Account = Credentials['accountSinceMs']

/** What writes returns at once: the upstream's answer is on the way already. */
export interface McpSessions {
  /** Throws 404 for a session of somebody else, or of another account, as for one that has ended: a client then begins one of its own. */
  check(id: string, caller: Caller, upstream: URL, account?: Account): Promise<void>
  /** The upstream gave this id to this caller. False: they were given too many, and must not learn this one, which nobody would guard. */
  remember(id: string, caller: Caller, upstream: URL, account?: Account): boolean
  /** The upstream ended this session at its caller's wish. */
  forget(id: string, caller: Caller, upstream: URL): void
}

const HOUR_MS = 60 * 60_000
const DAY_MS = 24 * HOUR_MS
/** Of an id that nobody came back with. Clients do so at once, and some upstreams name a new id in every answer. */
const UNUSED_MS = HOUR_MS
/** Since the last use, give or take a day. */
const KEPT_MS = 30 * DAY_MS

/** A ceiling for loops: each id is a record. Hosted agents open a session for each conversation, under one name. */
const NEW_SESSIONS = { size: 1_000, perSecond: 1 }
const MAX_SUBJECTS = 10_000

export function createMcpSessions(store: Store, now: () => number, log: Log): McpSessions {
  const given = createBuckets({ ...NEW_SESSIONS, most: MAX_SUBJECTS, now })
  /** What is being written: a request that names it waits for that. */
  const pending = new Map<string, Promise<void>>()

  function write(key: string, work: () => Promise<unknown>): void {
    const writing = (pending.get(key) ?? Promise.resolve())
      .then(work)
      .then(() => {})
      .catch((error: unknown) => log.warn('session not bound to its person', { reason: String(error) }))
      .finally(() => pending.get(key) === writing && pending.delete(key))
    pending.set(key, writing)
  }

  function keep(key: string, { version }: Entry, session: McpSession): Promise<boolean> {
    const used = { ...session, usedAtMs: now() }
    return store.cas(key, version, used, { expiresAtMs: now() + KEPT_MS })
  }

  async function giveTo(key: string, caller: Caller, account: Account): Promise<void> {
    const { subject } = caller
    for (let isWritten = false; !isWritten; ) {
      const entry = await store.get<McpSession>(key)
      if (entry !== undefined && serves(entry.value, caller) && isOf(entry.value, account)) return
      const session = { v: FORMAT, subject, ...(account !== undefined && { accountSinceMs: account }) }
      isWritten =
        entry === undefined
          ? await store.cas(key, ABSENT, session, { expiresAtMs: now() + UNUSED_MS })
          : // An upstream that gives one id to two people means no person by it, and one that gives it to two accounts no account.
            await keep(key, entry, { v: FORMAT, subject: serves(entry.value, caller) ? subject : 'several' })
    }
  }

  async function takeFrom(key: string, caller: Caller): Promise<void> {
    for (let isGone = false; !isGone; ) {
      const entry = await store.get<McpSession>(key)
      // Also what is of several people: one of them does not end it for the others.
      if (entry?.value.subject !== caller.subject) return
      isGone = await store.cas(key, entry.version, undefined)
    }
  }

  return {
    async check(id, caller, upstream, account) {
      const key = keyOf(id, upstream)
      await pending.get(key)
      const entry = await store.get<McpSession>(key)
      // One that was never seen here, such as from before an update, is the upstream's to judge.
      if (entry === undefined) return
      if (!serves(entry.value, caller)) {
        throw new HttpError(404, 'there is no such session', { reason: 'session_of_another' })
      }
      if (!isOf(entry.value, account)) {
        throw new HttpError(404, 'there is no such session', { reason: 'session_of_another_account' })
      }
      const { usedAtMs = Number.NEGATIVE_INFINITY } = entry.value
      if (now() - usedAtMs > DAY_MS) write(key, () => keep(key, entry, entry.value))
    },
    remember(id, caller, upstream, account) {
      const { subject } = caller
      const place = given.take(subject)
      if (place === 'empty_now') log.warn('too many MCP sessions of one person', { subject, ...NEW_SESSIONS })
      if (place !== 'taken') return false
      const key = keyOf(id, upstream)
      write(key, () => giveTo(key, caller, account))
      return true
    },
    forget(id, caller, upstream) {
      const key = keyOf(id, upstream)
      write(key, () => takeFrom(key, caller))
    },
  }
}

const serves = ({ subject }: McpSession, caller: Caller) =>
  subject === caller.subject || subject === 'several'

/** Where one of them says nothing there is nothing to tell apart. */
const isOf = ({ accountSinceMs }: McpSession, account: Account) =>
  accountSinceMs === undefined || account === undefined || accountSinceMs === account

/** By origin: a second route to the same upstream must not be a way around. */
const keyOf = (id: string, { origin }: URL) => keys.mcpSession(hashToken(JSON.stringify([origin, id])))
