// The refresh token grant at an upstream, and what each way of failing means for the link.
import * as oauth from 'oauth4webapi'
import type { ControlHttp } from './http.ts'
import type { UpstreamServer, UpstreamTokens } from './server.ts'
import { clientAuth, parties, tokenOptions, tokensOf } from './token-endpoint.ts'
import { isTrouble, tokenFailure } from './token-failure.ts'

export interface RefreshRequest {
  readonly refreshToken: string
  readonly resource: string | undefined
}

/** `invalid_grant` is the only answer that ends a link (design §6.9). Throws UpstreamError for every other failure: `unavailable` passes by itself, `credential_refused` is for the operator. */
export async function refreshTokens(
  http: ControlHttp,
  server: UpstreamServer,
  request: RefreshRequest,
  nowMs: number,
): Promise<UpstreamTokens | 'invalid_grant'> {
  const { as, client } = parties(server)
  try {
    const options = tokenOptions(http, server, request.resource)
    const response = await oauth.refreshTokenGrantRequest(
      as,
      client,
      clientAuth(server),
      request.refreshToken,
      options,
    )
    return tokensOf(await oauth.processRefreshTokenResponse(as, client, response), nowMs)
  } catch (error) {
    const isEnded =
      error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant' && !isTrouble(error)
    if (isEnded) return 'invalid_grant'
    throw tokenFailure(error, server, nowMs)
  }
}
