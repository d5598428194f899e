// Auth type `authorization_code`: each person signs in at the upstream (screen 2); their token goes out, and only to
// the upstream that their link was made for.
import type { AuthorizationCodeAuth } from '../config/types.ts'
import { OAuthError } from '../errors.ts'
import { includesAll, parseScope, union } from '../oauth/scope.ts'
import type { Subject, UpstreamAuth, UpstreamLink } from '../slots.ts'
import { fingerprint as fingerprintOf } from '../upstream/fingerprint.ts'
import { authorizationUrl, createCodeVerifier, redeem } from '../upstream/oauth-client.ts'
import type { AuthContext } from './context.ts'
import type { OpenLink } from './links.ts'

export function authorizationCode(entry: AuthorizationCodeAuth, context: AuthContext): UpstreamAuth {
  const { links, http, now } = context.deps
  const server = context.server(entry.authorization_server)
  const scopes = parseScope(entry.scope)
  const resource = resourceSent(entry.resource, context.upstream)
  const fingerprint = fingerprintOf(server, resource, context.upstream)

  function isAlive(found: OpenLink | undefined): found is OpenLink {
    if (found === undefined || found.link.dead) return false
    return found.tokens.expiresAtMs === undefined || found.tokens.expiresAtMs > now()
  }

  const link: UpstreamLink = {
    callbackPath: new URL(server.redirectUri).pathname,
    scopes,
    fingerprint,

    async isGood(subject: Subject) {
      const found = await links.find(subject, fingerprint)
      return isAlive(found) && includesAll(found.link.asked, scopes)
    },

    async begin(state) {
      const codeVerifier = createCodeVerifier()
      const location = await authorizationUrl(server, { state, codeVerifier, scopes, resource })
      return { location, pending: { fingerprint, state, codeVerifier } }
    },

    async finish(subject, pending, answer) {
      const { state, codeVerifier } = pending
      const tokens = await redeem(http, server, { answer, state, codeVerifier, resource }, now())
      const earlier = await links.find(subject, fingerprint)
      await links.save(subject, fingerprint, tokens, union(earlier?.link.asked ?? [], scopes))
    },
  }

  return {
    link,
    async attach(caller) {
      const found = await links.find(caller.subject, fingerprint)
      if (!isAlive(found)) {
        throw new OAuthError('invalid_token', 'the upstream account is not connected: sign in again', {
          reason: found === undefined ? 'no_link' : 'dead_link',
        })
      }
      return { headers: { authorization: `Bearer ${found.tokens.accessToken}` } }
    },
  }
}

// RFC 8707 says to send it even if the authorization server ignores it (spec-U3); the word `none` is for those that refuse it.
function resourceSent(configured: string | undefined, upstream: URL): string | undefined {
  return configured === 'none' ? undefined : (configured ?? upstream.href)
}
