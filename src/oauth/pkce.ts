// PKCE (RFC 7636) toward the client: S256 for everyone, nothing else. Pure.
import { createHash, timingSafeEqual } from 'node:crypto'
import { OAuthError } from '../errors.ts'
import type { Parameters } from './parameters.ts'

const CHALLENGE = /^[A-Za-z0-9_-]{43}$/
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/

/** The S256 challenge of an authorization request. A missing method means `plain` (RFC 7636 §4.3), which is refused like the rest. */
export function checkChallenge(parameters: Parameters): string {
  const challenge = parameters.get('code_challenge')
  if (challenge === undefined)
    throw new OAuthError('invalid_request', 'code_challenge is required (PKCE, RFC 7636)')
  if (parameters.get('code_challenge_method') !== 'S256') {
    throw new OAuthError('invalid_request', 'code_challenge_method must be S256')
  }
  if (!CHALLENGE.test(challenge))
    throw new OAuthError('invalid_request', 'code_challenge is not a SHA-256 in base64url')
  return challenge
}

export function isVerifierOf(challenge: string, verifier: string | undefined): boolean {
  if (verifier === undefined || !VERIFIER.test(verifier)) return false
  const computed = createHash('sha256').update(verifier).digest()
  const expected = Buffer.from(challenge, 'base64url')
  return expected.length === computed.length && timingSafeEqual(expected, computed)
}
