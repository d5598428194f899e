// Grant type `authorization_code`: the end of a sign-in (RFC 6749 §4.1.3, RFC 7636 §4.5).
import { judgeCode, mintPair, spendCode } from '../../oauth/grant.ts'
import { replaceGrant, revokeGrant } from '../grants.ts'
import { type Attempt, checkStanding, hashesOf, redeemPresented, refuse } from './presented.ts'

const redeemCode: Attempt = async (request, presented, entry) => {
  const { parameters, client, gateway, deps } = request
  const verdict = judgeCode(
    entry.value,
    presented,
    {
      clientId: client.id,
      redirectUri: parameters.get('redirect_uri'),
      verifier: parameters.get('code_verifier'),
    },
    deps.now(),
  )
  // RFC 6749 §4.1.2: a code used twice may have been stolen, so what it produced ends too. A wrong verifier is a guess.
  if (verdict === 'replayed' || verdict === 'wrong_verifier') {
    return (await revokeGrant(entry, gateway, deps)) ? refuse(verdict, entry, deps) : undefined
  }
  if (verdict !== 'good') return refuse(verdict, entry, deps)
  checkStanding(request, entry)
  const pair = mintPair(entry.value.id)
  const grant = spendCode(entry.value, hashesOf(pair), gateway.tokens, deps.now())
  return (await replaceGrant(entry, grant, deps)) ? { grant, ...pair } : undefined
}

export const authorizationCode = redeemPresented('code', 'code', redeemCode)
