// Grant type `refresh_token`: rotation with a grace in which the same successor is given again (RFC 6749 §6, RFC 9700 §4.14).
import { OAuthError } from '../../errors.ts'
import { findSpent, judgeRefresh, mintPair, rotate, type TokenPair } from '../../oauth/grant.ts'
import { required } from '../../oauth/parameters.ts'
import { includesAll, parseScope } from '../../oauth/scope.ts'
import { hashToken } from '../../oauth/tokens.ts'
import type { Grant } from '../../store/records.ts'
import { openUnder, sealUnder } from '../../store/seal.ts'
import { replaceGrant, revokeGrant } from '../grants.ts'
import { whyNotServed } from '../step-up.ts'
import { type Issued, invalidGrant } from './issue.ts'
import { type Attempt, checkStanding, hashesOf, redeemPresented, refuse } from './presented.ts'

const refresh: Attempt = async (request, presented, entry) => {
  const { parameters, client, gateway, deps } = request
  const verdict = judgeRefresh(entry.value, presented, client.id, deps.now())
  if (verdict === 'reused')
    return (await revokeGrant(entry, gateway, deps)) ? refuse(verdict, entry, deps) : undefined
  if (verdict !== 'good' && verdict !== 'grace') return refuse(verdict, entry, deps)
  const route = checkStanding(request, entry)
  if (!includesAll(entry.value.scopes, parseScope(parameters.get('scope')), route.hierarchy)) {
    throw new OAuthError('invalid_scope', 'a refresh cannot widen the scope')
  }
  // While the upstream link is dead a fresh token would only meet 401 again, so the client is sent to sign in. The
  // grant stays: once the person has connected again, it goes on (design §6.9).
  const unserved = await whyNotServed(route, entry.value)
  if (unserved !== undefined) return refuse(unserved, entry, deps)
  const spentToken = required(parameters, 'refresh_token')
  if (verdict === 'grace') return newestSuccessor(entry.value, spentToken, deps.now())
  const pair = mintPair(entry.value.id)
  const spent = {
    hash: presented.hash,
    sealedSuccessor: sealUnder(spentToken, entry.value.id, JSON.stringify(pair)),
  }
  const grant = rotate(entry.value, spent, hashesOf(pair), gateway.tokens, deps.now())
  return (await replaceGrant(entry, grant, deps)) ? { grant, ...pair } : undefined
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
  return { grant, ...pair }
}

export const refreshToken = redeemPresented('refresh_token', 'refresh', refresh)
