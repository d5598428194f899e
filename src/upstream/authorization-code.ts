// The authorization code grant at an upstream: the URL that browsers are sent to, and redeeming what they come back
// with. The protocol library makes the checks.
import * as oauth from 'oauth4webapi'
import { OAuthError, UpstreamError } from '../errors.ts'
import { loggableErrorCode } from './error-code.ts'
import type { ControlHttp } from './http.ts'
import type { UpstreamServer, UpstreamTokens } from './server.ts'
import { clientAuth, parties, refusedAnswer, tokenOptions, tokensOf } from './token-endpoint.ts'

export interface AuthorizationRequest {
  readonly state: string
  readonly codeVerifier: string
  readonly scopes: readonly string[]
  readonly resource: string | undefined
}

export function createCodeVerifier(): string {
  return oauth.generateRandomCodeVerifier()
}

/** Configured parameters come first, so that none of them can replace one that carries security. */
export async function authorizationUrl(
  server: UpstreamServer,
  request: AuthorizationRequest,
): Promise<string> {
  const url = new URL(server.authorizationEndpoint)
  const parameters = {
    ...server.authorizationParameters,
    response_type: 'code',
    client_id: server.clientId,
    redirect_uri: server.redirectUri,
    state: request.state,
    code_challenge: await oauth.calculatePKCECodeChallenge(request.codeVerifier),
    code_challenge_method: 'S256',
    ...(request.scopes.length > 0 && { scope: request.scopes.join(' ') }),
    ...(request.resource !== undefined && { resource: request.resource }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}

export interface Redemption {
  readonly answer: URLSearchParams
  readonly state: string
  readonly codeVerifier: string
  readonly resource: string | undefined
}

/** Checks the authorization response (state, `iss`, error) and redeems the code. Throws OAuthError with text that is fit for the client: nothing the upstream wrote (sec-C11). */
export async function redeem(
  http: ControlHttp,
  server: UpstreamServer,
  redemption: Redemption,
  nowMs: number,
): Promise<UpstreamTokens> {
  const { as, client } = parties(server)
  const answer = new URLSearchParams(redemption.answer)
  if (server.issuer === undefined) answer.delete('iss')
  try {
    const checked = oauth.validateAuthResponse(as, client, answer, redemption.state)
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      clientAuth(server),
      checked,
      server.redirectUri,
      redemption.codeVerifier,
      tokenOptions(http, server, redemption.resource),
    )
    return tokensOf(await oauth.processAuthorizationCodeResponse(as, client, response), nowMs)
  } catch (error) {
    throw publicError(error)
  }
}

function publicError(error: unknown): unknown {
  if (error instanceof oauth.AuthorizationResponseError) {
    const denied = error.error === 'access_denied'
    return denied
      ? new OAuthError('access_denied', 'access was not granted at the upstream', {
          upstreamError: loggableErrorCode(error.error),
        })
      : new OAuthError('server_error', 'the upstream refused the sign-in', {
          upstreamError: loggableErrorCode(error.error),
        })
  }
  if (error instanceof oauth.ResponseBodyError) {
    return new OAuthError('server_error', 'the upstream refused the sign-in', {
      upstreamError: loggableErrorCode(error.error),
      upstreamStatus: error.status,
    })
  }
  if (error instanceof UpstreamError) {
    return new OAuthError('temporarily_unavailable', 'the upstream sign-in server did not answer', {
      fault: error.fault,
      ...error.detail,
    })
  }
  const status = refusedAnswer(error)?.status ?? 0
  if (status >= 500) {
    return new OAuthError('temporarily_unavailable', 'the upstream sign-in server has a problem', {
      upstreamStatus: status,
    })
  }
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    return new OAuthError('server_error', 'the upstream answered in a way that cannot be trusted', {
      reason: error.code,
    })
  }
  return error
}
