// The gateway's own registrations at upstream authorization servers (RFC 7591): one for each issuer and redirect URI, kept
// sealed, never shown to another server (spec-U4), made anew when the server forgot it or its secret has expired.
import { hashToken } from '../oauth/tokens.ts'
import { withLock } from '../store/lock.ts'
import { FORMAT } from '../store/records.ts'
import type { Entry } from '../store/store.ts'
import { isForgotten } from '../upstream/known-client.ts'
import type { UpstreamRegistration } from '../upstream/register.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import type { AuthDeps } from './context.ts'

interface Registered extends UpstreamRegistration {
  /** Absent: made before this was noted. */
  readonly registeredAtMs?: number
  /** When a code was first redeemed with it. */
  readonly provenAtMs?: number
}

interface Sealed {
  readonly v: typeof FORMAT
  readonly sealed: string
}

export interface Registrations {
  /** The one there is, or the one that `register` makes. Throws what `register` throws. */
  at(issuer: string, register: () => Promise<UpstreamRegistration>): Promise<UpstreamRegistration>
  /** The server gave tokens to this client. */
  prove(server: UpstreamServer): Promise<void>
  /** Whether the server still knows this client is asked; if not, the registration is dropped, and the answer is true. */
  dropIfForgotten(server: UpstreamServer): Promise<boolean>
}

const PURPOSE = 'upstream-server'
const LOCK_TTL_MS = 60_000
/** A server that refuses what it has just issued would do so again: registering over and over helps nobody. */
const UNPROVEN_REST_MS = 60 * 60_000

export function createRegistrations(redirectUri: string, deps: AuthDeps): Registrations {
  const { store, sealer, http, now, log } = deps
  const proven = new Set<string>()
  const keyOf = (issuer = '') => `registered/${hashToken(JSON.stringify([issuer, redirectUri]))}`
  const locked = <T>(key: string, work: () => Promise<T>) =>
    withLock(store, key, { ttlMs: LOCK_TTL_MS, now }, work)

  async function read(key: string): Promise<{ entry: Entry<Sealed>; held: Registered } | undefined> {
    const entry = await store.get<Sealed>(key)
    const text = entry && sealer.open(PURPOSE, key, entry.value.sealed)
    return entry && text !== undefined ? { entry, held: JSON.parse(text) as Registered } : undefined
  }

  const seal = (key: string, registered: Registered): Sealed => ({
    v: FORMAT,
    sealed: sealer.seal(PURPOSE, key, JSON.stringify(registered)),
  })

  const isExpired = ({ secretExpiresAtMs }: Registered) =>
    secretExpiresAtMs !== undefined && secretExpiresAtMs <= now()

  const mayBeReplaced = ({ provenAtMs, registeredAtMs }: Registered) =>
    provenAtMs !== undefined || registeredAtMs === undefined || now() - registeredAtMs > UNPROVEN_REST_MS

  return {
    // Locked: two processes must not both register.
    at: (issuer, register) =>
      locked(keyOf(issuer), async () => {
        const key = keyOf(issuer)
        const found = await read(key)
        if (found !== undefined && !isExpired(found.held)) return found.held
        const registered = await register()
        await store.put(key, seal(key, { ...registered, registeredAtMs: now() }))
        log.info('registered at the upstream', { issuer })
        return registered
      }),

    async prove({ issuer, clientId }) {
      if (proven.has(clientId)) return
      proven.add(clientId)
      const key = keyOf(issuer)
      const found = await read(key)
      if (found === undefined || found.held.clientId !== clientId || found.held.provenAtMs !== undefined)
        return
      // Whoever changed it meanwhile knows better.
      await store.cas(key, found.entry.version, seal(key, { ...found.held, provenAtMs: now() }))
    },

    dropIfForgotten: (server) =>
      locked(keyOf(server.issuer), async () => {
        const key = keyOf(server.issuer)
        const found = await read(key)
        // Somebody else was here while we waited for the lock.
        if (found?.held.clientId !== server.clientId) return true
        if (!mayBeReplaced(found.held) || !(await isForgotten(http, server, now()))) return false
        await store.cas(key, found.entry.version, undefined)
        log.warn('the upstream forgot this gateway: it registers anew, and people sign in there again', {
          issuer: server.issuer,
        })
        return true
      }),
  }
}
