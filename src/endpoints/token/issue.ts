// What every grant type at /token has in hand, what it hands over, and how that is told to the client.
import { OAuthError } from '../../errors.ts'
import type { Gateway } from '../../gateway.ts'
import { type Entitlement, findAccessToken, issueAccess } from '../../oauth/grant.ts'
import type { Parameters } from '../../oauth/parameters.ts'
import { formatScope } from '../../oauth/scope.ts'
import { hashToken, mintGrantId, mintToken } from '../../oauth/tokens.ts'
import type { Grant } from '../../store/records.ts'
import type { AuthenticatedClient } from '../clients.ts'
import type { Deps } from '../endpoint.ts'
import { storeGrant } from '../grants.ts'
import { hasLeft } from '../known-subjects.ts'

export interface TokenRequest extends AuthenticatedClient {
  readonly parameters: Parameters
  readonly gateway: Gateway
  readonly deps: Deps
}

/** Tokens in clear, and the grant that they are of. */
export interface Issued {
  readonly grant: Grant
  readonly access: string
  readonly refresh?: string
}

/** Redeems what the request brings. Throws OAuthError; then everything is as it was, unless what happened proves a theft. */
export type Redeem = (request: TokenRequest) => Promise<Issued>

/** For grants without a sign-in: an access token for this once, on disk before it is sent. `epoch`: the subject's from before. */
export async function issueAccessToken(
  entitlement: Omit<Entitlement, 'grantId'>,
  epoch: number,
  { gateway, deps }: TokenRequest,
): Promise<Issued> {
  const grantId = mintGrantId()
  const access = mintToken('access', grantId)
  const grant = issueAccess({ ...entitlement, grantId }, hashToken(access), gateway.tokens, deps.now())
  await storeGrant(grant, deps)
  const { subject, route } = grant
  if (await hasLeft({ subject, epoch }, gateway, deps)) throw invalidGrant('subject_left')
  deps.log.info('access token issued', { subject, route })
  return { grant, access }
}

/** RFC 6749 §5.1. `expires_in` is computed anew, so that it is honest for a repeated answer too. */
export function tokenResponse({ grant, access, refresh }: Issued, nowMs: number) {
  const expiresAtMs = findAccessToken(grant, hashToken(access), nowMs)?.expiresAtMs ?? nowMs
  return {
    access_token: access,
    token_type: 'Bearer',
    expires_in: Math.floor((expiresAtMs - nowMs) / 1000),
    ...(refresh !== undefined && { refresh_token: refresh }),
    scope: formatScope(grant.scopes),
  }
}

/** One text for all causes: which of them it was helps only somebody who is guessing. */
export function invalidGrant(reason: string): OAuthError {
  return new OAuthError('invalid_grant', 'the code or token is not valid: sign in again', { reason })
}
