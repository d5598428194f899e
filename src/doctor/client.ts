// Does the token endpoint know the client? A code that nobody issued has to be what is wrong, not the client
// (RFC 6749 §5.2: invalid_grant, not invalid_client).
import { type LogDetail, OAuthError } from '../errors.ts'
import { createCodeVerifier, redeem } from '../upstream/authorization-code.ts'
import type { ControlHttp } from '../upstream/http.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { inWords } from './observe.ts'

const STATE = 'doctor'
const CODE = 'made-up-by-mcp-oauth-gateway-doctor'

export async function checkClient(
  scope: string,
  server: UpstreamServer,
  http: ControlHttp,
): Promise<Finding> {
  if (signsWithOwnKey(server)) return ownKey(scope)
  const refusal = await redeemMadeUpCode(server, http)
  return refusal === undefined ? gullible(scope) : judgeRefusal(scope, refusal, server)
}

/** Its key lies in the store, which is not opened here. */
export function signsWithOwnKey({ authMethod, assertion }: UpstreamServer): boolean {
  return authMethod === 'private_key_jwt' && assertion === undefined
}

export function ownKey(scope: string): Finding {
  return warn(
    scope,
    'the gateway signs in there with its own key, which doctor does not read: it cannot tell whether the token endpoint knows the client',
    'Register the key set /.well-known/jwks.json of this gateway there, and use the route once to see.',
  )
}

/** A token for what nobody issued. */
export function gullible(scope: string): Finding {
  return warn(
    scope,
    'the token endpoint gave a token for a made-up code or token',
    'It checks nothing, so it is not a real authorization server: correct token_endpoint or issuer.',
  )
}

/** Why it was refused; undefined: it was not. */
export async function redeemMadeUpCode(
  server: UpstreamServer,
  http: ControlHttp,
): Promise<LogDetail | undefined> {
  const answer = new URLSearchParams({
    code: CODE,
    state: STATE,
    ...(server.issuer && { iss: server.issuer }),
  })
  const redemption = { answer, state: STATE, codeVerifier: createCodeVerifier(), resource: undefined }
  try {
    await redeem(http, server, redemption, Date.now())
    return undefined
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    return error.detail
  }
}

export function judgeRefusal(
  scope: string,
  detail: LogDetail,
  server: Pick<UpstreamServer, 'redirectUri'>,
): Finding {
  const { upstreamError: code } = detail
  if (detail.fault !== undefined) return noAnswer(scope, detail)
  if (GOOD.includes(String(code))) return knownClient(scope)
  if (UNKNOWN_CLIENT.includes(String(code))) return unknownClient(scope, String(code))
  if (code === 'redirect_uri_mismatch')
    return fail(scope, 'the redirect URI is not registered there', `Register ${server.redirectUri} there.`)
  if (code === undefined || code === 'invalid_response') return noOAuth(scope)
  return untold(scope, String(code), 'Sign in once to see.')
}

export function noAnswer(scope: string, { fault, reason }: LogDetail): Finding {
  const why = inWords(String(reason ?? fault))
  return fail(scope, `the token endpoint gave no answer: ${why}`, adviceOn('token_endpoint', { reason }))
}

/** Metadata may name a private address only on the host that the configuration names. */
export function adviceOn(endpoint: string, { reason }: LogDetail): string {
  return reason === 'private_address'
    ? 'If you trust it, write authorization_endpoint, token_endpoint and client_id.'
    : `Check ${endpoint}.`
}

export function noOAuth(scope: string): Finding {
  return fail(scope, 'the answer of the token endpoint is not OAuth', 'Check token_endpoint.')
}

export function knownClient(scope: string): Finding {
  return ok(scope, 'the token endpoint knows the client')
}

export function unknownClient(scope: string, code: string): Finding {
  return fail(
    scope,
    `the token endpoint does not know the client (${code})`,
    'Check client_id, client_secret and token_endpoint_auth_method.',
  )
}

export function untold(scope: string, code: string, advice: string): Finding {
  return warn(
    scope,
    `the token endpoint answers ${code}, which does not tell whether it knows the client`,
    advice,
  )
}

/** GitHub's words beside the standard's; it checks the client first, then the redirect URI, then the code. */
const GOOD: readonly string[] = ['invalid_grant', 'bad_verification_code']
const UNKNOWN_CLIENT: readonly string[] = [
  'invalid_client',
  'unauthorized_client',
  'incorrect_client_credentials',
  'bad_client_credentials',
]
