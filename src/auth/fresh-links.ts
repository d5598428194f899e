// A person's link as requests need it: where it leads now, and its token kept fresh.
import { UpstreamError } from '../errors.ts'
import { messageOf } from '../message-of.ts'
import type { Subject } from '../slots.ts'
import { fingerprint } from '../upstream/fingerprint.ts'
import type { AuthContext } from './context.ts'
import type { Destination } from './destination.ts'
import { isForgotten } from './forgotten.ts'
import type { OpenLink } from './links.ts'
import { lookedUp } from './looked-up.ts'
import { isDue, isExpired, refreshSpread } from './refresh.ts'
import type { ServerSource } from './server-source.ts'

/** A link that is not marked as dead, with the server that it was made at. */
export interface LiveLink {
  readonly destination: Destination
  readonly found: OpenLink
}

export interface FreshLinks {
  fingerprintOf(destination: Destination): string
  /** Asks nobody: while nothing is known of the server there is none. */
  find(subject: Subject): Promise<LiveLink | undefined>
  /**
   * The link with a token that can be sent now; undefined when that person has to connect again. Throws UpstreamError
   * while nothing is known of the server and the upstream cannot be asked: that says nothing about anybody's link.
   */
  usable(subject: Subject): Promise<OpenLink | undefined>
  /** The link with another token; undefined when that person has to connect again. */
  renew(subject: Subject, stale: LiveLink): Promise<OpenLink | undefined>
}

export function freshLinks(source: ServerSource, { upstream, deps }: AuthContext): FreshLinks {
  const { links, refresh, now, log } = deps
  const fingerprintOf = ({ server, resource }: Destination) => fingerprint(server, resource, upstream)
  const destinationNow = lookedUp(source, deps)

  async function linkAt(destination: Destination, subject: Subject): Promise<LiveLink | undefined> {
    const found = await links.find(subject, fingerprintOf(destination))
    return found && !found.link.dead ? { destination, found } : undefined
  }

  async function find(subject: Subject): Promise<LiveLink | undefined> {
    const destination = await source.known()
    return destination && linkAt(destination, subject)
  }

  async function renew(subject: Subject, { destination, found }: LiveLink): Promise<OpenLink | undefined> {
    const { server, resource } = destination
    try {
      return await refresh({ subject, server, resource, fingerprint: found.link.fingerprint }, found)
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      // Tokens of a client that the server has forgotten are lost with it.
      if (await isForgotten(source, destination, error)) return undefined
      // A server that is gone for good never ends a link by itself; nobody would be asked to sign in where it is now.
      source.doubt()
      throw error
    }
  }

  async function usable(subject: Subject): Promise<OpenLink | undefined> {
    const known = await linkAt(await destinationNow(), subject)
    if (known === undefined) return undefined
    const { found } = known
    if (!isDue(found.tokens, now(), refreshSpread(subject, found.link.fingerprint))) return found
    const expired = isExpired(found.tokens, now())
    if (found.tokens.refreshToken === undefined) return expired ? undefined : found
    if (expired) return renew(subject, known)
    // Ahead of its end the old token is as good as ever, so nobody waits for the new one.
    renew(subject, known).catch((error: unknown) => {
      log.warn('upstream token not refreshed yet', {
        subject,
        reason: messageOf(error),
      })
    })
    return found
  }

  return { fingerprintOf, find, usable, renew }
}
