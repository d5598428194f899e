// Whose an MCP session is. Its id alone opens nothing, but an upstream that sees one credential for everybody cannot tell
// who brings it: so it is remembered whom it was given to, and for everybody else there is no such session (spec-R8).
import { HttpError } from './errors.ts'
import { hashToken } from './oauth/tokens.ts'
import type { Log } from './ops/log.ts'
import type { Caller } from './slots.ts'
import { FORMAT, keys, type McpSession } from './store/records.ts'
import { ABSENT, type Entry, type Store } from './store/store.ts'

export interface McpSessions {
  /** Throws 404 for a session of somebody else, as for one that has ended: a client then begins one of its own. */
  check(id: string, caller: Caller, upstream: URL): Promise<void>
  /** The upstream gave this id to this caller. Returns at once: its answer is on the way already. */
  remember(id: string, caller: Caller, upstream: URL): void
}

const DAY_MS = 24 * 60 * 60_000
/** Since the last use, give or take a day. */
const KEPT_MS = 30 * DAY_MS

export function createMcpSessions(store: Store, now: () => number, log: Log): McpSessions {
  /** What is being written: a request that names it waits for that. */
  const pending = new Map<string, Promise<void>>()

  async function write(key: string, entry: Entry<McpSession> | undefined, caller: Caller): Promise<boolean> {
    // An upstream that gives one id to two people means no person by it.
    const isShared = entry !== undefined && entry.value.subject !== caller.subject
    const session: McpSession = { v: FORMAT, subject: isShared ? 'several' : caller.subject, usedAtMs: now() }
    return store.cas(key, entry?.version ?? ABSENT, session, { expiresAtMs: now() + KEPT_MS })
  }

  async function giveTo(key: string, caller: Caller): Promise<void> {
    for (let isWritten = false; !isWritten; ) {
      const entry = await store.get<McpSession>(key)
      if (entry?.value.subject === caller.subject || entry?.value.subject === 'several') return
      isWritten = await write(key, entry, caller)
    }
  }

  return {
    async check(id, caller, upstream) {
      const key = keyOf(id, upstream)
      await pending.get(key)
      const entry = await store.get<McpSession>(key)
      // One that was never seen here, such as from before an update, is the upstream's to judge.
      if (entry === undefined || entry.value.subject === 'several') return
      if (entry.value.subject !== caller.subject) {
        throw new HttpError(404, 'there is no such session', { reason: 'session_of_another' })
      }
      if (now() - entry.value.usedAtMs > DAY_MS) await write(key, entry, caller)
    },
    remember(id, caller, upstream) {
      const key = keyOf(id, upstream)
      const before = pending.get(key) ?? Promise.resolve()
      const writing = before
        .then(() => giveTo(key, caller))
        .catch((error: unknown) => log.warn('session not bound to its person', { reason: String(error) }))
        .finally(() => pending.get(key) === writing && pending.delete(key))
      pending.set(key, writing)
    },
  }
}

/** By origin: a second route to the same upstream must not be a way around. */
const keyOf = (id: string, { origin }: URL) => keys.mcpSession(hashToken(JSON.stringify([origin, id])))
