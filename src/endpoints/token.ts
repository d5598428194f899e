// POST /token: client authentication, then one function per grant type. Every refusal leaves the grant as it was,
// unless what happened proves that it was stolen.
import { OAuthError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import type { Client } from '../oauth/client.ts'
import {
  findAccessToken,
  findSpent,
  judgeCode,
  judgeRefresh,
  mintPair,
  type PairHashes,
  rotate,
  spendCode,
  type TokenPair,
} from '../oauth/grant.ts'
import { type Parameters, parseParameters, required } from '../oauth/parameters.ts'
import { checkSameResource } from '../oauth/resource.ts'
import { formatScope, includesAll, parseScope } from '../oauth/scope.ts'
import { hashToken, type PresentedToken, parseToken, type TokenKind } from '../oauth/tokens.ts'
import { mayUse } from '../policy/access.ts'
import { jsonReply } from '../reply.ts'
import type { Grant } from '../store/records.ts'
import { openUnder, sealUnder } from '../store/seal.ts'
import type { Entry } from '../store/store.ts'
import { authenticateClient } from './clients.ts'
import type { Deps, Handle } from './endpoint.ts'
import { checkForm } from './form.ts'
import { findGrant, replaceGrant, revokeGrant } from './grants.ts'

interface TokenRequest {
  readonly parameters: Parameters
  readonly client: Client
  readonly gateway: Gateway
  readonly deps: Deps
}

interface Issued {
  readonly grant: Grant
  readonly pair: TokenPair
}

/** Undefined: the grant changed while it was judged. Judge again. */
type Attempt = (
  request: TokenRequest,
  presented: PresentedToken,
  entry: Entry<Grant>,
) => Promise<Issued | undefined>

interface GrantType {
  readonly parameter: string
  readonly kind: TokenKind
  readonly attempt: Attempt
}

/** Which parameter carries the credential, what it must be, and how it is redeemed. */
const GRANT_TYPES: ReadonlyMap<string, GrantType> = new Map([
  ['authorization_code', { parameter: 'code', kind: 'code', attempt: redeemCode }],
  ['refresh_token', { parameter: 'refresh_token', kind: 'refresh', attempt: refresh }],
])

/** Each lost race means that another request made progress, so this many in a row mean a fault. */
const MAX_ATTEMPTS = 50

export const token: Handle = async ({ body, headers }, gateway, deps) => {
  checkForm(headers)
  const parameters = parseParameters(body)
  const client = await authenticateClient(headers.authorization, parameters, gateway, deps)
  const grantType = GRANT_TYPES.get(required(parameters, 'grant_type'))
  if (grantType === undefined) {
    throw new OAuthError(
      'unsupported_grant_type',
      `grant_type must be one of ${[...GRANT_TYPES.keys()].join(', ')}`,
    )
  }
  const presented = parseToken(grantType.kind, required(parameters, grantType.parameter))
  if (presented === undefined) throw invalidGrant('malformed')
  const issued = await redeem({ parameters, client, gateway, deps }, presented, grantType.attempt)
  return jsonReply(200, tokenResponse(issued, deps.now()), { pragma: 'no-cache' })
}

async function redeem(request: TokenRequest, presented: PresentedToken, attempt: Attempt): Promise<Issued> {
  for (let tries = 0; tries < MAX_ATTEMPTS; tries++) {
    const entry = await findGrant(presented, request.deps)
    if (entry === undefined) throw invalidGrant('unknown')
    const issued = await attempt(request, presented, entry)
    if (issued !== undefined) return issued
  }
  throw new OAuthError('temporarily_unavailable', 'too many requests for this grant at once')
}

async function redeemCode(
  request: TokenRequest,
  presented: PresentedToken,
  entry: Entry<Grant>,
): Promise<Issued | undefined> {
  const { parameters, client, gateway, deps } = request
  const verifier = parameters.get('code_verifier')
  const verdict = judgeCode(
    entry.value,
    presented,
    { clientId: client.id, redirectUri: parameters.get('redirect_uri'), verifier },
    deps.now(),
  )
  // RFC 6749 §4.1.2: a code used twice may have been stolen, so what it produced ends too. A wrong verifier is a guess.
  if (verdict === 'replayed' || verdict === 'wrong_verifier') {
    return (await revokeGrant(entry, deps)) ? refuse(verdict, entry, deps) : undefined
  }
  if (verdict !== 'good') return refuse(verdict, entry, deps)
  checkStanding(request, entry)
  const pair = mintPair(entry.value.id)
  const grant = spendCode(entry.value, hashesOf(pair), gateway.tokens, deps.now())
  return (await replaceGrant(entry, grant, deps)) ? { grant, pair } : undefined
}

async function refresh(
  request: TokenRequest,
  presented: PresentedToken,
  entry: Entry<Grant>,
): Promise<Issued | undefined> {
  const { parameters, client, gateway, deps } = request
  const verdict = judgeRefresh(entry.value, presented, client.id, deps.now())
  if (verdict === 'reused') return (await revokeGrant(entry, deps)) ? refuse(verdict, entry, deps) : undefined
  if (verdict !== 'good' && verdict !== 'grace') return refuse(verdict, entry, deps)
  if (!includesAll(entry.value.scopes, parseScope(parameters.get('scope')))) {
    throw new OAuthError('invalid_scope', 'a refresh cannot widen the scope')
  }
  const { auth } = checkStanding(request, entry)
  // While the upstream link is dead a fresh token would only meet 401 again, so the client is sent to sign in. The
  // grant stays: once the person has connected again, it goes on (design §6.9).
  if (auth.link !== undefined && !(await auth.link.isGood(entry.value.subject)))
    return refuse('upstream_link', entry, deps)
  const spentToken = required(parameters, 'refresh_token')
  if (verdict === 'grace') return newestSuccessor(entry.value, spentToken, deps.now())
  const pair = mintPair(entry.value.id)
  const spent = {
    hash: presented.hash,
    sealedSuccessor: sealUnder(spentToken, entry.value.id, JSON.stringify(pair)),
  }
  const grant = rotate(entry.value, spent, hashesOf(pair), gateway.tokens, deps.now())
  return (await replaceGrant(entry, grant, deps)) ? { grant, pair } : undefined
}

// A client that lost the answer, or shares its token with other processes, gets what is newest of the family: never a
// second branch (sec-T5, sec-T6), and never a pair that was spent meanwhile. A client with several requests under way
// keeps whichever answer it read last; an older one would come back after its grace, as a thief's would.
function newestSuccessor(grant: Grant, spentToken: string, nowMs: number): Issued {
  let pair: TokenPair | undefined
  for (let token = spentToken; ; token = pair.refresh) {
    const sealed = findSpent(grant, hashToken(token), nowMs)?.sealedSuccessor
    const opened = sealed === undefined ? undefined : openUnder(token, grant.id, sealed)
    if (opened === undefined) break
    pair = JSON.parse(opened) as TokenPair
  }
  if (pair === undefined) throw invalidGrant('grace')
  return { grant, pair }
}

/** What must still hold whenever tokens are issued: the route, the person, their access, the resource. */
function checkStanding({ parameters, gateway }: TokenRequest, { value: grant }: Entry<Grant>): Route {
  const route = gateway.routes.get(grant.route)
  const profile = gateway.profile(grant.subject)
  if (route === undefined || profile === undefined || !mayUse(route.access, profile))
    throw invalidGrant('standing')
  checkSameResource(route.resource, parameters.get('resource'), gateway.issuer)
  return route
}

function refuse(reason: string, { value: { subject, route } }: Entry<Grant>, { log }: Deps): never {
  log.warn('token refused', { reason, subject, route })
  throw invalidGrant(reason)
}

// One text for all causes: which of them it was helps only somebody who is guessing.
function invalidGrant(reason: string): OAuthError {
  return new OAuthError('invalid_grant', 'the code or token is not valid: sign in again', { reason })
}

function hashesOf(pair: TokenPair): PairHashes {
  return { access: hashToken(pair.access), refresh: hashToken(pair.refresh) }
}

/** RFC 6749 §5.1. `expires_in` is computed anew, so that it is honest for a repeated answer too. */
function tokenResponse({ grant, pair }: Issued, nowMs: number) {
  const expiresAtMs = findAccessToken(grant, hashToken(pair.access), nowMs)?.expiresAtMs ?? nowMs
  return {
    access_token: pair.access,
    token_type: 'Bearer',
    expires_in: Math.floor((expiresAtMs - nowMs) / 1000),
    refresh_token: pair.refresh,
    scope: formatScope(grant.scopes),
  }
}
