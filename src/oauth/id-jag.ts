// Identity Assertion JWT Authorization Grants (ID-JAG): what a verified one entitles to. Pure. Sections are those of MCP's
// Enterprise-Managed Authorization (EMA), a profile of draft-ietf-oauth-identity-assertion-authz-grant.
import { OAuthError } from '../errors.ts'
import type { IssuerToken } from './issuer-token.ts'
import { sameResource } from './resource.ts'
import { missing, offered, parseScope, type ScopeHierarchy, union } from './scope.ts'

/** EMA §7.4.2 wants them short-lived; each is remembered for as long as it lives. */
const MAX_LIFETIME_MS = 60 * 60_000

/** Signature, issuer, audience and times of it are good. */
export type IdJag = Pick<IssuerToken, 'claims' | 'expiresAtMs' | 'jti'>

export interface IdJagGrant {
  /** By this a second use is recognised. */
  readonly jti: string
  readonly resource: string
  /** Undefined: the identity provider leaves the scope to the gateway. */
  readonly scope: string | undefined
}

/** Throws OAuthError `invalid_grant`: every claim that binds the assertion must fit this request. */
export function checkIdJag(
  { claims, expiresAtMs, jti }: IdJag,
  request: { readonly clientId: string; readonly resource: string | undefined },
  nowMs: number,
): IdJagGrant {
  const { iat, scope, client_id: clientId } = claims
  if (jti === undefined) throw refused('it has no jti')
  if (typeof iat !== 'number') throw refused('it has no iat')
  if (expiresAtMs - nowMs > MAX_LIFETIME_MS) throw refused('it lives too long')
  // Else whoever finds it could use it under a name of their own.
  if (clientId !== request.clientId) throw refused('its client_id is another client')
  if (scope !== undefined && typeof scope !== 'string') throw refused('its scope is no text')
  return { jti, resource: resourceOf(claims.resource, request.resource), scope }
}

/** EMA §7.6: without a resource an assertion for one server would be good for all that the gateway stands for. */
function resourceOf(claim: unknown, requested: string | undefined): string {
  const named = (Array.isArray(claim) ? claim : [claim]).filter((one) => typeof one === 'string')
  const fitting = named.filter((one) => requested === undefined || sameResource(one, requested))
  const [resource, ...others] = fitting
  if (named.length === 0) throw refused('it names no resource')
  if (resource === undefined) throw refused('its resource is not the requested one')
  if (others.length > 0) throw refused('it names several resources and the request none of them')
  return resource
}

export interface RouteScopes {
  readonly scopes: readonly string[]
  readonly optionalScopes: readonly string[]
  readonly hierarchy: ScopeHierarchy
}

/**
 * What was asked for, of what the assertion allows, of what the route has (EMA §7.2.1). Less than every token of the
 * route must carry would only meet 403, so it is refused here.
 */
export function idJagScopes(
  { scopes, optionalScopes, hierarchy }: RouteScopes,
  asserted: string | undefined,
  asked: string | undefined,
): readonly string[] {
  if (asserted === undefined) return union(scopes, offered(asked, optionalScopes))
  const allowed = parseScope(asserted)
  const lacking = missing(allowed, scopes, hierarchy)
  if (lacking.length > 0) throw refused(`it does not allow ${lacking.join(' ')}`)
  const wished = offered(asked ?? asserted, optionalScopes)
  return union(
    scopes,
    wished.filter((scope) => missing(allowed, [scope], hierarchy).length === 0),
  )
}

export function refused(why: string): OAuthError {
  return new OAuthError('invalid_grant', `the assertion cannot be used: ${why}`)
}
