// Screen 2 of `authorization_code`: from consent to the upstream's own sign-in, and back with a link.
import type { AuthorizationCodeAuth } from '../config/types.ts'
import { errorFields, OAuthError, UpstreamError } from '../errors.ts'
import { includesAll, missing, parseScope, union } from '../oauth/scope.ts'
import type { Finished, Subject, UpstreamLink, UpstreamPending } from '../slots.ts'
import { LockTaken, withLock } from '../store/lock.ts'
import { askAccount } from '../upstream/account.ts'
import {
  authorizationUrl,
  checkAnswer,
  createCodeVerifier,
  isScopeRefusal,
  redeem,
} from '../upstream/authorization-code.ts'
import type { UpstreamTokens } from '../upstream/server.ts'
import { reachOf } from './configured-server.ts'
import type { AuthContext } from './context.ts'
import type { Destination } from './destination.ts'
import { isForgotten } from './forgotten.ts'
import type { FreshLinks } from './fresh-links.ts'
import { accountOf, type OpenLink } from './links.ts'
import { isExpired, LINK_LOCK_TTL_MS, linkLock } from './refresh.ts'
import { held, isAskedFor, refusedNow, suspects } from './refused-scopes.ts'
import type { ServerSource } from './server-source.ts'

/** Whose browser was cut off by a crash comes again at once. */
const SILENT_MS = 3_000

export function upstreamSignIn(
  entry: AuthorizationCodeAuth,
  context: AuthContext,
  source: ServerSource,
  { fingerprintOf, find, usable }: FreshLinks,
): UpstreamLink {
  const { links, revocations, store, http, now, log } = context.deps
  const { required, implies } = context.scopes
  const reach = reachOf(context.server(entry.authorization_server).entry)

  /**
   * Of several sign-ins that one person has under way at once the first is redeemed, and the others find that they need
   * not be: some servers keep a few tokens for each person and end the oldest (sec-C15).
   */
  async function redeemOnce(
    subject: Subject,
    { state, codeVerifier, fingerprint, scopes, relink }: UpstreamPending,
    answer: URLSearchParams,
    destination: Destination,
  ): Promise<Finished> {
    const found = await links.find(subject, fingerprint)
    // It grew while the person was away: storing less would cost the others their scopes, and nobody has said yes to all.
    if (found !== undefined && !includesAll(scopes, missing(refusedNow(found.link, now()), held(found.link))))
      return 'overtaken'
    if (!relink && found !== undefined && serves(found, scopes)) return 'connected'
    const { server, resource } = destination
    const tokens = await redeem(http, server, { answer, state, codeVerifier, resource }, now())
    await source.proved(destination)
    const named = await withAccount(tokens)
    const sameAs = found !== undefined && isSameAccount(found, named, relink) ? found : undefined
    await links.save(subject, fingerprint, named, scopes, sameAs)
    return 'connected'
  }

  /** By name, if the upstream says one. Else who came only for more scopes, with a link that works, meant that account. */
  function isSameAccount({ link, tokens }: OpenLink, { account }: UpstreamTokens, relink = false): boolean {
    if (account !== undefined && tokens.account !== undefined) return account === tokens.account
    return !relink && !link.dead && !isExpired(tokens, now())
  }

  function serves({ link, tokens }: OpenLink, scopes: readonly string[]): boolean {
    return !link.dead && !isExpired(tokens, now()) && includesAll(link.asked, scopes, implies)
  }

  const written = union(parseScope(entry.scope), required)
  const needed = ({ scopes }: Destination): readonly string[] => union(scopes, required)

  /**
   * The union: what the route asks for, what was asked for before, what the upstream demanded since, what the client wants
   * (spec-P8, U6). Without what the server refuses, but for what is written in the file or wanted by the client itself.
   */
  async function scopesFor(
    subject: Subject,
    destination: Destination,
    requested: readonly string[],
  ): Promise<readonly string[]> {
    const found = await links.find(subject, fingerprintOf(destination))
    if (found === undefined) return union(needed(destination), requested)
    const { link } = found
    const skipped = missing(union(written, requested), refusedNow(link, now()))
    return missing(skipped, union(needed(destination), held(link), link.wanted, requested))
  }

  /** The server refused what it was asked for: true when some of it need not be asked for. */
  async function asksForLess(
    subject: Subject,
    { fingerprint, scopes }: UpstreamPending,
    { scopes: offered }: Destination,
  ): Promise<boolean> {
    const found = await links.find(subject, fingerprint)
    if (found === undefined) return false
    const refused = suspects(found.link, missing(written, scopes), offered, now())
    if (refused.length === 0) return false
    const { route } = context
    log.warn('upstream refuses scopes: not asked for again today', {
      subject,
      route,
      scopes: refused.join(' '),
    })
    await links.refuse(found, refused)
    return true
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
      log.info('the upstream did not say whose account it is', errorFields(error))
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
      // Not a word against anybody's link: the next call looks the server up.
      if ((await source.known()) === undefined) return true
      const known = await find(subject)
      if (known === undefined) return false
      const { link } = known.found
      // What the upstream merely lists is asked for at the next sign-in: a longer list must end nobody's session.
      if (!includesAll(link.asked, written, implies) || !isAskedFor(link, more, implies)) return false
      // An upstream that does not answer, or refuses the gateway itself, has said nothing about this link.
      return usable(subject).then((found) => found !== undefined, isUpstreamsFault)
    },

    async account(subject) {
      const known = await find(subject)
      if (known === undefined) return undefined
      const { link, tokens } = known.found
      const { connectedAtMs } = link
      return { name: tokens.account, connectedAtMs, accountSinceMs: accountOf(known.found) }
    },

    async begin(subject, state, { requested, relink }) {
      const found = await source.renew().catch(asSignInError)
      const scopes = await scopesFor(subject, found, requested)
      const destination = await source.allowing(found, scopes).catch(asSignInError)
      const codeVerifier = createCodeVerifier()
      const { server, resource } = destination
      const parameters = { ...server.authorizationParameters, ...(relink && reach.relinkParameters) }
      const location = await authorizationUrl(
        { ...server, authorizationParameters: parameters },
        { state, codeVerifier, scopes, resource },
      )
      const fingerprint = fingerprintOf(destination)
      const callbackPath = new URL(server.redirectUri).pathname
      return { location, callbackPath, pending: { fingerprint, state, codeVerifier, scopes, relink } }
    },

    async finish(subject, pending, answer) {
      const destination = await source.known()
      const { fingerprint, state } = pending
      if (destination === undefined || fingerprintOf(destination) !== fingerprint) throw movedMeanwhile()
      try {
        checkAnswer(destination.server, answer, state)
        const lock = { ttlMs: LINK_LOCK_TTL_MS, silentMs: SILENT_MS, now }
        return await withLock(store, linkLock(subject, fingerprint), lock, () =>
          redeemOnce(subject, pending, answer, destination),
        )
      } catch (error) {
        if (error instanceof LockTaken) throw underWayElsewhere()
        if (isScopeRefusal(error) && (await asksForLess(subject, pending, destination))) return 'reduced'
        // The code was for the client that the server has forgotten, so that person has to come once more.
        if (error instanceof OAuthError && (await isForgotten(source, destination, error))) throw forgotten()
        throw error
      }
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

function underWayElsewhere(): OAuthError {
  return new OAuthError(
    'temporarily_unavailable',
    'another sign-in at the upstream is not over yet: connect again',
  )
}

function movedMeanwhile(): OAuthError {
  return new OAuthError(
    'server_error',
    'the upstream moved to another authorization server meanwhile: connect again',
  )
}
