// Requests to an upstream's token endpoint, the part that all grants share: `oauth4webapi` over our own HTTP and behind
// the token-answer normaliser.
import * as oauth from 'oauth4webapi'
import { accountName } from './account.ts'
import type { ControlHttp } from './http.ts'
import type { UpstreamServer, UpstreamTokens } from './server.ts'
import { ACCOUNT, normaliseTokenAnswer } from './token-response.ts'

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

export function clientAuth({ authMethod, clientSecret = '', assertion }: UpstreamServer): oauth.ClientAuth {
  const methods = {
    none: () => oauth.None(),
    client_secret_basic: () => basic(clientSecret),
    client_secret_post: () => oauth.ClientSecretPost(clientSecret),
    private_key_jwt: () => privateKeyJwt(assertion),
  } as const
  return methods[authMethod]()
}

/**
 * RFC 6749 §2.3.1, with no more encoded than a form demands: many servers compare what they get without decoding it, and
 * the library's `%2D` for a hyphen is not what they know.
 */
function basic(clientSecret: string): oauth.ClientAuth {
  const encode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)
  return (_as, { client_id: clientId }, _body, headers) => {
    const credentials = `${encode(clientId)}:${encode(clientSecret)}`
    headers.set('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`)
  }
}

/** The key is fetched when it is needed: by then it may be another. */
function privateKeyJwt(assertion: UpstreamServer['assertion']): oauth.ClientAuth {
  if (assertion === undefined) throw new Error('private_key_jwt without a key')
  return async (as, client, body, headers) => {
    const sign = oauth.PrivateKeyJwt(await assertion.key(), {
      [oauth.modifyAssertion]: (header, payload) => {
        payload.aud = assertion.audience
        if (header.alg === 'Ed25519') header.alg = nameOfEd25519(assertion)
      },
    })
    await sign(as, client, body, headers)
  }
}

/** The name of RFC 9864 is younger than most servers; all that verify such signatures know the one of RFC 8037. */
function nameOfEd25519({ algorithms = [] }: NonNullable<UpstreamServer['assertion']>): string {
  return algorithms.includes('Ed25519') && !algorithms.includes('EdDSA') ? 'Ed25519' : 'EdDSA'
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
      return normaliseTokenAnswer(answer, server.tokenObject)
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
    account: accountName(response[ACCOUNT]),
  }
}

/** The status of an answer that the library refused as a whole: it reads no error body of a 5xx. */
export function refusedAnswer(error: unknown): Response | undefined {
  return error instanceof oauth.OperationProcessingError && error.cause instanceof Response
    ? error.cause
    : undefined
}
