// The table of auth types: how a route authenticates to its upstream. One line each.
import type { AuthConfig } from '../config/types.ts'
import type { UpstreamAuth } from '../slots.ts'
import { apiKey } from './api-key.ts'
import { authorizationCode } from './authorization-code.ts'
import { clientCredentials } from './client-credentials.ts'
import type { AuthContext } from './context.ts'
import { none } from './none.ts'
import { tokenExchange } from './token-exchange.ts'
import { userApiKey } from './user-api-key.ts'

/** Exactly one builder per `type` that the schema allows; the compiler points at a missing one. */
type Builders = {
  readonly [T in AuthConfig['type']]: (
    entry: Extract<AuthConfig, { type: T }>,
    context: AuthContext,
  ) => UpstreamAuth
}

const builders: Builders = {
  none,
  api_key: apiKey,
  authorization_code: authorizationCode,
  client_credentials: clientCredentials,
  token_exchange: tokenExchange,
  user_api_key: userApiKey,
}

export function buildAuth(entry: AuthConfig, context: AuthContext): UpstreamAuth {
  const build = builders[entry.type] as (entry: AuthConfig, context: AuthContext) => UpstreamAuth
  return build(entry, context)
}
