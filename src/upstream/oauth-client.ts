// The gateway as an OAuth client of one upstream authorization server: the authorization URL, and redeeming what comes
// back. `oauth4webapi` makes the protocol checks, over our own HTTP and behind the token-answer normaliser.
import * as oauth from 'oauth4webapi'
import { type LogDetail, OAuthError, UpstreamError } from '../errors.ts'
import type { ControlHttp, Trust } from './http.ts'
import { normaliseTokenAnswer } from './token-response.ts'

/** Everything that has to be known of an upstream authorization server to sign somebody in there. */
export interface UpstreamServer {
  /** Undefined when only endpoints were configured: then `iss` can't be compared (RFC 9207). */
  readonly issuer: string | undefined
  /** Then an answer without `iss` is refused (RFC 9207 §2.4). */
  readonly issParameterSupported: boolean
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  /** Whether the operator wrote the token endpoint down, or an upstream named it. */
  readonly trust: Trust
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly authMethod: 'none' | 'client_secret_basic' | 'client_secret_post'
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly redirectUri: string
}

export interface UpstreamTokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly obtainedAtMs: number
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
    if (error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant') return 'invalid_grant'
    throw refreshFailure(error)
  }
}

/** The client may try again after this unless the upstream named a time. */
const RETRY_SECONDS = 5
/** RFC 6749 §5.2 errors that mean this gateway's registration or configuration is at fault. */
const OPERATOR_ERRORS: ReadonlySet<string> = new Set([
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_request',
  'invalid_scope',
  'invalid_target',
])

function refreshFailure(error: unknown): unknown {
  if (error instanceof oauth.ResponseBodyError) {
    const detail = { upstreamError: error.error.slice(0, 40), upstreamStatus: error.status }
    if (OPERATOR_ERRORS.has(error.error) && error.status < 500 && error.status !== 429) {
      return new UpstreamError(
        'credential_refused',
        'the upstream sign-in server refused this gateway: its operator has to act',
        detail,
      )
    }
    return unavailable(detail, retryAfterSeconds(error.response.headers.get('retry-after')))
  }
  if (error instanceof UpstreamError) return unavailable({ fault: error.fault, ...error.detail })
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    // The library reads no error body of a 5xx: the whole answer is the cause then.
    const answer = error.cause instanceof Response ? error.cause : undefined
    const retryAfter = retryAfterSeconds(answer?.headers.get('retry-after'))
    return unavailable({ reason: error.code, upstreamStatus: answer?.status }, retryAfter)
  }
  return error
}

function unavailable(detail: LogDetail, retryAfter = RETRY_SECONDS): UpstreamError {
  return new UpstreamError(
    'unavailable',
    'the upstream sign-in server does not answer as it should: try again',
    detail,
    retryAfter,
  )
}

function retryAfterSeconds(header: string | null | undefined): number | undefined {
  return header != null && /^\d{1,6}$/.test(header) ? Number(header) : undefined
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
        trust: server.trust,
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
    obtainedAtMs: nowMs,
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
