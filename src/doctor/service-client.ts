// Does the token endpoint know the client of an auth type without a browser, and the grant that it uses? Asked with what
// nobody issued: a real request for client credentials would bring a token that nobody wants.
import { type LogDetail, UpstreamError } from '../errors.ts'
import type { ControlHttp } from '../upstream/http.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import { bearerOf, exchange, SERVICE_GRANTS, type ServiceGrant } from '../upstream/service-tokens.ts'
import {
  gullible,
  knownClient,
  noAnswer,
  noOAuth,
  ownKey,
  redeemMadeUpCode,
  signsWithOwnKey,
  unknownClient,
  untold,
} from './client.ts'
import { type Finding, fail } from './finding.ts'

export async function checkServiceClient(
  scope: string,
  grant: ServiceGrant,
  server: UpstreamServer,
  http: ControlHttp,
): Promise<Finding> {
  if (signsWithOwnKey(server)) return ownKey(scope)
  const refusal = await ASK[grant](server, http)
  if (refusal === undefined) return gullible(scope)
  if (refusal.fault !== undefined) return noAnswer(scope, refusal)
  if (refusal.upstreamError === undefined) return noOAuth(scope)
  return judge(scope, grant, String(refusal.upstreamError))
}

/** Resolves with why it was refused; undefined: a token was given. */
type Ask = (server: UpstreamServer, http: ControlHttp) => Promise<LogDetail | undefined>

const MADE_UP = 'made-up-by-mcp-oauth-gateway-doctor'

const ASK: Readonly<Record<ServiceGrant, Ask>> = {
  client_credentials: redeemMadeUpCode,
  token_exchange: (server, http) =>
    refusalOf(
      exchange(
        { http, server, nowMs: Date.now() },
        {
          subjectToken: MADE_UP,
          subjectTokenType: 'jwt',
          requestedTokenType: 'access_token',
          audience: undefined,
          scopes: [],
          resource: undefined,
        },
      ),
    ),
  jwt_bearer: (server, http) => refusalOf(bearerOf({ http, server, nowMs: Date.now() }, MADE_UP)),
}

async function refusalOf(asked: ReturnType<typeof exchange>): Promise<LogDetail | undefined> {
  try {
    return 'declined' in (await asked) ? { upstreamError: 'invalid_grant' } : undefined
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    return error.detail
  }
}

/** What is said of a made-up token by a server that has looked at the client before (RFC 6749 §5.2, RFC 8693 §2.2.2). */
const ABOUT_THE_TOKEN: readonly string[] = [
  'invalid_grant',
  'invalid_request',
  'invalid_target',
  'invalid_scope',
]

function judge(scope: string, grant: ServiceGrant, code: string): Finding {
  if (code === 'invalid_client') return unknownClient(scope, code)
  // A code was sent, which such a client may not have to be able to use.
  if (grant === 'client_credentials')
    return code === 'invalid_grant' || code === 'unauthorized_client'
      ? knownClient(scope)
      : untold(scope, code, 'Use the route once to see.')
  if (code === 'unauthorized_client' || code === 'unsupported_grant_type')
    return fail(
      scope,
      `the token endpoint refuses the grant ${SERVICE_GRANTS[grant]} (${code})`,
      'Allow this grant for this client at the provider.',
    )
  return ABOUT_THE_TOKEN.includes(code)
    ? knownClient(scope)
    : untold(scope, code, 'Use the route once to see.')
}
