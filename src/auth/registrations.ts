// The gateway's own registrations at upstream authorization servers (RFC 7591): one for each issuer, redirect URI and use, kept
// sealed, never shown to another server (spec-U4), made anew when the server forgot it or its secret has expired.
import { UpstreamError } from '../errors.ts'
import { includesAll, remembered, union } from '../oauth/scope.ts'
import { hashToken } from '../oauth/tokens.ts'
import { createBucket } from '../policy/bucket.ts'
import { LockTaken, SILENT_MS, withLock } from '../store/lock.ts'
import { FORMAT, keys } from '../store/records.ts'
import { ABSENT, type Entry } from '../store/store.ts'
import { isForgotten, observeClock } from '../upstream/known-client.ts'
import type { ScopeVerdict } from '../upstream/refused-scopes.ts'
import { isClientId, type UpstreamRegistration } from '../upstream/register.ts'
import { isResting } from '../upstream/rest.ts'
import type { UpstreamAuthMethod, UpstreamServer } from '../upstream/server.ts'
import type { AuthDeps } from './context.ts'
import { type OwnClientInput, signsIn } from './own-client.ts'
import { noteUse, usedNow } from './unused.ts'

/** What a registration has to be good for. */
export interface Wanted {
  readonly scopes: readonly string[]
  /** The configuration's; undefined: whichever the server takes. */
  readonly authMethod: UpstreamAuthMethod | undefined
}

export interface Needed extends Wanted {
  /** What it is no use without; a server may refuse to register for the others. */
  readonly least?: readonly string[]
  /**
   * Given where the server keeps the client to less, so that another is made even if people are signed in by this one:
   * what it says of these scopes for that other client. Unless it takes them the one that people are signed in by stays.
   */
  readonly takes: ((client: UpstreamRegistration) => Promise<ScopeVerdict>) | undefined
}

/** Registers at the server for these scopes. */
export type Register = (scopes: readonly string[]) => Promise<UpstreamRegistration>

interface Registered extends UpstreamRegistration {
  /** Absent, here and below: made before this was noted. */
  readonly registeredAtMs?: number
  readonly wanted?: Wanted
  /** When a code was first redeemed with it. */
  readonly provenAtMs?: number
  /** The server knows it no more: only to tell what is made next that it replaces this. */
  readonly disowned?: true
  /** The server disowned the one before, so disowning this one is not helped by a third. */
  readonly replaces?: boolean
  /** Scopes that a client which registered for them was refused all the same. */
  readonly vain?: { readonly scopes: readonly string[]; readonly atMs: number }
}

interface Sealed {
  readonly v: typeof FORMAT
  readonly sealed: string
}

