// One compiled configuration: what endpoints see of it. Built whole, never changed afterwards, thrown away whole. No I/O.

import type { AuthDeps } from './auth/context.ts'
import { buildAuth } from './auth/index.ts'
import { upstreamServers } from './auth/servers.ts'
import { requestChain, type Step } from './chain.ts'
import type {
  AccessConfig,
  Config,
  LimitsConfig,
  RouteConfig,
  StaticClient,
  TimeoutsConfig,
  TokensConfig,
} from './config/types.ts'
import { type CookieNames, cookieNames } from './cookies.ts'
import { authorizationServerMetadata, protectedResourceMetadata } from './oauth/metadata.ts'
import { canonicalResource } from './oauth/resource.ts'
import { routeScope } from './oauth/scope.ts'
import type { SiteRules } from './policy/origin.ts'
import type { Login, Profile, Subject, UpstreamAuth } from './slots.ts'
import type { DocumentRules } from './upstream/client-documents.ts'

export interface Route {
  readonly name: string
  readonly title: string
  readonly description: string | undefined
  readonly path: string
  /** The URL that people paste into a client: the OAuth resource (RFC 8707) and audience of this route's tokens. */
  readonly resource: string
  readonly resourceMetadata: string
  readonly scopes: readonly string[]
  readonly upstream: {
    readonly url: URL
    readonly headers: Readonly<Record<string, string>>
    readonly forwardHeaders: readonly string[]
  }
  readonly auth: UpstreamAuth
  /** The request chain, for people to read. */
  readonly steps: readonly Step[]
  readonly access: AccessConfig
  readonly limits: LimitsConfig
  readonly timeouts: TimeoutsConfig
}

export interface Gateway {
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
  /** Undefined when no login vouches for the subject any more. */
  profile(subject: Subject): Profile | undefined
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

function clientRules({ clients: { registration, cimd } }: Config): ClientRules {
  const { allow_private_hosts: privateHosts, ...rules } = cimd
  return {
    registration,
    documents: { ...rules, privateHosts, privateSchemes: registration.redirect_schemes },
  }
}

const WELL_KNOWN_RESOURCE = '/.well-known/oauth-protected-resource'
const WELL_KNOWN_SERVER = '/.well-known/oauth-authorization-server'

export function buildGateway({ generation, config, publicUrl, logins, deps }: GatewayInput): Gateway {
  const issuer = publicUrl.replace(/\/$/, '')
  const serverFor = upstreamServers(config.authorization_servers, issuer)
  const routes = new Map(
    Object.entries(config.routes).map(([name, route]) => [
      name,
      buildRoute(name, route, { issuer, serverFor, clientName: config.login.brand.name, deps }),
    ]),
  )
  const byPath = new Map([...routes.values()].map((route) => [route.path, route]))
  const byResource = new Map([...routes.values()].map((route) => [canonicalResource(route.resource), route]))

  return Object.freeze({
    generation,
    issuer,
    brand: config.login.brand.name,
    tokens: config.tokens,
    drainTimeoutMs: config.server.drain_timeout_ms,
    clientRules: clientRules(config),
    staticClients: new Map(Object.entries(config.clients.static)),
    site: {
      issuer,
      allowedOrigins: new Set(config.server.allowed_origins),
      allowedHosts: new Set(config.server.allowed_hosts.map((host) => host.toLowerCase())),
    },
    logins,
    cookies: cookieNames(issuer),
    routes,
    documents: documents(issuer, config, [...routes.values()]),
    routeByPath: (path) => byPath.get(path),
    routeByResource: (resource) => byResource.get(canonicalResource(resource)),
    profile: (subject) => logins.find((login) => subject.startsWith(login.prefix))?.profile(subject),
  } satisfies Gateway)
}

interface RouteContext {
  readonly issuer: string
  readonly serverFor: ReturnType<typeof upstreamServers>
  readonly clientName: string
  readonly deps: AuthDeps
}

function buildRoute(
  name: string,
  route: RouteConfig,
  { issuer, serverFor, clientName, deps }: RouteContext,
): Route {
  const upstream = new URL(route.upstream.url)
  return Object.freeze({
    name,
    title: route.title ?? name,
    description: route.description,
    path: route.path,
    resource: issuer + route.path,
    resourceMetadata: issuer + WELL_KNOWN_RESOURCE + route.path,
    scopes: [routeScope(name)],
    upstream: {
      url: upstream,
      headers: lowerCaseNames(route.upstream.headers),
      forwardHeaders: route.upstream.forward_headers,
    },
    auth: buildAuth(route.auth, {
      upstream,
      clientName,
      server: (reference) => serverFor(name, reference),
      deps,
    }),
    steps: requestChain(name, route, issuer + route.path),
    access: route.access,
    limits: route.limits,
    timeouts: route.timeouts,
  })
}

function lowerCaseNames(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

// Clients look for a route's document by path and, if they are older or stubborn, at the root (spec-D2, design §4).
function documents(issuer: string, config: Config, routes: readonly Route[]): ReadonlyMap<string, string> {
  const describe = ({ resource, title, scopes }: Route) =>
    JSON.stringify(protectedResourceMetadata(issuer, { resource, name: title, scopes }))
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
  })
  return new Map([
    ...routes.map((route): [string, string] => [WELL_KNOWN_RESOURCE + route.path, describe(route)]),
    [WELL_KNOWN_RESOURCE, root],
    [WELL_KNOWN_SERVER, JSON.stringify(server)],
  ])
}
