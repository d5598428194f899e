// Requests to an upstream's token endpoint, the part that all grants share: `oauth4webapi` over our own HTTP and behind
// the token-answer normaliser.
import * as oauth from 'oauth4webapi'
import type { ControlHttp } from './http.ts'
import type { UpstreamServer, UpstreamTokens } from './server.ts'
import { normaliseTokenAnswer } from './token-response.ts'

// Fixed endpoints come without a metadata document, so the library is handed the little that it reads of one.
export function parties(server: UpstreamServer): { as: oauth.AuthorizationServer; client: oauth.Client } {
  const issuer = server.issuer ?? new URL(server.authorizationEndpoint).origin
  return {
    as: {
      issuer,
      authorization_endpoint: server.authorizationEndpoint,
      token_endpoint: server.tokenEndpoint,
      authorization_response_iss_parameter_supported: server.issParameterSupported,
    },
    client: { client_id: server.clientId },
  }
}

export function clientAuth({ authMethod, clientSecret = '' }: UpstreamServer): oauth.ClientAuth {
  const methods = {
    none: () => oauth.None(),
    client_secret_basic: () => oauth.ClientSecretBasic(clientSecret),
    client_secret_post: () => oauth.ClientSecretPost(clientSecret),
  } as const
  return methods[authMethod]()
}

export function tokenOptions(
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

export function tokensOf(response: oauth.TokenEndpointResponse, nowMs: number): UpstreamTokens {
  return {
    accessToken: response.access_token,
    refreshToken: response.refresh_token,
    obtainedAtMs: nowMs,
    expiresAtMs: response.expires_in === undefined ? undefined : nowMs + response.expires_in * 1000,
    scope: response.scope,
  }
}

/** The status of an answer that the library refused as a whole: it reads no error body of a 5xx. */
export function refusedAnswer(error: unknown): Response | undefined {
  return error instanceof oauth.OperationProcessingError && error.cause instanceof Response
    ? error.cause
    : undefined
}
