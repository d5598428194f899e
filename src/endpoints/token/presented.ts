// What a code and a refresh token have in common: both name a grant, which is judged and changed by compare-and-swap.
import { OAuthError } from '../../errors.ts'
import type { Route } from '../../gateway.ts'
import type { PairHashes, TokenPair } from '../../oauth/grant.ts'
import { required } from '../../oauth/parameters.ts'
import { checkSameResource } from '../../oauth/resource.ts'
import { hashToken, type PresentedToken, parseToken, type TokenKind } from '../../oauth/tokens.ts'
import type { Grant } from '../../store/records.ts'
import type { Entry } from '../../store/store.ts'
import type { Deps } from '../endpoint.ts'
import { findGrant } from '../grants.ts'
import { type Issued, invalidGrant, type Redeem, type TokenRequest } from './issue.ts'

/** Undefined: the grant changed while it was judged. Judge again. */
export type Attempt = (
  request: TokenRequest,
  presented: PresentedToken,
  entry: Entry<Grant>,
) => Promise<Issued | undefined>

/** Each lost race means that another request made progress, so this many in a row mean a fault. */
const MAX_ATTEMPTS = 50

/** `parameter` carries a token of this kind. */
export function redeemPresented(parameter: string, kind: TokenKind, attempt: Attempt): Redeem {
  return async (request) => {
    const presented = parseToken(kind, required(request.parameters, parameter))
    if (presented === undefined) throw invalidGrant('malformed')
    for (let tries = 0; tries < MAX_ATTEMPTS; tries++) {
      const entry = await findGrant(presented, request.deps)
      if (entry === undefined) throw invalidGrant('unknown')
      // Of another client's grant nothing can come.
      if (entry.value.clientId === request.client.id) await request.spendAssertion()
      const issued = await attempt(request, presented, entry)
      if (issued !== undefined) return issued
    }
    throw new OAuthError('temporarily_unavailable', 'too many requests for this grant at once')
  }
}

/** What must still hold whenever tokens are issued: the route, the person, their access, the resource. */
export function checkStanding({ parameters, gateway }: TokenRequest, { value: grant }: Entry<Grant>): Route {
  const standing = gateway.standing(grant)
  if (standing === undefined) throw invalidGrant('standing')
  checkSameResource(standing.route.resource, parameters.get('resource'), gateway.issuer)
  return standing.route
}

export function refuse(reason: string, { value: { subject, route } }: Entry<Grant>, { log }: Deps): never {
  log.warn('token refused', { reason, subject, route })
  throw invalidGrant(reason)
}

export function hashesOf(pair: TokenPair): PairHashes {
  return { access: hashToken(pair.access), refresh: hashToken(pair.refresh) }
}
