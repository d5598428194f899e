// Keeps a link's access token fresh: ahead of its end, once for everybody who waits, in this process and in all that
// share the store. Upstreams with one-time refresh tokens log the user out if two refreshes race (sec-T5, U8).
import { createHash } from 'node:crypto'
import { UpstreamError } from '../errors.ts'
import type { Subject } from '../slots.ts'
import { LockTaken, SILENT_MS, withLock } from '../store/lock.ts'
import type { Store } from '../store/store.ts'
import type { ControlHttp } from '../upstream/http.ts'
import { refreshTokens } from '../upstream/refresh-token.ts'
import { isResting, restMs } from '../upstream/rest.ts'
import type { UpstreamServer, UpstreamTokens } from '../upstream/server.ts'
import type { Links, OpenLink } from './links.ts'
import type { Revocations } from './revocations.ts'

export interface RefreshDeps {
  readonly links: Links
  readonly revocations: Revocations
  readonly store: Store
  readonly http: ControlHttp
  readonly now: () => number
}

export interface RefreshRequest {
  readonly subject: Subject
  readonly fingerprint: string
  readonly server: UpstreamServer
  readonly resource: string | undefined
}

/** Resolves with the link as it is after the refresh, whoever made it; undefined when the upstream ended it. Throws UpstreamError when the upstream could not say. */
export type Refresh = (request: RefreshRequest, stale: OpenLink) => Promise<OpenLink | undefined>

/** The request may take 15 s. */
export const LINK_LOCK_TTL_MS = 25_000
const MAX_AHEAD_MS = 60_000
const MAX_FAILED = 10_000

/** Held by whoever gets new tokens for a link, until they are stored: so those that were made last are those that are kept. */
export const linkLock = (subject: Subject, fingerprint: string) => `refresh/${fingerprint}/${subject}`

/** Inside the last tenth of its life, at most a minute before the end: a short token is not refreshed on every call (design §5). `spread` widens or narrows that. */
export function isDue({ expiresAtMs, obtainedAtMs }: UpstreamTokens, nowMs: number, spread = 1): boolean {
  if (expiresAtMs === undefined) return false
  return nowMs >= expiresAtMs - spread * Math.min((expiresAtMs - obtainedAtMs) / 10, MAX_AHEAD_MS)
}

/** Between 0.8 and 1.2, always the same for one link: thousands that were made in one second must not all be due in one. */
export function refreshSpread(subject: Subject, fingerprint: string): number {
  const hash = createHash('sha256')
    .update(JSON.stringify([fingerprint, subject]))
    .digest()
  return 0.8 + (0.4 * hash.readUInt32BE()) / 0xffff_ffff
}

export function isExpired({ expiresAtMs }: UpstreamTokens, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs
}

export interface Refreshes {
  readonly refresh: Refresh
  /** Resolves when those that are under way now are over, one way or the other. */
  settled(): Promise<void>
}

export function createRefresh({ links, revocations, store, http, now }: RefreshDeps): Refreshes {
  const underway = new Map<string, Promise<OpenLink | undefined>>()
  const failed = new Map<string, { readonly atMs: number; readonly error: UpstreamError }>()

  async function refreshLocked(
    { subject, fingerprint, server, resource }: RefreshRequest,
    stale: OpenLink,
  ): Promise<OpenLink | undefined> {
    const found = await links.find(subject, fingerprint)
    if (found === undefined || found.link.dead) return undefined
    // Somebody else was here while we waited for the lock.
    if (found.tokens.accessToken !== stale.tokens.accessToken) return found
    const { refreshToken } = found.tokens
    if (refreshToken === undefined) return undefined
    const renewed = await refreshTokens(http, server, { refreshToken, resource }, now())
    if (renewed === 'invalid_grant') {
      await links.bury(found)
      return undefined
    }
    // A server that does not rotate sends no new refresh token: the old one goes on (RFC 6749 §6).
    const tokens = {
      ...renewed,
      refreshToken: renewed.refreshToken ?? refreshToken,
      account: found.tokens.account,
    }
    const isKept = await links.renew(found, tokens)
    const current = await links.find(subject, fingerprint)
    // Disconnected meanwhile: nobody else knows these. Where there is a newer sign-in instead, taking them back could end
    // it too, since some servers revoke all that a person granted (RFC 7009 §2.1).
    if (!isKept && current === undefined) revocations.start(subject, server, tokens)
    return current
  }

  const refresh: Refresh = (request, stale) => {
    const name = linkLock(request.subject, stale.link.fingerprint)
    const running = underway.get(name)
    if (running !== undefined) return running
    const failure = failed.get(name)
    if (failure !== undefined && isResting(failure.atMs, restMs(failure.error), now()))
      return Promise.reject(failure.error)
    const options = { ttlMs: LINK_LOCK_TTL_MS, silentMs: SILENT_MS, now }
    const started = withLock(store, name, options, () => refreshLocked(request, stale))
      .catch((error: unknown) => rethrow(error, name))
      .finally(() => underway.delete(name))
    underway.set(name, started)
    return started
  }

  function rethrow(error: unknown, name: string): never {
    const failure = error instanceof LockTaken ? refreshedElsewhere() : error
    if (failure instanceof UpstreamError) {
      // An upstream in trouble is not asked again by every request that comes in.
      if (failed.size >= MAX_FAILED) failed.clear()
      failed.set(name, { atMs: now(), error: failure })
    }
    throw failure
  }

  return {
    refresh,
    async settled() {
      await Promise.allSettled(underway.values())
    },
  }
}

function refreshedElsewhere(): UpstreamError {
  return new UpstreamError('unavailable', 'the upstream account is being refreshed elsewhere', {}, 5)
}
