// Tokens that need no browser: the client credentials grant (RFC 6749 §4.4), token exchange (RFC 8693) and the JWT bearer
// grant (RFC 7523). One request each; keeping the answer is for others.
import * as oauth from 'oauth4webapi'
import { type LogDetail, UpstreamError } from '../errors.ts'
import type { ControlHttp } from './http.ts'
import type { UpstreamServer, UpstreamTokens } from './server.ts'
import { clientAuth, parties, tokenOptions, tokensOf } from './token-endpoint.ts'
import { answerDetail, isTrouble, tokenFailure } from './token-failure.ts'

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
  readonly audience: string | undefined
}

export interface Exchange extends Wish {
  readonly subjectToken: string
  readonly subjectTokenType: TokenType
  readonly requestedTokenType: TokenType
}

/** Where, through what, and when. */
export interface Reached {
  readonly http: ControlHttp
  readonly server: UpstreamServer
  readonly nowMs: number
}

/** What the server says about the subject, and not about this gateway: it is not let in. Where, and in which words, is for the log. */
export interface Declined {
  readonly declined: LogDetail
}

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
    const refusal = declinedIn(error, server)
    throw refusal === undefined ? tokenFailure(error, server, nowMs) : refusedForGood(refusal)
  }
}

/** Throws UpstreamError. */
export function exchange(reached: Reached, asked: Exchange): Promise<UpstreamTokens | Declined> {
  const { subjectToken, subjectTokenType, requestedTokenType } = asked
  return request(reached, 'token_exchange', requestedTokenType, {
    subject_token: subjectToken,
    subject_token_type: TOKEN_TYPE + subjectTokenType,
    requested_token_type: TOKEN_TYPE + requestedTokenType,
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
    if (wanted !== undefined) checkIssuedType(answer, wanted)
    return tokensOf(answer, nowMs)
  } catch (error) {
    if (error instanceof UpstreamError && error.detail.unexpected !== undefined) throw error
    const declined = declinedIn(error, server)
    if (declined !== undefined) return { declined }
    throw tokenFailure(error, server, nowMs)
  }
}

/** RFC 8693 §2.2.1: refresh tokens and assertions come in `access_token` too, and none of them is for the next server to have. */
function checkIssuedType(
  { issued_token_type: issued }: oauth.TokenEndpointResponse,
  wanted: TokenType,
): void {
  if (issued === TOKEN_TYPE + wanted) return
  // Many leave it out, although it is required, and `jwt` says how an access token is written (§3). Where an ID-JAG is
  // wanted, neither will do: a provider that ignores the wish answers with the caller's access token.
  if (wanted === 'access_token' && (issued === undefined || issued === `${TOKEN_TYPE}jwt`)) return
  throw new UpstreamError(
    'bad_response',
    'the authorization server issued another kind of token than was asked for: its operator has to act',
    { unexpected: 'issued_token_type' },
  )
}

/** RFC 6749 §5.2 calls it `invalid_grant`; some servers use the code of the authorization endpoint. */
const DECLINES: readonly string[] = ['invalid_grant', 'access_denied']

function declinedIn(error: unknown, server: UpstreamServer): LogDetail | undefined {
  if (!(error instanceof oauth.ResponseBodyError) || isTrouble(error)) return undefined
  return DECLINES.includes(error.error) ? answerDetail(error, server) : undefined
}

export function refusedForGood(detail: LogDetail): UpstreamError {
  return new UpstreamError(
    'credential_refused',
    'the upstream sign-in server refused this gateway: its operator has to act',
    detail,
  )
}

function parametersOf({ scopes, resource, audience }: Wish): Record<string, string> {
  return {
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(resource !== undefined && { resource }),
    ...(audience !== undefined && { audience }),
  }
}
