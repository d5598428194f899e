// The life of a grant as pure transitions on its one record: code issued → spent → rotated → … → gone. Whoever calls
// writes the result with compare-and-swap; a lost race is simply judged again on the newer record.

import type { Subject } from '../slots.ts'
import type { Grant, SpentToken, TokenHash } from '../store/records.ts'
import { FORMAT } from '../store/records.ts'
import { isVerifierOf } from './pkce.ts'
import { mintToken, type PresentedToken, sameHash } from './tokens.ts'

/** OAuth 2.1 §4.1.3 allows ten minutes; a client redeems within seconds (sec-T3). */
export const CODE_TTL_MS = 60_000

/** A client that refreshes without end must not make its record, which is rewritten each time, grow without end. The oldest go first. */
const MAX_LIVING_TOKENS = 64

export interface Lifetimes {
  readonly access_ttl_ms: number
  readonly refresh_ttl_ms: number
  readonly refresh_max_ms: number
  readonly refresh_grace_ms: number
}

export interface Approval {
  readonly grantId: string
  readonly codeHash: string
  readonly subject: Subject
  readonly clientId: string
  readonly route: string
  readonly scopes: readonly string[]
  readonly redirectUri: string
  readonly challenge: string
}

/** What stands in the place of a person's consent: a machine client's own credentials, or an assertion about a person. */
export type Entitlement = Pick<Grant, 'subject' | 'profile' | 'clientId' | 'route' | 'scopes'> & {
  readonly grantId: string
}

/** The pair that a client receives. It exists in clear only here and in the answer. */
export interface TokenPair {
  readonly access: string
  readonly refresh: string
}

export function issueCode(approval: Approval, lifetimes: Lifetimes, nowMs: number): Grant {
  const { grantId, codeHash, subject, clientId, route, scopes, redirectUri, challenge } = approval
  return {
    v: FORMAT,
    id: grantId,
    subject,
    clientId,
    route,
    scopes,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + lifetimes.refresh_max_ms,
    code: { hash: codeHash, expiresAtMs: nowMs + CODE_TTL_MS, redirectUri, challenge, spent: false },
    access: [],
    refresh: undefined,
    spent: [],
  }
}

/** One access token and nothing else: whoever could get it once can get it again (RFC 6749 §4.4.3). */
export function issueAccess(
  { grantId, ...entitlement }: Entitlement,
  accessHash: string,
  { access_ttl_ms: ttlMs }: Pick<Lifetimes, 'access_ttl_ms'>,
  nowMs: number,
): Grant {
  const expiresAtMs = nowMs + ttlMs
  return {
    v: FORMAT,
    id: grantId,
    ...entitlement,
    createdAtMs: nowMs,
    expiresAtMs,
    access: [{ hash: accessHash, expiresAtMs }],
    refresh: undefined,
    spent: [],
  }
}

/** Until when the record matters: the code before it is spent, the refresh token afterwards. */
export function grantExpiresAtMs(grant: Grant): number {
  return Math.max(
    grant.code?.expiresAtMs ?? 0,
    grant.refresh?.expiresAtMs ?? 0,
    ...grant.access.map((token) => token.expiresAtMs),
  )
}

export type CodeVerdict =
  | 'good'
  | 'unknown'
  | 'expired'
  | 'replayed'
  | 'wrong_client'
  | 'wrong_redirect_uri'
  | 'wrong_verifier'

/**
 * Judges a presented code. Binding comes before spending: another client's attempt must neither burn the code nor, by
 * a replay, end the grant (sec-T2). A wrong verifier does burn it: whoever knows the code and the client id is guessing.
 */
