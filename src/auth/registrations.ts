// The gateway's own registrations at upstream authorization servers (RFC 7591): one for each issuer, redirect URI and use, kept
// sealed, never shown to another server (spec-U4), made anew when the server forgot it or its secret has expired.
import { UpstreamError } from '../errors.ts'
import { hashToken } from '../oauth/tokens.ts'
import { LockTaken, withLock } from '../store/lock.ts'
import { FORMAT, keys } from '../store/records.ts'
import type { Entry } from '../store/store.ts'
import { isForgotten } from '../upstream/known-client.ts'
import { isClientId, type UpstreamRegistration } from '../upstream/register.ts'
import { isResting } from '../upstream/rest.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import type { AuthDeps } from './context.ts'
import { type OwnClientInput, signsIn } from './own-client.ts'
import { noteUse, usedNow } from './unused.ts'

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
  /** The one there is, or the one that `register` makes. Throws what `register` throws; as all that wait for each other here, UpstreamError when the wait is over. */
  at(issuer: string, register: () => Promise<UpstreamRegistration>): Promise<UpstreamRegistration>
  /** It is what the gateway is known by there. Without this for long it is forgotten. */
  noteUsed(issuer: string): Promise<void>
  /** The server gave tokens to this client. */
  prove(server: UpstreamServer): Promise<void>
  /** Whether the server still knows this client is asked; if not, the registration is dropped, and the answer is true. */
  dropIfForgotten(server: UpstreamServer): Promise<boolean>
  /** Its token endpoint answered `invalid_client` itself. True: the registration is gone, so that another can be made. */
  drop(server: UpstreamServer): Promise<boolean>
}

const PURPOSE = 'upstream-server'
const LOCK_TTL_MS = 60_000
/** A server that refuses what it has just issued would do so again: registering over and over helps nobody. */
const UNPROVEN_REST_MS = 60 * 60_000
const FORGOT_SIGN_IN = 'the upstream forgot this gateway: it registers anew, and people sign in there again'
const FORGOT_SERVICE = 'the upstream forgot this gateway: it registers anew'

type Who = Pick<OwnClientInput, 'redirectUri' | 'grantTypes'>

export function createRegistrations(who: Who, deps: AuthDeps): Registrations {
  const { store, sealer, http, now, log } = deps
  const proven = new Set<string>()
  // A client that signs people in is not one that gets tokens for itself, also where they have the same server.
  const identity = signsIn(who) ? [who.redirectUri] : [who.redirectUri, who.grantTypes]
  const keyOf = (issuer = '') => keys.registered(hashToken(JSON.stringify([issuer, ...identity])))
  const locked = <T>(key: string, work: () => Promise<T>) =>
    withLock(store, key, { ttlMs: LOCK_TTL_MS, now }, work).catch((error: unknown) => {
      throw error instanceof LockTaken ? registeredElsewhere() : error
    })

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
    provenAtMs !== undefined ||
    registeredAtMs === undefined ||
    !isResting(registeredAtMs, UNPROVEN_REST_MS, now())

  const dropWhere = (server: UpstreamServer, isGone: () => Promise<boolean>): Promise<boolean> =>
    locked(keyOf(server.issuer), async () => {
      const key = keyOf(server.issuer)
      const found = await read(key)
      // Somebody else was here while we waited for the lock.
      if (found?.held.clientId !== server.clientId) return true
      if (!mayBeReplaced(found.held) || !(await isGone())) return false
      await store.cas(key, found.entry.version, undefined)
      log.warn(signsIn(who) ? FORGOT_SIGN_IN : FORGOT_SERVICE, { issuer: server.issuer })
      return true
    })

  return {
    // Locked: two processes must not both register.
    at: (issuer, register) =>
      locked(keyOf(issuer), async () => {
        const key = keyOf(issuer)
        const found = await read(key)
        if (found !== undefined && isClientId(found.held.clientId) && !isExpired(found.held))
          return found.held
        const registered = await register()
        const { value, options } = usedNow(seal(key, { ...registered, registeredAtMs: now() }), now())
        await store.put(key, value, options)
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
      const { value, options } = usedNow(seal(key, { ...found.held, provenAtMs: now() }), now())
      await store.cas(key, found.entry.version, value, options)
    },

    noteUsed: (issuer) => noteUse(store, keyOf(issuer), now()),

    dropIfForgotten: (server) => dropWhere(server, () => isForgotten(http, server, now())),
    drop: (server) => dropWhere(server, async () => true),
  }
}

function registeredElsewhere(): UpstreamError {
  return new UpstreamError('unavailable', 'the gateway is being registered at the upstream elsewhere', {}, 5)
}
