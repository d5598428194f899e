// The first step of every route's chain: who calls, by a token that was issued for this very route, and may they.

import { OAuthError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import { bearerChallenge } from '../oauth/challenge.ts'
import { challenged, includesAll } from '../oauth/scope.ts'
import { mayUse } from '../policy/access.ts'
import { type Authenticated, refusedToken, verifyToken } from './bearer-token.ts'
import type { Deps } from './endpoint.ts'

/** Nobody said who they are. RFC 6750 §3.1: such a request learns only where to get a token, not that something was wrong. */
export class MissingToken extends OAuthError {
  constructor() {
    super('invalid_token', 'a bearer token is required', { reason: 'no_token' })
  }
}

/** The token carries less than this needs: signing in again asks for the rest. The scopes are all that are needed, those that are there too (spec-R4, spec-P8). */
export class MissingScopes extends OAuthError {
  readonly scopes: readonly string[]

  constructor(who: string, scopes: readonly string[], route: Route) {
    super('insufficient_scope', `${who} needs more scopes: sign in again`, { route: route.name })
    this.scopes = scopes
  }
}

/** The challenge that belongs to a refusal on this route, whatever route a token was for; undefined where signing in again would not help. */
export function challengeFor(error: OAuthError, route: Route): string | undefined {
  if (error.code !== 'invalid_token' && error.code !== 'insufficient_scope') return undefined
  const { resourceMetadata } = route
  const scopes = challenged(route.scopes, error instanceof MissingScopes ? error.scopes : [])
  const reason = error instanceof MissingToken ? {} : { error: error.code, description: error.message }
  return bearerChallenge({ ...reason, scopes, resourceMetadata })
}

const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i

/** Throws OAuthError: `invalid_token`, `insufficient_scope`, or `access_denied` when the caller is known and not admitted. Reads no body. */
export async function authenticate(
  authorization: string | undefined,
  route: Route,
  gateway: Gateway,
  deps: Deps,
): Promise<Authenticated> {
  if (authorization === undefined) throw new MissingToken()
  const token = BEARER.exec(authorization)?.[1]
  if (token === undefined) throw refusedToken('malformed', route)
  const authenticated = await verifyToken({ token, route, gateway, deps })
  const { subject, profile, scopes } = authenticated.caller
  if (!mayUse(route.access, profile)) {
    throw new OAuthError('access_denied', 'this account may not use this server', {
      subject,
      route: route.name,
    })
  }
  if (!includesAll(scopes, route.scopes, route.hierarchy))
    throw new MissingScopes('this server', route.scopes, route)
  return authenticated
}