export interface Registrations {
  /** The one there is, whatever it is good for. */
  held(issuer: string): Promise<UpstreamRegistration | undefined>
  /**
   * The one there is, or the one that `register` makes for these scopes: where there is none, or one that is not good for
   * what is wanted and that nobody is signed in by. Throws what `register` throws; as all that wait for each other here, UpstreamError
   * when the wait is over.
   */
  at(issuer: string, needed: Needed, register: Register): Promise<UpstreamRegistration>
  /** Whether this client was registered for less than these scopes, and another would help as far as is known. */
  isNarrower(server: UpstreamServer, scopes: readonly string[]): Promise<boolean>
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
/** A server that refuses what it has issued a moment ago would do so again. */
const FRESH_REST_MS = 60_000
/** And so would one that refused the one before: registering over and over helps nobody. */
const REPLACEMENT_REST_MS = 60 * 60_000
/** Each leaves a client behind that nobody takes away (RFC 7592 is seldom there), and what is wanted may come from outside. */
const WIDER = { size: 5, perSecond: 1 / 600 }
/** Servers learn new scopes. */
const VAIN_REST_MS = 24 * 60 * 60_000
/** Assertions are good for a minute, and answers take a while. */
const CLOCK_TOLERANCE_MS = 30_000
const FORGOT_SIGN_IN = 'the upstream forgot this gateway: it registers anew, and people sign in there again'
const CLOCKS_DIFFER =
  'the upstream refuses the signed assertions of this gateway, and the clocks of the two differ: its operator has to set the clock'
const FORGOT_SERVICE = 'the upstream forgot this gateway: it registers anew'

type Who = Pick<OwnClientInput, 'redirectUri' | 'grantTypes'>

export function createRegistrations(who: Who, deps: AuthDeps): Registrations {
  const { store, sealer, http, now, log } = deps
  const proven = new Set<string>()
  const wider = createBucket({ ...WIDER, now })
  // A client that signs people in is not one that gets tokens for itself, also where they have the same server.
  const identity = signsIn(who) ? [who.redirectUri] : [who.redirectUri, who.grantTypes]
  const keyOf = (issuer = '') => keys.registered(hashToken(JSON.stringify([issuer, ...identity])))
  const locked = <T>(key: string, work: () => Promise<T>) =>
    withLock(store, key, { ttlMs: LOCK_TTL_MS, silentMs: SILENT_MS, now }, work).catch((error: unknown) => {
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

  const isUsable = (held: Registered) =>
    held.disowned === undefined && isClientId(held.clientId) && !isExpired(held)

  const mayBeReplaced = ({ provenAtMs, replaces, registeredAtMs }: Registered) =>
    provenAtMs !== undefined ||
    registeredAtMs === undefined ||
    !isResting(registeredAtMs, replaces ? REPLACEMENT_REST_MS : FRESH_REST_MS, now())

  /** Their links belong to it. */
  const isUsedByPeople = ({ provenAtMs }: Registered) => signsIn(who) && provenAtMs !== undefined

  /** Never for less than before, or what one route needs would end what the other has. */
  async function make(
    found: Registered | undefined,
    wanted: Needed,
    register: Register,
  ): Promise<Registered> {
    const scopes = union(remembered([], found?.wanted?.scopes ?? []), wanted.scopes)
    const { authMethod, least = wanted.scopes } = wanted
    // A scope that is merely possible, or was once, must not cost everybody the client.
    const registration = await register(scopes).catch((error: unknown) => {
      const isRefused = error instanceof UpstreamError && error.fault === 'bad_response'
      if (!isRefused || includesAll(least, scopes) || (found && isUsable(found))) throw error
      return register(least)
    })
    return {
      ...registration,
      registeredAtMs: now(),
      wanted: { scopes, authMethod },
      replaces: found?.disowned === true,
    }
  }

  /** RFC 6749 §5.2: `invalid_client` also means an assertion that was not accepted, as where the clocks differ. */
  async function isGoneFrom(server: UpstreamServer, held: Registered): Promise<boolean> {
    const clock = observeClock(http)
    if (!(await isForgotten(clock.http, server, now()))) return false
    const aheadMs = clock.aheadMs()
    const isSure =
      held.authMethod !== 'private_key_jwt' ||
      !isUsedByPeople(held) ||
      Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS
    if (!isSure) log.warn(CLOCKS_DIFFER, { issuer: server.issuer, aheadSeconds: Math.round(aheadMs / 1000) })
    return isSure
  }

  const dropWhere = (
    server: UpstreamServer,
    isGone: (held: Registered) => Promise<boolean>,
  ): Promise<boolean> =>
    locked(keyOf(server.issuer), async () => {
      const key = keyOf(server.issuer)
      const found = await read(key)
      // Somebody else was here while we waited for the lock.
      if (found?.held.clientId !== server.clientId || found.held.disowned) return true
      if (!mayBeReplaced(found.held) || !(await isGone(found.held))) return false
      const { value, options } = usedNow(seal(key, { ...found.held, disowned: true }), now())
      await store.cas(key, found.entry.version, value, options)
      log.warn(signsIn(who) ? FORGOT_SIGN_IN : FORGOT_SERVICE, { issuer: server.issuer })
      return true
    })

  return {
    // Locked: two processes must not both register.
    at: (issuer, needed, register) =>
      locked(keyOf(issuer), async () => {
        const key = keyOf(issuer)
        const found = await read(key)
        const isKept =
          found && (suits(found.held, needed) || (isUsedByPeople(found.held) && needed.takes === undefined))
        const isGood = found && isUsable(found.held)
        if (isGood && (isKept || wider.take() !== 'taken')) return asClient(found.held)
        const version = (found?.entry ?? (await store.get(key)))?.version ?? ABSENT
        const made = await make(found?.held, needed, register)
        const verdict = isGood ? await needed.takes?.(asClient(made)) : undefined
        // Nothing is known of it: the next who comes tries again, as often as `wider` lets them.
        if (isGood && verdict === 'unknown') return asClient(found.held)
        const isVain = isGood && verdict === 'refused'
        const registered = isVain ? { ...found.held, vain: { scopes: needed.scopes, atMs: now() } } : made
        const { value, options } = usedNow(seal(key, registered), now())
        // Whoever took the lock over, while this process was stopped, may have people signed in by theirs already.
        if (!(await store.cas(key, version, value, options))) throw registeredElsewhere()
        if (!isVain) log.info('registered at the upstream', { issuer })
        return asClient(registered)
      }),

    async held(issuer) {
      const found = await read(keyOf(issuer))
      return found && isUsable(found.held) ? asClient(found.held) : undefined
    },

    async isNarrower({ issuer, clientId }, scopes) {
      const found = await read(keyOf(issuer))
      const { clientId: known, wanted, vain } = found?.held ?? {}
      if (known !== clientId || wanted === undefined || includesAll(wanted.scopes, scopes)) return false
      const wasVain = vain !== undefined && isResting(vain.atMs, VAIN_REST_MS, now())
      return !(wasVain && includesAll(scopes, vain.scopes))
    },

    async prove({ issuer, clientId }) {
      if (proven.has(clientId)) return
      const key = keyOf(issuer)
      const found = await read(key)
      if (found === undefined || found.held.clientId !== clientId) return
      const isNoted = found.held.provenAtMs !== undefined
      const { value, options } = usedNow(seal(key, { ...found.held, provenAtMs: now() }), now())
      // Whoever changed it meanwhile knows better, and the next token says it again.
      if (isNoted || (await store.cas(key, found.entry.version, value, options))) proven.add(clientId)
    },

    noteUsed: (issuer) => noteUse(store, keyOf(issuer), now()),

    dropIfForgotten: (server) => dropWhere(server, (held) => isGoneFrom(server, held)),
    drop: (server) => dropWhere(server, async () => true),
  }
}

const suits = ({ wanted }: Registered, { scopes, authMethod }: Wanted) =>
  wanted === undefined || (wanted.authMethod === authMethod && includesAll(wanted.scopes, scopes))

/** Without what only this file is concerned with. */
function asClient({
  clientId,
  clientSecret,
  authMethod,
  secretExpiresAtMs,
  keyId,
}: UpstreamRegistration): UpstreamRegistration {
  return { clientId, clientSecret, authMethod, secretExpiresAtMs, keyId }
}

function registeredElsewhere(): UpstreamError {
  return new UpstreamError('unavailable', 'the gateway is being registered at the upstream elsewhere', {}, 5)
}
