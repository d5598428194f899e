// The MCP exchanges that are open now. A stream may outlive what let it in by hours, so all are looked over again and
// again: what was revoked, removed or forbidden ends within seconds, whichever process or edit did it.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Gateway, Route } from './gateway.ts'
import { findAccessToken } from './oauth/grant.ts'
import { isFor, isSubjectOf } from './oauth/issuer-token.ts'
import { includesAll } from './oauth/scope.ts'
import { mayUse } from './policy/access.ts'
import type { Caller } from './slots.ts'
import { type Grant, keys } from './store/records.ts'
import type { Store } from './store/store.ts'

export interface OpenStream {
  readonly caller: Caller
  /** Of the access token that it was opened with, unless that is taken back before. */
  readonly tokenExpiresAtMs: number
  /** The upstream account that its credentials are of; undefined while there are none, or none of a person's own. */
  readonly accountSinceMs: () => number | undefined
  /** Where it goes, as its route said when it began. */
  readonly upstream: string
  /** Cuts both ends. */
  readonly end: () => void
}

export interface Streams {
  /** Call the result when the exchange is over. */
  open(stream: OpenStream): () => void
  countByRoute(): ReadonlyMap<string, number>
  /** Looks all of them over now, or those of one grant. */
  check(grantId?: string): Promise<void>
  close(): void
}

export interface StreamsOptions {
  readonly store: Store
  readonly current: () => Gateway
  readonly now: () => number
}

/** `drain`: it may go on, but not for long: its token expired, its route leads elsewhere now, or to another account (design §5). */
export type StreamVerdict = 'keep' | 'drain' | 'end'

const CHECK_MS = 2_000
/** Checking thousands of streams in one go would hold up the requests. */
const BATCH = 100

function judgeStream(
  { caller, tokenExpiresAtMs, upstream }: OpenStream,
  grant: Grant | undefined,
  gateway: Gateway,
  nowMs: number,
): StreamVerdict {
  const route = caller.grantId === undefined ? routeOfIssued(caller, gateway) : routeOf(grant, gateway)
  if (route === undefined) return 'end'
  const hasExpired = nowMs >= tokenExpiresAtMs
  const isLive =
    caller.grantId === undefined
      ? !hasExpired
      : grant !== undefined && findAccessToken(grant, caller.tokenHash, nowMs) !== undefined
  if (!isLive && !hasExpired) return 'end'
  return isLive && route.upstream.url.href === upstream ? 'keep' : 'drain'
}

function routeOf(grant: Grant | undefined, gateway: Gateway): Route | undefined {
  return grant && gateway.standing(grant)?.route
}

/** Another issuer's token can't be taken back, so what it said is good to its end; what the route demands of it may change. */
function routeOfIssued(
  { route: name, subject, profile, scopes }: Caller,
  gateway: Gateway,
): Route | undefined {
  const route = gateway.routes.get(name)
  if (route?.tokens.kind !== 'issuer' || !isSubjectOf(subject, route.tokens.issuer)) return undefined
  const isAdmitted =
    isFor(route.tokens.audience, profile.claims) &&
    includesAll(scopes, route.scopes, route.hierarchy) &&
    mayUse(route.access, profile)
  return isAdmitted ? route : undefined
}

/** A link that is dead or gone says nothing of what goes on with its credentials. */
async function isOfAnotherAccount(
  { caller, accountSinceMs }: OpenStream,
  { routes }: Gateway,
): Promise<boolean> {
  const own = accountSinceMs()
  if (own === undefined) return false
  const connected = await routes.get(caller.route)?.auth.link?.account?.(caller.subject)
  return connected?.accountSinceMs !== undefined && connected.accountSinceMs !== own
}

export function createStreams({ store, current, now }: StreamsOptions): Streams {
  const streams = new Map<OpenStream, { drainsSinceMs: number | undefined }>()

  async function checkOne(stream: OpenStream): Promise<void> {
    const state = streams.get(stream)
    if (state === undefined) return
    const { grantId } = stream.caller
    const grant = grantId === undefined ? undefined : await store.get<Grant>(keys.grant(grantId))
    const gateway = current()
    const judged = judgeStream(stream, grant?.value, gateway, now())
    const verdict = judged === 'keep' && (await isOfAnotherAccount(stream, gateway)) ? 'drain' : judged
    if (verdict === 'keep') state.drainsSinceMs = undefined
    if (verdict === 'drain') state.drainsSinceMs ??= now()
    const overdue = state.drainsSinceMs !== undefined && now() - state.drainsSinceMs >= gateway.drainTimeoutMs
    if (verdict === 'end' || overdue) stream.end()
  }

  async function check(grantId?: string): Promise<void> {
    const all = [...streams.keys()].filter(
      ({ caller }) => grantId === undefined || caller.grantId === grantId,
    )
    for (let from = 0; from < all.length; from += BATCH) {
      await Promise.all(all.slice(from, from + BATCH).map(checkOne))
      await nextTurn()
    }
  }

  let checking = Promise.resolve()
  const timer = setInterval(() => {
    // A store that fails now is asked again in two seconds; requests report it meanwhile.
    checking = checking.then(() => check()).catch(() => {})
  }, CHECK_MS).unref()

  return {
    open(stream) {
      streams.set(stream, { drainsSinceMs: undefined })
      return () => void streams.delete(stream)
    },
    countByRoute() {
      const counts = new Map<string, number>()
      for (const { caller } of streams.keys()) counts.set(caller.route, (counts.get(caller.route) ?? 0) + 1)
      return counts
    },
    check,
    close() {
      clearInterval(timer)
    },
  }
}
