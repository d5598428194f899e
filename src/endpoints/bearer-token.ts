// Whose access tokens a route takes, as one table: those of this gateway, or those that another issuer signed.
import { OAuthError } from '../errors.ts'
import type { Gateway, Route, RouteTokens } from '../gateway.ts'
import { findAccessToken } from '../oauth/grant.ts'
import { verifyIssuerToken } from '../oauth/issuer-token.ts'
import { hashToken, parseToken } from '../oauth/tokens.ts'
import type { Caller } from '../slots.ts'
import type { Deps } from './endpoint.ts'
import { findGrant } from './grants.ts'

/** A caller, and until when the token that was presented lasts by itself. */
export interface Authenticated {
  readonly caller: Caller
  readonly tokenExpiresAtMs: number
}

/** A token, and where it was presented. */
export interface Presented {
  readonly token: string
  readonly route: Route
  readonly gateway: Gateway
  readonly deps: Deps
}

/** Throws OAuthError `invalid_token`, or UpstreamError when the issuer of the token can't be asked for its keys. */
type Verify<T> = (presented: Presented, tokens: T) => Promise<Authenticated>

/** One line for each. A route takes one kind: what the other one admits must be worth nothing there. */
const VERIFY: { readonly [K in RouteTokens['kind']]: Verify<Extract<RouteTokens, { kind: K }>> } = {
  gateway: gatewayToken,
  issuer: issuerToken,
}

export function verifyToken(presented: Presented): Promise<Authenticated> {
  const { tokens } = presented.route
  const verify = VERIFY[tokens.kind] as Verify<RouteTokens>
  return verify(presented, tokens)
}

export function refusedToken(reason: string, { name }: Route): OAuthError {
  return new OAuthError('invalid_token', 'the token is not valid here or has expired', {
    reason,
    route: name,
  })
}

async function gatewayToken({ token, route, gateway, deps }: Presented): Promise<Authenticated> {
  const presented = parseToken('access', token)
  if (presented === undefined) throw refusedToken('malformed', route)
  const grant = (await findGrant(presented, deps))?.value
  const live = grant && findAccessToken(grant, presented.hash, deps.now())
  if (grant === undefined || live === undefined) throw refusedToken('unknown', route)
  // RFC 8707 audience: a token of one route is worth nothing on another (sec-T9).
  if (grant.route !== route.name) throw refusedToken('other_route', route)
  const profile = gateway.profileOf(grant)
  if (profile === undefined) throw refusedToken('unknown_subject', route)
  const { subject, clientId, id, scopes } = grant
  const tokenHash = presented.hash
  const caller = { subject, profile, clientId, grantId: id, tokenHash, route: route.name, scopes }
  return { caller, tokenExpiresAtMs: live.expiresAtMs }
}

async function issuerToken(
  { token, route, deps: { issuerKeys, now } }: Presented,
  { issuer, audience }: Extract<RouteTokens, { kind: 'issuer' }>,
): Promise<Authenticated> {
  const { subject, profile, clientId, scopes, expiresAtMs } = await verifyIssuerToken(token, issuer, {
    type: 'access_token',
    audiences: [audience],
    nowMs: now(),
    key: issuerKeys.keyOf(issuer),
  })
  const caller = {
    subject,
    profile,
    clientId,
    grantId: undefined,
    tokenHash: hashToken(token),
    jwt: { text: token, expiresAtMs },
    route: route.name,
    scopes,
  }
  return { caller, tokenExpiresAtMs: expiresAtMs }
}
