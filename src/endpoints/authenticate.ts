// The first step of every route's chain: who calls, by a token of this gateway that was issued for this very route.

import { OAuthError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import { bearerChallenge } from '../oauth/challenge.ts'
import { findAccessToken } from '../oauth/grant.ts'
import { union } from '../oauth/scope.ts'
import { parseToken } from '../oauth/tokens.ts'
import { mayUse } from '../policy/access.ts'
import type { Caller } from '../slots.ts'
import type { Deps } from './endpoint.ts'
import { findGrant } from './grants.ts'

/** Nobody said who they are. RFC 6750 §3.1: such a request learns only where to get a token, not that something was wrong. */
export class MissingToken extends OAuthError {
  constructor() {
    super('invalid_token', 'a bearer token is required', { reason: 'no_token' })
  }
}

/** The upstream demands more than it was asked for: signing in again asks for these too (spec-R4, spec-P8). */
export class MissingScopes extends OAuthError {
  readonly scopes: readonly string[]

  constructor(scopes: readonly string[], route: Route) {
    super('insufficient_scope', 'the upstream needs more scopes: sign in again', { route: route.name })
    this.scopes = scopes
  }
}

/** The challenge that belongs to a refusal on this route, whatever route a token was for; undefined where signing in again would not help. */
export function challengeFor(error: OAuthError, route: Route): string | undefined {
  if (error.code !== 'invalid_token' && error.code !== 'insufficient_scope') return undefined
  const { resourceMetadata } = route
  const scopes = error instanceof MissingScopes ? union(route.scopes, error.scopes) : route.scopes
  const reason = error instanceof MissingToken ? {} : { error: error.code, description: error.message }
  return bearerChallenge({ ...reason, scopes, resourceMetadata })
}

/** A caller, and until when the token that was presented lasts by itself. */
export interface Authenticated {
  readonly caller: Caller
  readonly tokenExpiresAtMs: number
}

const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i

/** Throws OAuthError: `invalid_token`, or `access_denied` when the person is known and not admitted. Reads no body. */
export async function authenticate(
  authorization: string | undefined,
  route: Route,
  gateway: Gateway,
  deps: Deps,
): Promise<Authenticated> {
  if (authorization === undefined) throw new MissingToken()
  const refused = (reason: string) =>
    new OAuthError('invalid_token', 'the token is not valid here or has expired', {
      reason,
      route: route.name,
    })
  const presented = parseToken('access', BEARER.exec(authorization)?.[1])
  if (presented === undefined) throw refused('malformed')
  const grant = (await findGrant(presented, deps))?.value
  const token = grant && findAccessToken(grant, presented.hash, deps.now())
  if (grant === undefined || token === undefined) throw refused('unknown')
  // RFC 8707 audience: a token of one route is worth nothing on another (sec-T9).
  if (grant.route !== route.name) throw refused('other_route')
  const profile = gateway.profile(grant.subject)
  if (profile === undefined) throw refused('unknown_subject')
  if (!mayUse(route.access, profile)) {
    throw new OAuthError('access_denied', 'this account may not use this server', {
      subject: grant.subject,
      route: route.name,
    })
  }
  const { subject, clientId, id, scopes } = grant
  const caller = { subject, clientId, grantId: id, tokenHash: presented.hash, route: route.name, scopes }
  return { caller, tokenExpiresAtMs: token.expiresAtMs }
}
