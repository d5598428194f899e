// The first step of every route's chain: who calls, by a token of this gateway that was issued for this very route.
import type { Gateway, Route } from '../gateway.ts'
import { type OAuthErrorCode, OAuthError } from '../errors.ts'
import { bearerChallenge } from '../oauth/challenge.ts'
import { findAccessToken } from '../oauth/grant.ts'
import { parseToken } from '../oauth/tokens.ts'
import { mayUse } from '../policy/access.ts'
import type { Caller } from '../slots.ts'
import type { Deps } from './endpoint.ts'
import { findGrant } from './grants.ts'

/** A 401 or 403 with the challenge of the route that was asked, whatever route the token was for. */
export class Challenged extends OAuthError {
  readonly challenge: string

  constructor(route: Route, code: OAuthErrorCode, description: string, reason: string, presented: boolean) {
    super(code, description, { reason, route: route.name })
    // RFC 6750 §3.1: a request without any token learns only where to get one.
    const error = presented ? { error: code, description } : {}
    this.challenge = bearerChallenge({ ...error, scopes: route.scopes, resourceMetadata: route.resourceMetadata })
  }
}

const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i

/** Throws Challenged; OAuthError `access_denied` when the person is known and not admitted. Reads no body. */
export async function authenticate(authorization: string | undefined, route: Route, gateway: Gateway, deps: Deps): Promise<Caller> {
  if (authorization === undefined) throw new Challenged(route, 'invalid_token', 'a bearer token is required', 'no_token', false)
  const refused = (reason: string) => new Challenged(route, 'invalid_token', 'the token is not valid here or has expired', reason, true)
  const presented = parseToken('access', BEARER.exec(authorization)?.[1])
  if (presented === undefined) throw refused('malformed')
  const grant = (await findGrant(presented, deps))?.value
  if (grant === undefined || findAccessToken(grant, presented.hash, deps.now()) === undefined) throw refused('unknown')
  // RFC 8707 audience: a token of one route is worth nothing on another (sec-T9).
  if (grant.route !== route.name) throw refused('other_route')
  const profile = gateway.profile(grant.subject)
  if (profile === undefined) throw refused('unknown_subject')
  if (!mayUse(route.access, profile)) {
    throw new OAuthError('access_denied', 'this account may not use this server', { subject: grant.subject, route: route.name })
  }
  const { subject, clientId, id, scopes } = grant
  return { subject, clientId, grantId: id, tokenHash: presented.hash, route: route.name, scopes }
}
