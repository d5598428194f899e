// The gateway as an OAuth client of one upstream authorization server: the authorization URL, and redeeming what comes
// back. `oauth4webapi` makes the protocol checks, over our own HTTP and behind the token-answer normaliser.
import * as oauth from 'oauth4webapi'
import { OAuthError, UpstreamError } from '../errors.ts'
import type { ControlHttp } from './http.ts'
import { normaliseTokenAnswer } from './token-response.ts'

/** Everything that has to be known of an upstream authorization server to sign somebody in there. */
export interface UpstreamServer {
  /** Undefined when only endpoints were configured: then `iss` can't be compared (RFC 9207). */
  readonly issuer: string | undefined
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly authMethod: 'none' | 'client_secret_basic' | 'client_secret_post'
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly redirectUri: string
}

export interface UpstreamTokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  /** Undefined: the upstream never said, so it is good until refused. */
  readonly expiresAtMs: number | undefined
  readonly scope: string | undefined
}

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

// Fixed endpoints come without a metadata document, so the library is handed the little that it reads of one.
function parties(server: UpstreamServer): { as: oauth.AuthorizationServer; client: oauth.Client } {
  const issuer = server.issuer ?? new URL(server.authorizationEndpoint).origin
  return {
    as: {
      issuer,
      authorization_endpoint: server.authorizationEndpoint,
      token_endpoint: server.tokenEndpoint,
    },
    client: { client_id: server.clientId },
  }
}

function clientAuth({ authMethod, clientSecret = '' }: UpstreamServer): oauth.ClientAuth {
  const methods = {
    none: () => oauth.None(),
    client_secret_basic: () => oauth.ClientSecretBasic(clientSecret),
    client_secret_post: () => oauth.ClientSecretPost(clientSecret),
  } as const
  return methods[authMethod]()
}

function tokenOptions(
  http: ControlHttp,
  server: UpstreamServer,
  resource: string | undefined,
): oauth.TokenEndpointRequestOptions {
  return {
    [oauth.customFetch]: async (url, { method, headers, body }) => {
      const answer = await http({
        method: method === 'POST' ? 'POST' : 'GET',
        url: new URL(url),
        headers: Object.fromEntries(new Headers(headers)),
        body: String(body ?? ''),
      })
      return normaliseTokenAnswer(answer)
    },
    // The configuration allows http only where an operator wrote it, and warns off loopback.
    [oauth.allowInsecureRequests]: server.tokenEndpoint.startsWith('http:'),
    ...(resource !== undefined && { additionalParameters: { resource } }),
  }
}

function tokensOf(response: oauth.TokenEndpointResponse, nowMs: number): UpstreamTokens {
  return {
    accessToken: response.access_token,
    refreshToken: response.refresh_token,
    expiresAtMs: response.expires_in === undefined ? undefined : nowMs + response.expires_in * 1000,
    scope: response.scope,
  }
}

function publicError(error: unknown): unknown {
  if (error instanceof oauth.AuthorizationResponseError) {
    const denied = error.error === 'access_denied'
    return denied
      ? new OAuthError('access_denied', 'access was not granted at the upstream', {
          upstreamError: error.error,
        })
      : new OAuthError('server_error', 'the upstream refused the sign-in', { upstreamError: error.error })
  }
  if (error instanceof oauth.ResponseBodyError) {
    return new OAuthError('server_error', 'the upstream refused the sign-in', {
      upstreamError: error.error,
      upstreamStatus: error.status,
    })
  }
  if (error instanceof UpstreamError) {
    return new OAuthError('temporarily_unavailable', 'the upstream sign-in server did not answer', {
      fault: error.fault,
      ...error.detail,
    })
  }
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    return new OAuthError('server_error', 'the upstream answered in a way that cannot be trusted', {
      reason: error.code,
    })
  }
  return error
}
