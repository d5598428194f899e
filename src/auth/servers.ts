// Which authorization server a route means, and where its answers come back. Pure.
import type { AuthorizationServerConfig } from '../config/types.ts'
import type { ConfiguredServer } from './context.ts'

type Reference = string | AuthorizationServerConfig | undefined

/** The setting of a route's `auth` that refers to the server. */
export type ServerSetting = 'authorization_server' | 'identity_provider'

/**
 * A named server goes by its name; one written inline, or left to discovery, by the route's (design §4). A route may have
 * an identity provider besides: what one of the two is told about the gateway is not for the other (sec-C10). No name has a dot.
 */
export function serverId(route: string, reference: Reference, setting: ServerSetting): string {
  if (typeof reference === 'string') return reference
  return setting === 'identity_provider' ? `${route}.identity_provider` : route
}

export const callbackPath = (id: string) => `/upstream/callback/${id}`

export const clientDocumentPath = (id: string) => `/.well-known/oauth-client/${id}`

export function upstreamServers(named: Readonly<Record<string, AuthorizationServerConfig>>, issuer: string) {
  return (
    route: string,
    reference: Reference,
    setting: ServerSetting = 'authorization_server',
  ): ConfiguredServer => {
    const id = serverId(route, reference, setting)
    const entry = typeof reference === 'string' ? named[reference] : reference
    return {
      entry,
      redirectUri: issuer + (entry?.callback ?? callbackPath(id)),
      documentUrl: issuer + clientDocumentPath(id),
    }
  }
}
