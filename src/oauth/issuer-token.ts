// JWTs that another issuer signed: access tokens (RFC 9068) on routes that take them, and assertions about people
// (ID-JAG) at /token. Verification only; the keys are handed in, and whether one was used before is for the caller.
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import { OAuthError, type OAuthErrorCode, UpstreamError } from '../errors.ts'
import type { Doubts, Profile, Subject } from '../slots.ts'
import { parseScope } from './scope.ts'

/** An issuer that the configuration trusts, in its words. */
export interface TrustedIssuer {
  readonly issuer: string
  readonly jwks_uri?: string
  readonly algorithms: readonly string[]
  readonly id_jag: boolean
  readonly legacy_typ: boolean
  readonly claims: { readonly email: string; readonly groups: string }
}

export type IssuerTokenType = 'access_token' | 'id_jag'

export interface IssuerTokenContext {
  readonly type: IssuerTokenType
  /** One of these must be in `aud`. */
  readonly audiences: readonly string[]
  readonly nowMs: number
  /** The issuer's key that a header means. May throw UpstreamError: then nothing is known of the token. */
  readonly key: JWTVerifyGetKey
}

export interface IssuerToken {
  readonly subject: Subject
  readonly profile: Profile
  readonly clientId: string | undefined
  readonly scopes: readonly string[]
  readonly expiresAtMs: number
  readonly jti: string | undefined
  /** All that the token says. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** What tells one kind of JWT from another (RFC 8725 §3.11): the same issuer signs ID tokens for everybody. */
interface Kind {
  readonly typ: string
  readonly mayHaveLegacyTyp: boolean
  /** RFC 7523 §3: an assertion for several could be used at one by another of them. An access token may be for several (RFC 9068 §3). */
  readonly soleAudience: boolean
  readonly error: OAuthErrorCode
}

const KINDS: { readonly [T in IssuerTokenType]: Kind } = {
  access_token: { typ: 'at+jwt', mayHaveLegacyTyp: true, soleAudience: false, error: 'invalid_token' },
  id_jag: { typ: 'oauth-id-jag+jwt', mayHaveLegacyTyp: false, soleAudience: true, error: 'invalid_grant' },
}

/** Longer ones are refused unread: whoever sends them has not proven anything yet. */
const MAX_LENGTH = 8 * 1024
/** For clocks that differ. A token is never good beyond its `exp`. */
const LEEWAY_SECONDS = 60
/** OpenID Connect Core §2. Control characters have no place in logs and headers. */
const SUBJECT = /^\P{Cc}{1,255}$/u
const EMAIL = /^[^@\s]+@[^@\s]+$/

/** Members that only ID tokens have (OpenID Connect Core §3.1.3.6, §3.3.2.11). */
const ID_TOKEN_MEMBERS = ['nonce', 'at_hash', 'c_hash']
/** True of one token, not of the person. */
const PASSING = ['exp', 'iat', 'nbf', 'jti']
/** RFC 9068 §2.2; then what Auth0, Okta and Entra write. */
const CLIENT_MEMBERS = ['client_id', 'azp', 'cid', 'appid']

/** Who the token says signed it: nothing is proven by it. Undefined for what is no JWT. */
export function claimedIssuer(jwt: string): string | undefined {
  if (jwt.length > MAX_LENGTH) return undefined
  try {
    const { iss } = decodeJwt(jwt)
    return typeof iss === 'string' ? iss : undefined
  } catch {
    return undefined
  }
}

/** Throws OAuthError `invalid_token` or `invalid_grant`, depending on the type; the reason is for the log alone. */
export async function verifyIssuerToken(
  jwt: string,
  issuer: TrustedIssuer,
  context: IssuerTokenContext,
): Promise<IssuerToken> {
  const kind = KINDS[context.type]
  try {
    checkKind(jwt, issuer, kind)
    const { payload } = await jwtVerify(jwt, context.key, {
      algorithms: [...issuer.algorithms],
      issuer: issuer.issuer,
      audience: [...context.audiences],
      requiredClaims: ['exp', 'sub'],
      clockTolerance: LEEWAY_SECONDS,
      currentDate: new Date(context.nowMs),
    })
    checkClaims(payload, kind, context.nowMs)
    return tokenOf(payload, issuer)
  } catch (error) {
    if (error instanceof UpstreamError) throw error
    throw new OAuthError(kind.error, 'the token of the identity provider is not valid here', {
      reason: reasonOf(error),
      issuer: issuer.issuer,
    })
  }
}

/** Why a token is refused. */
class Refused extends Error {}

// A key that is none makes the library throw more than its own errors.
function reasonOf(error: unknown): string {
  if (error instanceof Refused) return error.message
  if (error instanceof errors.JWTClaimValidationFailed) return `${error.code} ${error.claim}`
  return error instanceof errors.JOSEError ? error.code : 'unusable_key'
}

// Before any key is looked up: what can't be good anyway must not make us ask the issuer for keys.
function checkKind(jwt: string, issuer: TrustedIssuer, { typ, mayHaveLegacyTyp }: Kind): void {
  if (jwt.length > MAX_LENGTH) throw new Refused('too_long')
  const header = decodeProtectedHeader(jwt)
  const found = header.typ === undefined ? undefined : String(header.typ).toLowerCase()
  const isLegacy = mayHaveLegacyTyp && issuer.legacy_typ && (found === undefined || found === 'jwt')
  if (found !== typ && found !== `application/${typ}` && !isLegacy) throw new Refused('typ')
  if (decodeJwt(jwt).iss !== issuer.issuer) throw new Refused('iss')
}

function checkClaims(claims: JWTPayload, { soleAudience }: Kind, nowMs: number): void {
  const { sub, exp = 0, iat, aud } = claims
  if (typeof sub !== 'string' || !SUBJECT.test(sub)) throw new Refused('sub')
  if (exp * 1000 <= nowMs) throw new Refused('exp')
  if (iat !== undefined && iat * 1000 > nowMs + LEEWAY_SECONDS * 1000) throw new Refused('iat')
  if (ID_TOKEN_MEMBERS.some((member) => claims[member] !== undefined)) throw new Refused('id_token')
  // Bound to a key (RFC 9449 §6, RFC 8705 §3) that is not asked for here, so whoever stole it could use it.
  if (claims.cnf !== undefined) throw new Refused('cnf')
  if (soleAudience && Array.isArray(aud) && aud.length !== 1) throw new Refused('several_audiences')
}

function tokenOf(claims: JWTPayload, issuer: TrustedIssuer): IssuerToken {
  const subject = issuerSubject(issuer.issuer, String(claims.sub))
  const clientIds = textsIn(CLIENT_MEMBERS.map((member) => claims[member]))
  return {
    subject,
    profile: profileOf(claims, issuer, { subject, clientIds }),
    clientId: clientIds[0],
    scopes: scopesOf(claims.scope ?? claims.scp),
    expiresAtMs: (claims.exp ?? 0) * 1000,
    jti: typeof claims.jti === 'string' && claims.jti !== '' ? claims.jti : undefined,
    claims,
  }
}

/** An issuer has no fragment, so nobody else's subject begins like those of this one. */
export function issuerSubject(issuer: string, sub: string): Subject {
  return `oidc/${issuer}#${sub}` as Subject
}

export function isSubjectOf(subject: Subject, { issuer }: Pick<TrustedIssuer, 'issuer'>): boolean {
  return subject.startsWith(issuerSubject(issuer, ''))
}

/** Whether a token that was verified before would still be taken, by the claims that are kept of it. */
export function isFor(audience: string, { aud }: Profile['claims']): boolean {
  return textsIn(aud).includes(audience)
}

/** RFC 9068 §2.2: without a person the client is the subject. Then what Auth0 and Entra write. */
function isOwnToken({ sub, idtyp, gty }: JWTPayload, clientIds: readonly string[]): boolean {
  const isSubject = clientIds.some((id) => sub === id || sub === `${id}@clients`)
  return isSubject || idtyp === 'app' || gty === 'client-credentials'
}

interface Bearer {
  readonly subject: Subject
  readonly clientIds: readonly string[]
}

function profileOf(
  claims: JWTPayload,
  { claims: names }: TrustedIssuer,
  { subject, clientIds }: Bearer,
): Profile {
  const email = claims[names.email]
  // An address that nobody checked is whatever its owner typed.
  const isVerified = claims.email_verified === true && typeof email === 'string' && EMAIL.test(email)
  const kept = Object.entries(claims).filter(([name]) => !PASSING.includes(name))
  return {
    kind: isOwnToken(claims, clientIds) ? 'client' : 'person',
    // Whole: a `name` of their own choice could be that of a user.
    name: subject,
    groups: textsIn(claims[names.groups]),
    ...(isVerified && { email }),
    claims: Object.fromEntries(kept),
    clientIds,
    doubts: doubtsOf(claims, names, isVerified),
  }
}

// Entra leaves out groups that are too many for a token (`hasgroups`, or `_claim_names`: OpenID Connect Core §5.6.2).
// Whoever is in many groups would be in none that `deny` names.
function doubtsOf(claims: JWTPayload, names: TrustedIssuer['claims'], isVerified: boolean): Doubts {
  const { _claim_names: elsewhere, hasgroups } = claims
  const untold = typeof elsewhere === 'object' && elsewhere !== null ? Object.keys(elsewhere) : []
  const hasMore = names.groups === 'groups' && String(hasgroups) === 'true'
  return {
    emails: isVerified ? [] : textsIn(claims[names.email]),
    areGroupsUntold: hasMore || untold.includes(names.groups),
    untoldClaims: untold,
  }
}

function scopesOf(value: unknown): readonly string[] {
  return parseScope(textsIn(value).join(' '))
}

function textsIn(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.filter((one) => typeof one === 'string')
}
