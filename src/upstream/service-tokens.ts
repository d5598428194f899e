// Tokens that need no browser: the client credentials grant (RFC 6749 §4.4), token exchange (RFC 8693) and the JWT bearer
// grant (RFC 7523). One request each; keeping the answer is for others.
import * as oauth from 'oauth4webapi'
import { UpstreamError } from '../errors.ts'
import type { ControlHttp } from './http.ts'
import type { UpstreamServer, UpstreamTokens } from './server.ts'
import { clientAuth, parties, tokenOptions, tokensOf } from './token-endpoint.ts'
import { tokenFailure } from './token-failure.ts'

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'

/** Which grant a service uses, as a registration names it. */
export const SERVICE_GRANTS = {
  client_credentials: 'client_credentials',
  token_exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  jwt_bearer: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
} as const

export type ServiceGrant = keyof typeof SERVICE_GRANTS

/** Short names of RFC 8693 §3, and `id-jag` of the Identity Assertion Authorization Grant. */
export type TokenType = 'access_token' | 'id_token' | 'jwt' | 'id-jag'

export interface Wish {
  readonly scopes: readonly string[]
  readonly resource: string | undefined
}

export interface Exchange extends Wish {
  readonly subjectToken: string
  readonly subjectTokenType: TokenType
  readonly requestedTokenType: TokenType
  readonly audience: string | undefined
}

/** Where, through what, and when. */
export interface Reached {
  readonly http: ControlHttp
  readonly server: UpstreamServer
  readonly nowMs: number
}

/** What the server says about the subject, and not about this gateway: it is not let in. */
export type Declined = 'declined'

/** Throws UpstreamError. */
export async function clientCredentials(reached: Reached, wish: Wish): Promise<UpstreamTokens> {
  const { http, server, nowMs } = reached
  const { as, client } = parties(server)
  try {
    const response = await oauth.clientCredentialsGrantRequest(
      as,
      client,
      clientAuth(server),
      parametersOf(wish),
      tokenOptions(http, server, undefined),
    )
    return tokensOf(await oauth.processClientCredentialsResponse(as, client, response), nowMs)
  } catch (error) {
    throw isDeclined(error) ? refusedForGood() : tokenFailure(error)
  }
}

/** Throws UpstreamError. */
export function exchange(reached: Reached, asked: Exchange): Promise<UpstreamTokens | Declined> {
  const { subjectToken, subjectTokenType, requestedTokenType, audience } = asked
  return request(reached, 'token_exchange', requestedTokenType, {
    subject_token: subjectToken,
    subject_token_type: TOKEN_TYPE + subjectTokenType,
    requested_token_type: TOKEN_TYPE + requestedTokenType,
    ...(audience !== undefined && { audience }),
    ...parametersOf(asked),
  })
}

/** The assertion says for which resource and scopes it is. Throws UpstreamError. */
export function bearerOf(reached: Reached, assertion: string): Promise<UpstreamTokens | Declined> {
  return request(reached, 'jwt_bearer', undefined, { assertion })
}

async function request(
  { http, server, nowMs }: Reached,
  grant: Exclude<ServiceGrant, 'client_credentials'>,
  wanted: TokenType | undefined,
  parameters: Readonly<Record<string, string>>,
): Promise<UpstreamTokens | Declined> {
  const { as, client } = parties(server)
  try {
    const options = tokenOptions(http, server, undefined)
    const response = await oauth.genericTokenEndpointRequest(
      as,
      client,
      clientAuth(server),
      SERVICE_GRANTS[grant],
      parameters,
      options,
    )
    const answer = await oauth.processGenericTokenEndpointResponse(as, client, response)
    if (wanted === 'id-jag') checkIssuedType(answer)
    return tokensOf(answer, nowMs)
  } catch (error) {
    if (isDeclined(error)) return 'declined'
    throw tokenFailure(error)
  }
}

function checkIssuedType({ issued_token_type: issued }: oauth.TokenEndpointResponse): void {
  if (issued === undefined || issued === `${TOKEN_TYPE}id-jag`) return
  throw new UpstreamError(
    'bad_response',
    'the identity provider issued another kind of token than was asked for',
  )
}

/** RFC 6749 §5.2 calls it `invalid_grant`; some servers use the code of the authorization endpoint. */
function isDeclined(error: unknown): boolean {
  return (
    error instanceof oauth.ResponseBodyError &&
    error.status < 500 &&
    (error.error === 'invalid_grant' || error.error === 'access_denied')
  )
}

export function refusedForGood(): UpstreamError {
  return new UpstreamError(
    'credential_refused',
    'the upstream sign-in server refused this gateway: its operator has to act',
  )
}

function parametersOf({ scopes, resource }: Wish): Record<string, string> {
  return {
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(resource !== undefined && { resource }),
  }
}
