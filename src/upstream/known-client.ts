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

/** How far the server's clock is ahead, as its last answer says (RFC 9110 §6.6.1): 0 where it says nothing. */
export function observeClock(http: ControlHttp): { readonly http: ControlHttp; aheadMs(): number } {
  let aheadMs = 0
  return {
    async http(request) {
      const answer = await http(request)
      const serverMs = Date.parse(String(answer.headers.date))
      // Assertions are dated by this clock too.
      aheadMs = Number.isNaN(serverMs) ? 0 : serverMs - Date.now()
      return answer
    },
    aheadMs: () => aheadMs,
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