export function judgeCode(
  grant: Grant,
  presented: PresentedToken,
  request: {
    readonly clientId: string
    readonly redirectUri: string | undefined
    readonly verifier: string | undefined
  },
  nowMs: number,
): CodeVerdict {
  const { code } = grant
  if (code === undefined || !sameHash(code.hash, presented.hash)) return 'unknown'
  if (grant.clientId !== request.clientId) return 'wrong_client'
  if (code.spent) return 'replayed'
  if (code.expiresAtMs <= nowMs) return 'expired'
  // OAuth 2.1 dropped redirect_uri from the token request; who sends one must send the right one.
  if (request.redirectUri !== undefined && request.redirectUri !== code.redirectUri)
    return 'wrong_redirect_uri'
  if (!isVerifierOf(code.challenge, request.verifier)) return 'wrong_verifier'
  return 'good'
}

export type RefreshVerdict = 'good' | 'grace' | 'reused' | 'expired' | 'wrong_client'

/** Judges a presented refresh token. Anything with this grant's id that is neither current nor in its grace is a spent token come back (RFC 9700 §4.14.2). */
export function judgeRefresh(
  grant: Grant,
  presented: PresentedToken,
  clientId: string,
  nowMs: number,
): RefreshVerdict {
  if (grant.clientId !== clientId) return 'wrong_client'
  const { refresh } = grant
  if (refresh !== undefined && sameHash(refresh.hash, presented.hash)) {
    return Math.min(refresh.expiresAtMs, grant.expiresAtMs) <= nowMs ? 'expired' : 'good'
  }
  return findSpent(grant, presented.hash, nowMs) === undefined ? 'reused' : 'grace'
}

/** The spent refresh token that was presented, while its grace lasts. */
export function findSpent(grant: Grant, hash: string, nowMs: number): SpentToken | undefined {
  return grant.spent.find((token) => token.graceEndsAtMs > nowMs && sameHash(token.hash, hash))
}

export function mintPair(grantId: string): TokenPair {
  return { access: mintToken('access', grantId), refresh: mintToken('refresh', grantId) }
}

/** Marks the code as spent and starts the token family. */
export function spendCode(grant: Grant, pair: PairHashes, lifetimes: Lifetimes, nowMs: number): Grant {
  const { code } = grant
  return {
    ...grant,
    ...(code && { code: { ...code, spent: true } }),
    ...family(grant, pair, lifetimes, nowMs),
  }
}

export interface PairHashes {
  readonly access: string
  readonly refresh: string
}

/** Replaces the refresh token. The spent one stays known until its grace ends, its successors sealed under itself. */
export function rotate(
  grant: Grant,
  spent: { readonly hash: string; readonly sealedSuccessor: string },
  pair: PairHashes,
  lifetimes: Lifetimes,
  nowMs: number,
): Grant {
  const inGrace = newest(grant.spent.filter((token) => token.graceEndsAtMs > nowMs))
  return {
    ...grant,
    ...family(grant, pair, lifetimes, nowMs),
    spent: [...inGrace, { ...spent, graceEndsAtMs: nowMs + lifetimes.refresh_grace_ms }],
  }
}

// Earlier access tokens live to their own expiry (design §5); none outlives the family.
function family(
  grant: Grant,
  pair: PairHashes,
  lifetimes: Lifetimes,
  nowMs: number,
): Pick<Grant, 'access' | 'refresh'> {
  const until = (ttlMs: number) => Math.min(nowMs + ttlMs, grant.expiresAtMs)
  const living = newest(grant.access.filter((token) => token.expiresAtMs > nowMs))
  return {
    access: [...living, { hash: pair.access, expiresAtMs: until(lifetimes.access_ttl_ms) }],
    refresh: { hash: pair.refresh, expiresAtMs: until(lifetimes.refresh_ttl_ms) },
  }
}

function newest<T>(tokens: readonly T[]): readonly T[] {
  return tokens.slice(-(MAX_LIVING_TOKENS - 1))
}

/** The live access token that was presented, if this grant has it. */
export function findAccessToken(grant: Grant, hash: string, nowMs: number): TokenHash | undefined {
  return grant.access.find((token) => token.expiresAtMs > nowMs && sameHash(token.hash, hash))
}

export function withoutAccessToken(grant: Grant, hash: string): Grant {
  return { ...grant, access: grant.access.filter((token) => !sameHash(token.hash, hash)) }
}
