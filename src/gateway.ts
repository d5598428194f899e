// One compiled configuration: what endpoints see of it. Built whole, never changed afterwards, thrown away whole. No I/O.

import type { AuthDeps } from './auth/context.ts'
import { upstreamServers } from './auth/servers.ts'
import type { Config, StaticClient, TokensConfig } from './config/types.ts'
import { type CookieNames, cookieNames } from './cookies.ts'
import { documents } from './gateway/documents.ts'
import { buildRoute, type Route, type RouteTokens } from './gateway/route.ts'
import { type Vouchers, vouchers } from './gateway/vouchers.ts'
import { canonicalResource } from './oauth/resource.ts'
import { mayUse } from './policy/access.ts'
import type { SiteRules } from './policy/origin.ts'
import type { Login, Profile } from './slots.ts'
import type { Grant } from './store/records.ts'
import type { DocumentRules } from './upstream/client-documents.ts'

export type { Route, RouteTokens }

/** What a grant is good for. */
export interface Standing {
  readonly route: Route
  readonly profile: Profile
}

export interface Gateway extends Vouchers {
  readonly generation: number
  readonly issuer: string
  readonly brand: string
  readonly tokens: TokensConfig
  readonly drainTimeoutMs: number
  readonly clientRules: ClientRules
  readonly staticClients: ReadonlyMap<string, StaticClient>
  readonly site: SiteRules
  readonly logins: readonly Login[]
  readonly cookies: CookieNames
  readonly routes: ReadonlyMap<string, Route>
  /** The well-known documents, by path, ready to send. */
  readonly documents: ReadonlyMap<string, string>
  routeByPath(path: string): Route | undefined
  routeByResource(resource: string): Route | undefined
  /** Undefined when the grant's route is gone, takes no tokens of the gateway, or does not admit its subject now. */
  standing(grant: Pick<Grant, 'subject' | 'profile' | 'route'>): Standing | undefined
}

/** Which clients may make themselves known, and how. */
export interface ClientRules {
  readonly registration: Config['clients']['registration']
  readonly documents: DocumentRules & Pick<Config['clients']['cimd'], 'enabled' | 'allow' | 'deny'>
}

export interface GatewayInput {
  readonly generation: number
  readonly config: Config
  readonly publicUrl: string
  readonly logins: readonly Login[]
  readonly deps: AuthDeps
}

export function buildGateway({ generation, config, publicUrl, logins, deps }: GatewayInput): Gateway {
  const issuer = publicUrl.replace(/\/$/, '')
  const serverFor = upstreamServers(config.authorization_servers, issuer)
  const routes = Object.entries(config.routes).map(([name, route]) =>
    buildRoute(name, route, { issuer, config, serverFor, deps }),
  )
  const byName = new Map(routes.map((route) => [route.name, route]))
  const byPath = new Map(routes.map((route) => [route.path, route]))
  const byResource = new Map(routes.map((route) => [canonicalResource(route.resource), route]))
  const known = vouchers(config, logins, issuer)
  return Object.freeze({
    ...known,
    generation,
    issuer,
    brand: config.login.brand.name,
    tokens: config.tokens,
    drainTimeoutMs: config.server.drain_timeout_ms,
    clientRules: clientRules(config),
    staticClients: new Map(Object.entries(config.clients.static)),
    site: siteRules(issuer, config),
    logins,
    cookies: cookieNames(issuer),
    routes: byName,
    documents: documents({ issuer, config, routes, grantTypes: known.grantTypes }),
    routeByPath: (path) => byPath.get(path),
    routeByResource: (resource) => byResource.get(canonicalResource(resource)),
    standing(grant) {
      const route = byName.get(grant.route)
      const profile = known.profileOf(grant)
      const isGood =
        route?.tokens.kind === 'gateway' && profile !== undefined && mayUse(route.access, profile)
      return isGood ? { route, profile } : undefined
    },
  } satisfies Gateway)
}

function clientRules({ clients: { registration, cimd } }: Config): ClientRules {
  const { allow_private_hosts: privateHosts, ...rules } = cimd
  return {
    registration,
    documents: { ...rules, privateHosts, privateSchemes: registration.redirect_schemes },
  }
}

function siteRules(issuer: string, { server }: Config): SiteRules {
  return {
    issuer,
    allowedOrigins: new Set(server.allowed_origins),
    allowedHosts: new Set(server.allowed_hosts.map((host) => host.toLowerCase())),
  }
}
