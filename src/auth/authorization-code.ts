// Auth type `authorization_code`: each person signs in at the upstream (screen 2); their token goes out, kept fresh, and
// only to the upstream that their link was made for.
import type { AuthorizationCodeAuth } from '../config/types.ts'
import { OAuthError, UpstreamError } from '../errors.ts'
import { includesAll, parseScope, union } from '../oauth/scope.ts'
import type { Caller, Subject, UpstreamAuth, UpstreamLink } from '../slots.ts'
import { authorizationUrl, createCodeVerifier, redeem } from '../upstream/authorization-code.ts'
import { fingerprint } from '../upstream/fingerprint.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import type { AuthContext, ConfiguredServer } from './context.ts'
import type { OpenLink } from './links.ts'
import { isDue, isExpired } from './refresh.ts'
import { type Destination, discoveredSource, fixedSource, type ServerSource } from './server-source.ts'

export function authorizationCode(entry: AuthorizationCodeAuth, context: AuthContext): UpstreamAuth {
  const { links, refresh, http, now, log } = context.deps
  const source = sourceOf(entry, context)
  const fingerprintOf = ({ server, resource }: Destination) => fingerprint(server, resource, context.upstream)

  async function find(subject: Subject): Promise<{ destination: Destination; found: OpenLink } | undefined> {
    const destination = await source.known()
    const found = destination && (await links.find(subject, fingerprintOf(destination)))
    return destination && found && !found.link.dead ? { destination, found } : undefined
  }

  async function renew(
    subject: Subject,
    { server, resource }: Destination,
    stale: OpenLink,
  ): Promise<OpenLink | undefined> {
    try {
      return await refresh({ subject, server, resource, fingerprint: stale.link.fingerprint }, stale)
    } catch (error) {
      // A server that is gone for good never ends a link by itself; nobody would be asked to sign in where it is now.
      if (error instanceof UpstreamError) source.doubt()
      throw error
    }
  }

  /** The link with a token that can be sent now; undefined when that person has to connect again. */
  async function usable(subject: Subject): Promise<OpenLink | undefined> {
    const known = await find(subject)
    if (known === undefined || !isDue(known.found.tokens, now())) return known?.found
    const { destination, found } = known
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

  /** The union: what the route asks for, what was asked for before, what the upstream demanded since (spec-P8, U6). */
  async function scopesFor(subject: Subject, destination: Destination): Promise<readonly string[]> {
    const found = await links.find(subject, fingerprintOf(destination))
    return union(destination.scopes, found?.link.asked ?? [], found?.link.wanted ?? [])
  }

  const link: UpstreamLink = {
    callbackPath: source.callbackPath,

    async scopes(subject) {
      const destination = await source.known()
      if (destination === undefined) return parseScope(entry.scope)
      return subject === undefined ? destination.scopes : scopesFor(subject, destination)
    },

    async fingerprint() {
      const destination = await source.known()
      return destination && fingerprintOf(destination)
    },

    async isGood(subject) {
      const known = await find(subject)
      if (known === undefined) return false
      const { asked, wanted } = known.found.link
      if (!includesAll(asked, union(known.destination.scopes, wanted))) return false
      // An upstream that does not answer, or refuses the gateway itself, has said nothing about this link.
      return usable(subject).then((found) => found !== undefined, isUpstreamsFault)
    },

    async begin(subject, state) {
      const destination = await source.renew().catch(asSignInError)
      const scopes = await scopesFor(subject, destination)
      const codeVerifier = createCodeVerifier()
      const { server, resource } = destination
      const location = await authorizationUrl(server, { state, codeVerifier, scopes, resource })
      return { location, pending: { fingerprint: fingerprintOf(destination), state, codeVerifier, scopes } }
    },

    async finish(subject, { state, codeVerifier, fingerprint: expected, scopes }, answer) {
      const destination = await source.known()
      if (destination === undefined || fingerprintOf(destination) !== expected) throw movedMeanwhile()
      const { server, resource } = destination
      const tokens = await redeem(http, server, { answer, state, codeVerifier, resource }, now())
      await links.save(subject, expected, tokens, scopes)
    },
  }

  return {
    link,
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
      if (known === undefined || includesAll(known.found.link.asked, scopes)) return false
      await links.want(known.found, scopes)
      return true
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

/** Endpoints in the configuration are taken as they are; anything less is completed by discovery. */
function sourceOf(auth: AuthorizationCodeAuth, context: AuthContext): ServerSource {
  const { entry, redirectUri } = context.server(auth.authorization_server)
  const fixed = entry && fixedServer(entry, redirectUri)
  if (fixed !== undefined) {
    const resource = auth.resource === 'none' ? undefined : (auth.resource ?? context.upstream.href)
    return fixedSource({ server: fixed, resource, scopes: parseScope(auth.scope) })
  }
  return discoveredSource(
    {
      upstream: context.upstream,
      issuer: entry?.issuer,
      client:
        entry?.client_id === undefined
          ? undefined
          : {
              id: entry.client_id,
              secret: entry.client_secret,
              authMethod: entry.token_endpoint_auth_method,
            },
      scope: auth.scope,
      resource: auth.resource === 'none' ? null : auth.resource,
      authorizationParameters: entry?.authorization_parameters ?? {},
      redirectUri,
      clientName: context.clientName,
    },
    context.deps,
  )
}

export function fixedServer(
  entry: NonNullable<ConfiguredServer['entry']>,
  redirectUri: string,
): UpstreamServer | undefined {
  const {
    authorization_endpoint: authorizationEndpoint,
    token_endpoint: tokenEndpoint,
    client_id: clientId,
    client_secret: clientSecret,
  } = entry
  if (authorizationEndpoint === undefined || tokenEndpoint === undefined || clientId === undefined)
    return undefined
  return {
    issuer: entry.issuer,
    issParameterSupported: false,
    authorizationEndpoint,
    tokenEndpoint,
    trust: 'configured',
    clientId,
    clientSecret,
    authMethod:
      entry.token_endpoint_auth_method ?? (clientSecret === undefined ? 'none' : 'client_secret_basic'),
    authorizationParameters: entry.authorization_parameters,
    redirectUri,
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

function movedMeanwhile(): OAuthError {
  return new OAuthError(
    'server_error',
    'the upstream moved to another authorization server meanwhile: connect again',
  )
}
