// Client assertions: `private_key_jwt` (RFC 7523 §2.2, §3). Verification only; whether one was used before is for the caller.
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { OAuthError } from '../errors.ts'
import type { KeySet } from './client.ts'
import { ASSERTION_ALGORITHMS } from './metadata.ts'

export interface AssertionContext {
  readonly clientId: string
  readonly audiences: readonly string[]
  readonly keys: KeySet
  readonly nowMs: number
}

export interface VerifiedAssertion {
  readonly jti: string
  readonly expiresAtMs: number
}

/** Clocks of clients are a little off; longer-lived assertions would have to be remembered for longer. */
const TOLERANCE_SECONDS = 30
const MAX_LIFETIME_SECONDS = 10 * 60

/** Throws OAuthError `invalid_client`. */
export async function verifyAssertion(
  assertion: string,
  { clientId, audiences, keys, nowMs }: AssertionContext,
): Promise<VerifiedAssertion> {
  try {
    const { payload } = await jwtVerify(assertion, createLocalJWKSet(keys as unknown as JSONWebKeySet), {
      algorithms: [...ASSERTION_ALGORITHMS],
      issuer: clientId,
      subject: clientId,
      audience: [...audiences],
      requiredClaims: ['exp', 'jti'],
      clockTolerance: TOLERANCE_SECONDS,
      currentDate: new Date(nowMs),
    })
    checkAudience(payload, audiences)
    return checkLifetime(payload, nowMs)
  } catch (error) {
    if (error instanceof OAuthError) throw error
    // A key that is none makes the library throw more than its own errors; all of them are the client's mistake.
    const reason = error instanceof errors.JOSEError ? error.code : 'unusable_key'
    throw new OAuthError('invalid_client', 'the client assertion is not valid', { reason })
  }
}

/** Whether an assertion was refused because none of the client's keys is the one it names. */
export function isUnknownKey(error: unknown): boolean {
  return error instanceof OAuthError && error.detail.reason === errors.JWKSNoMatchingKey.code
}

/** Another server that it is meant for as well could use it here. Clients do name one server's issuer and token endpoint. */
function checkAudience({ aud }: JWTPayload, ours: readonly string[]): void {
  if ([aud].flat().some((one) => one === undefined || !ours.includes(one)))
    throw new OAuthError('invalid_client', 'the client assertion is for another server as well')
}

function checkLifetime({ jti, exp }: JWTPayload, nowMs: number): VerifiedAssertion {
  const expiresAtMs = ((exp ?? 0) + TOLERANCE_SECONDS) * 1000
  if (
    jti === undefined ||
    jti === '' ||
    expiresAtMs - nowMs > (MAX_LIFETIME_SECONDS + TOLERANCE_SECONDS) * 1000
  ) {
    throw new OAuthError('invalid_client', 'the client assertion lives too long, or has no jti')
  }
  return { jti, expiresAtMs }
}
