// Auth type `authorization_code`: each person signs in at the upstream (screen 2); their token goes out, kept fresh, and
// only to the upstream that their link was made for.
import type { AuthorizationCodeAuth } from '../config/types.ts'
import { OAuthError, UpstreamError } from '../errors.ts'
import { includesAll, parseScope, union } from '../oauth/scope.ts'
import type { Caller, Subject, UpstreamAuth, UpstreamLink } from '../slots.ts'
import { askAccount } from '../upstream/account.ts'
import {
  authorizationUrl,
  createCodeVerifier,
  type Redemption,
  redeem,
} from '../upstream/authorization-code.ts'
import { fingerprint } from '../upstream/fingerprint.ts'
import type { UpstreamTokens } from '../upstream/server.ts'
import { reachOf, sourceOf } from './configured-server.ts'
import type { AuthContext } from './context.ts'
import type { Destination } from './destination.ts'
import type { OpenLink } from './links.ts'
import { isDue, isExpired, refreshSpread } from './refresh.ts'

export function authorizationCode(entry: AuthorizationCodeAuth, context: AuthContext): UpstreamAuth {
  const { links, refresh, revocations, http, now, log } = context.deps
  const { required, implies } = context.scopes
  const source = sourceOf(entry, context)
  const reach = reachOf(context.server(entry.authorization_server).entry)
  const fingerprintOf = ({ server, resource }: Destination) => fingerprint(server, resource, context.upstream)

  async function find(subject: Subject): Promise<{ destination: Destination; found: OpenLink } | undefined> {
    const destination = await source.known()
    const found = destination && (await links.find(subject, fingerprintOf(destination)))
    return destination && found && !found.link.dead ? { destination, found } : undefined
  }

  async function renew(
    subject: Subject,
    destination: Destination,
    stale: OpenLink,
  ): Promise<OpenLink | undefined> {
    const { server, resource } = destination
    try {
      return await refresh({ subject, server, resource, fingerprint: stale.link.fingerprint }, stale)
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      // Tokens of a client that the server has forgotten are lost with it.
      if (isClientUnknown(error) && (await isDisowned(destination))) return undefined
      // A server that is gone for good never ends a link by itself; nobody would be asked to sign in where it is now.
      source.doubt()
      throw error
    }
  }

  /** The error that brought us here is the one to tell, if the server does not stand by it, or can't be asked. */
  async function isDisowned(destination: Destination): Promise<boolean> {
    return source.disowned(destination).catch((error: unknown) => {
      if (error instanceof UpstreamError) return false
      throw error
    })
  }

  /** The code was for the client that the server has forgotten, so that person has to come once more. */
  async function redeemed(destination: Destination, redemption: Redemption): Promise<UpstreamTokens> {
    try {
      const tokens = await redeem(http, destination.server, redemption, now())
      await source.proved(destination)
      return tokens
    } catch (error) {
      if (error instanceof OAuthError && isClientUnknown(error) && (await isDisowned(destination)))
        throw forgotten()
      throw error
    }
  }

  /** The link with a token that can be sent now; undefined when that person has to connect again. */
  async function usable(subject: Subject): Promise<OpenLink | undefined> {
    const known = await find(subject)
    if (known === undefined) return undefined
    const { destination, found } = known
    if (!isDue(found.tokens, now(), refreshSpread(subject, found.link.fingerprint))) return found
    const expired = isExpired(found.tokens, now())
    if (found.tokens.refreshToken === undefined) return expired ? undefined : found
    if (expired) return renew(subject, destination, found)
    // Ahead of its end the old token is as good as ever, so nobody waits for the new one.
    renew(subject, destination, found).catch((error: unknown) => {
      log.warn('upstream token not refreshed yet', {
        subject,
        reason: error instanceof Error ? error.message : String(error),
      })
    })
    return found
  }

  const needed = ({ scopes }: Destination): readonly string[] => union(scopes, required)

  /** The union: what the route asks for, what was asked for before, what the upstream demanded since, what the client wants (spec-P8, U6). */
  async function scopesFor(
    subject: Subject,
    destination: Destination,
    requested: readonly string[],
  ): Promise<readonly string[]> {
    const found = await links.find(subject, fingerprintOf(destination))
    return union(needed(destination), found?.link.asked ?? [], found?.link.wanted ?? [], requested)
  }

  /** Best effort: a sign-in does not fail because its account has no name. */
  async function withAccount(tokens: UpstreamTokens): Promise<UpstreamTokens> {
    if (reach.account === undefined) return tokens
    try {
      return {
        ...tokens,
        account: (await askAccount(http, reach.account, tokens.accessToken)) ?? tokens.account,
      }
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      log.info('the upstream did not say whose account it is', { reason: error.message, ...error.detail })
      return tokens
    }
  }

  const link: UpstreamLink = {
    callbackPath: source.callbackPath,

    async scopes(subject, requested) {
      const destination = await source.known()
      if (destination === undefined) return union(parseScope(entry.scope), required, requested)
      return subject === undefined
        ? union(needed(destination), requested)
        : scopesFor(subject, destination, requested)
    },

    async fingerprint() {
      const destination = await source.known()
      return destination && fingerprintOf(destination)
    },

    async isGood(subject, more) {
      const known = await find(subject)
      if (known === undefined) return false
      const wanted = union(needed(known.destination), more)
      if (!includesAll(known.found.link.asked, wanted, implies)) return false
      // An upstream that does not answer, or refuses the gateway itself, has said nothing about this link.
      return usable(subject).then((found) => found !== undefined, isUpstreamsFault)
    },

    async account(subject) {
      const known = await find(subject)
      return known && { name: known.found.tokens.account, connectedAtMs: known.found.link.connectedAtMs }
    },

    async begin(subject, state, { requested, relink }) {
      const destination = await source.renew().catch(asSignInError)
      const scopes = await scopesFor(subject, destination, requested)
      const codeVerifier = createCodeVerifier()
      const { server, resource } = destination
      const parameters = { ...server.authorizationParameters, ...(relink && reach.relinkParameters) }
      const location = await authorizationUrl(
        { ...server, authorizationParameters: parameters },
        { state, codeVerifier, scopes, resource },
      )
      return { location, pending: { fingerprint: fingerprintOf(destination), state, codeVerifier, scopes } }
    },

    async finish(subject, { state, codeVerifier, fingerprint: expected, scopes }, answer) {
      const destination = await source.known()
      if (destination === undefined || fingerprintOf(destination) !== expected) throw movedMeanwhile()
      const { resource } = destination
      const tokens = await redeemed(destination, { answer, state, codeVerifier, resource })
      await links.save(subject, expected, await withAccount(tokens), scopes)
    },

    ...(entry.disconnect === 'with_last_grant' && { forget }),
  }

  /** Deleted first: what the upstream says to it changes nothing here. */
  async function forget(subject: Subject): Promise<void> {
    const destination = await source.known()
    if (destination === undefined) return
    const removed = await links.remove(subject, fingerprintOf(destination))
    if (removed === undefined) return
    log.info('upstream disconnected', { subject, upstream: context.upstream.host })
    revocations.start(subject, destination.server, removed.tokens)
  }

  return {
    link,
    ...(source.clientDocument && { clientDocument: source.clientDocument }),
    warmUp: async () => {
      if ((await source.known()) === undefined) await source.renew()
    },

    async attach({ subject }) {
      const found = await usable(subject)
      if (found === undefined) {
        throw new OAuthError('invalid_token', 'the upstream account is not connected: sign in again', {
          reason: 'no_link',
        })
      }
      return { headers: { authorization: `Bearer ${found.tokens.accessToken}` } }
    },

    async demanded({ subject }: Caller, scopes) {
      const known = await find(subject)
      if (known === undefined || includesAll(known.found.link.asked, scopes, implies)) return false
      return links.want(known.found, scopes)
    },

    async rejected({ subject }: Caller, sent, time) {
      const known = await find(subject)
      if (known === undefined) return false
      const { destination, found } = known
      const isCurrent = sent.headers.authorization === `Bearer ${found.tokens.accessToken}`
      if (time === 1 && !isCurrent) return true
      if (time === 1 && found.tokens.refreshToken !== undefined) {
        return (await renew(subject, destination, found)) !== undefined
      }
      // Refused although fresh, or with nothing to refresh it by: only the person can mend that.
      if (isCurrent) await links.bury(found)
      return false
    },
  }
}

/** During a sign-in the client is told in OAuth's words; our own text names no address. */
function asSignInError(error: unknown): never {
  if (!(error instanceof UpstreamError)) throw error
  const passing = error.fault !== 'bad_response'
  throw new OAuthError(passing ? 'temporarily_unavailable' : 'server_error', error.message, {
    fault: error.fault,
    ...error.detail,
  })
}

function isUpstreamsFault(error: unknown): true {
  if (error instanceof UpstreamError) return true
  throw error
}

/** Whether that is so, only the token endpoint can say: a browser may have made up the answer at the callback. */
function isClientUnknown({ detail }: OAuthError | UpstreamError): boolean {
  return detail.upstreamError === 'invalid_client' || detail.upstreamError === 'unauthorized_client'
}

function forgotten(): OAuthError {
  return new OAuthError(
    'server_error',
    'the upstream had forgotten this gateway, which is registered there anew now: connect again',
  )
}

function movedMeanwhile(): OAuthError {
  return new OAuthError(
    'server_error',
    'the upstream moved to another authorization server meanwhile: connect again',
  )
}
