// The authorization code grant at an upstream: the URL that browsers are sent to, and redeeming what they come back
// with. The protocol library makes the checks.
import * as oauth from 'oauth4webapi'
import { type LogDetail, OAuthError, UpstreamError } from '../errors.ts'
import { isOwnAddress } from '../oauth/own-address.ts'
import { loggableErrorCode } from './error-code.ts'
import type { ControlHttp } from './http.ts'
import type { UpstreamServer, UpstreamTokens } from './server.ts'
import { clientAuth, parties, refusedAnswer, tokenOptions, tokensOf } from './token-endpoint.ts'
import { answerDetail, isRefusal } from './token-failure.ts'
import { isWebAddress } from './well-known.ts'

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

/** Checks the authorization response: state, `iss`, error, and that there is a code. Throws OAuthError with text that is fit for the client: nothing the upstream wrote (sec-C11). */
export function checkAnswer(server: UpstreamServer, answer: URLSearchParams, state: string): URLSearchParams {
  const { as, client } = parties(server)
  const known = new URLSearchParams(answer)
  try {
    if (server.issuer === undefined) {
      // The server may have sent the browser to the gateway's own pages, where people know the way (mix-up, RFC 9700 §4.4).
      if (known.getAll('iss').some((iss) => isWebAddress(iss) && isOwnAddress(iss, server.redirectUri)))
        throw untrusted('own_answer')
      known.delete('iss')
    }
    const checked = oauth.validateAuthResponse(as, client, known, state)
    if (!checked.get('code')) throw untrusted('no_code')
    return checked
  } catch (error) {
    throw publicError(error, server)
  }
}

export interface Redemption {
  readonly answer: URLSearchParams
  readonly state: string
  readonly codeVerifier: string
  readonly resource: string | undefined
}

/** Redeems the code of an answer that `checkAnswer` lets pass, and throws as it does. */
export async function redeem(
  http: ControlHttp,
  server: UpstreamServer,
  { answer, state, codeVerifier, resource }: Redemption,
  nowMs: number,
): Promise<UpstreamTokens> {
  const checked = checkAnswer(server, answer, state)
  const { as, client } = parties(server)
  try {
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      clientAuth(server),
      checked,
      server.redirectUri,
      codeVerifier,
      tokenOptions(http, server, resource),
    )
    return tokensOf(await oauth.processAuthorizationCodeResponse(as, client, response), nowMs)
  } catch (error) {
    throw publicError(error, server)
  }
}

function publicError(error: unknown, server: UpstreamServer): unknown {
  if (error instanceof oauth.AuthorizationResponseError) return answeredError(error)
  if (error instanceof oauth.ResponseBodyError) {
    const detail = answerDetail(error, server)
    return isRefusal(error) ? refused(detail) : inTrouble(detail)
  }
  if (error instanceof UpstreamError) {
    return new OAuthError('temporarily_unavailable', 'the upstream sign-in server did not answer', {
      fault: error.fault,
      ...error.detail,
    })
  }
  const status = refusedAnswer(error)?.status ?? 0
  if (status >= 500) return inTrouble({ upstreamStatus: status })
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError)
    return untrusted(error.code)
  return error
}

/** What the server sent the browser back with (RFC 6749 §4.1.2.1). */
function answeredError({ error }: oauth.AuthorizationResponseError): OAuthError {
  const detail = { upstreamError: loggableErrorCode(error) }
  if (error === 'access_denied')
    return new OAuthError('access_denied', 'access was not granted at the upstream', detail)
  return error === 'temporarily_unavailable' ? inTrouble(detail) : refused(detail)
}

/** RFC 6749 §4.1.2.1 and §5.2: what was wrong is what was asked for. A server in trouble may say anything. */
export function isScopeRefusal(error: unknown): boolean {
  return (
    error instanceof OAuthError &&
    error.code === 'server_error' &&
    error.detail.upstreamError === 'invalid_scope'
  )
}

function refused(detail: LogDetail): OAuthError {
  return new OAuthError('server_error', 'the upstream refused the sign-in', detail)
}

function inTrouble(detail: LogDetail): OAuthError {
  return new OAuthError('temporarily_unavailable', 'the upstream sign-in server has a problem', detail)
}

function untrusted(reason: string | undefined): OAuthError {
  return new OAuthError('server_error', 'the upstream answered in a way that cannot be trusted', { reason })
}
