// Does a token endpoint still know the gateway? Asked with a code that nobody issued: what has to be wrong is the code, not
// the client (RFC 6749 §5.2).
import { GatewayError, OAuthError } from '../errors.ts'
import { createCodeVerifier, redeem } from './authorization-code.ts'
import type { ControlHttp } from './http.ts'
import type { UpstreamServer } from './server.ts'

const STATE = 'known'
const CODE = 'made-up-by-mcp-oauth-gateway'

/** True only when the server says so: one that is down, or answers anything else, has forgotten nobody. */
export async function isForgotten(
  http: ControlHttp,
  server: UpstreamServer,
  nowMs: number,
): Promise<boolean> {
  const answer = new URLSearchParams({
    code: CODE,
    state: STATE,
    ...(server.issuer !== undefined && { iss: server.issuer }),
  })
  const redemption = { answer, state: STATE, codeVerifier: createCodeVerifier(), resource: undefined }
  try {
    await redeem(http, server, redemption, nowMs)
    return false
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    return isClientUnknown(error)
  }
}

/** RFC 6749 §5.2: `invalid_client`, and not `unauthorized_client`, which is said to a client that is known. A server in trouble may say anything. */
export function isClientUnknown(error: unknown): boolean {
  return (
    error instanceof GatewayError &&
    error.code === 'server_error' &&
    error.detail.upstreamError === 'invalid_client'
  )
}
