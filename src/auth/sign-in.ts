// Screen 2 of `authorization_code`: from consent to the upstream's own sign-in, and back with a link.
import type { AuthorizationCodeAuth } from '../config/types.ts'
import { OAuthError, UpstreamError } from '../errors.ts'
import { includesAll, parseScope, union } from '../oauth/scope.ts'
import type { Subject, UpstreamLink } from '../slots.ts'
import { askAccount } from '../upstream/account.ts'
import {
  authorizationUrl,
  createCodeVerifier,
  type Redemption,
  redeem,
} from '../upstream/authorization-code.ts'
import type { UpstreamTokens } from '../upstream/server.ts'
import { reachOf } from './configured-server.ts'
import type { AuthContext } from './context.ts'
import type { Destination } from './destination.ts'
import type { FreshLinks } from './fresh-links.ts'
import type { ServerSource } from './server-source.ts'

export function upstreamSignIn(
  entry: AuthorizationCodeAuth,
  context: AuthContext,
  source: ServerSource,
  { fingerprintOf, find, usable, isForgotten }: FreshLinks,
): UpstreamLink {
  const { links, revocations, http, now, log } = context.deps
  const { required, implies } = context.scopes
  const reach = reachOf(context.server(entry.authorization_server).entry)

  /** The code was for the client that the server has forgotten, so that person has to come once more. */
  async function redeemed(destination: Destination, redemption: Redemption): Promise<UpstreamTokens> {
    try {
      const tokens = await redeem(http, destination.server, redemption, now())
      await source.proved(destination)
      return tokens
    } catch (error) {
      if (error instanceof OAuthError && (await isForgotten(error, destination))) throw forgotten()
      throw error
    }
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
