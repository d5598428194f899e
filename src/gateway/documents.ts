// The well-known documents of a generation, ready to send.
import type { Config } from '../config/types.ts'
import type { GrantType } from '../oauth/grant-types.ts'
import { authorizationServerMetadata, protectedResourceMetadata } from '../oauth/metadata.ts'
import type { Route } from './route.ts'

export const WELL_KNOWN_RESOURCE = '/.well-known/oauth-protected-resource'
const WELL_KNOWN_SERVER = '/.well-known/oauth-authorization-server'

interface Described {
  readonly issuer: string
  readonly config: Config
  readonly routes: readonly Route[]
  readonly grantTypes: readonly GrantType[]
}

// Clients look for a route's document by path and, if they are older or stubborn, at the root (spec-D2, design §4).
export function documents({ issuer, config, routes, grantTypes }: Described): ReadonlyMap<string, string> {
  const describe = ({ resource, title, scopes, tokens }: Route) => {
    const server = tokens.kind === 'gateway' ? issuer : tokens.issuer.issuer
    return JSON.stringify(protectedResourceMetadata(server, { resource, name: title, scopes }))
  }
  const [only, ...others] = routes
  const root =
    only !== undefined && others.length === 0
      ? describe(only)
      : JSON.stringify(
          protectedResourceMetadata(issuer, { resource: issuer, name: config.login.brand.name, scopes: [] }),
        )
  const server = authorizationServerMetadata(issuer, {
    registration: config.clients.registration.enabled,
    clientDocuments: config.clients.cimd.enabled,
    grantTypes,
  })
  return new Map([
    ...routes.map((route): [string, string] => [WELL_KNOWN_RESOURCE + route.path, describe(route)]),
    [WELL_KNOWN_RESOURCE, root],
    [WELL_KNOWN_SERVER, JSON.stringify(server)],
  ])
}
