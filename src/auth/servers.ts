// Upstream authorization servers, from the words of the configuration to what the OAuth client needs. Pure.
import type { AuthorizationServerConfig } from '../config/types.ts'
import type { UpstreamServer } from '../upstream/oauth-client.ts'

const CALLBACK = '/upstream/callback'

/** Looks servers up by name, or takes them as written inline: then the route's name stands in their callback path. */
export function upstreamServers(named: Readonly<Record<string, AuthorizationServerConfig>>, issuer: string) {
  return (route: string, reference: string | AuthorizationServerConfig): UpstreamServer => {
    if (typeof reference !== 'string') return describe(route, reference, issuer)
    const entry = named[reference]
    if (entry === undefined) throw new Error(`authorization server ${reference} passed validation but does not exist`)
    return describe(reference, entry, issuer)
  }
}

function describe(id: string, entry: AuthorizationServerConfig, issuer: string): UpstreamServer {
  return {
    issuer: entry.issuer,
    authorizationEndpoint: entry.authorization_endpoint,
    tokenEndpoint: entry.token_endpoint,
    clientId: entry.client_id,
    clientSecret: entry.client_secret,
    authMethod: entry.token_endpoint_auth_method ?? (entry.client_secret === undefined ? 'none' : 'client_secret_basic'),
    authorizationParameters: entry.authorization_parameters,
    redirectUri: issuer + (entry.callback ?? `${CALLBACK}/${id}`),
  }
}
