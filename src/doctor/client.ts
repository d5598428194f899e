// Does the token endpoint know the client? A code that nobody issued has to be what is wrong, not the client
// (RFC 6749 §5.2: invalid_grant, not invalid_client).
import { OAuthError } from '../errors.ts'
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
  if (server.authMethod === 'private_key_jwt' && server.assertion === undefined)
    return warn(
      scope,
      "it is the gateway's own key that signs in there, so whether the token endpoint knows the client cannot be told",
      'Register the key set /.well-known/jwks.json of this gateway there, and sign in once to see.',
    )
  const answer = new URLSearchParams({
    code: CODE,
    state: STATE,
    ...(server.issuer && { iss: server.issuer }),
  })
  const redemption = { answer, state: STATE, codeVerifier: createCodeVerifier(), resource: undefined }
  try {
    await redeem(http, server, redemption, Date.now())
    return warn(
      scope,
      'the token endpoint gave a token for a made-up code',
      'It is no real authorization server.',
    )
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    return judgeRefusal(scope, error.detail, server)
  }
}

export function judgeRefusal(
  scope: string,
  detail: OAuthError['detail'],
  server: Pick<UpstreamServer, 'redirectUri'>,
): Finding {
  const { upstreamError: code, fault, reason } = detail
  if (fault !== undefined)
    return fail(
      scope,
      `the token endpoint gave no answer: ${inWords(String(reason ?? fault))}`,
      'Check token_endpoint.',
    )
  if (GOOD.includes(String(code))) return ok(scope, 'the token endpoint knows the client')
  if (UNKNOWN_CLIENT.includes(String(code)))
    return fail(
      scope,
      `the token endpoint does not know the client (${code})`,
      'Check client_id, client_secret and token_endpoint_auth_method.',
    )
  if (code === 'redirect_uri_mismatch')
    return fail(scope, 'the redirect URI is not registered there', `Register ${server.redirectUri} there.`)
  if (code === undefined || code === 'invalid_response')
    return fail(scope, 'what the token endpoint answers is no OAuth', 'Check token_endpoint.')
  return warn(
    scope,
    `the token endpoint answers ${code}, so whether it knows the client cannot be told`,
    'Sign in once to see.',
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
