// One compiled configuration: what endpoints see of it. Built whole, never changed afterwards, thrown away whole. No I/O.

import type { AuthDeps } from './auth/context.ts'
import { buildIdentity } from './auth/identity.ts'
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
import { type GrantType, offeredGrantTypes } from './oauth/grant-types.ts'
import { isSubjectOf, type TrustedIssuer } from './oauth/issuer-token.ts'
import { machineProfiles } from './oauth/machine.ts'
import { authorizationServerMetadata, protectedResourceMetadata } from './oauth/metadata.ts'
import { canonicalResource } from './oauth/resource.ts'
import { routeScope, type ScopeHierarchy, union } from './oauth/scope.ts'
import { mayUse } from './policy/access.ts'
import type { SiteRules } from './policy/origin.ts'
import type { Login, Profile, Subject, UpstreamAuth, UpstreamIdentity } from './slots.ts'
import type { Grant } from './store/records.ts'
import type { DocumentRules } from './upstream/client-documents.ts'

export interface Route {
  readonly name: string
  readonly title: string
  readonly description: string | undefined
  readonly path: string
  /** The URL that people paste into a client: the OAuth resource (RFC 8707) and audience of this route's tokens. */
  readonly resource: string
  readonly resourceMetadata: string
  /** Whose access tokens it takes. */
  readonly tokens: RouteTokens
  /** What every token of this route must carry. */
  readonly scopes: readonly string[]
  /** What a client may ask for beyond that. */
  readonly optionalScopes: readonly string[]
  readonly hierarchy: ScopeHierarchy
  readonly upstream: {
    readonly url: URL
    readonly headers: Readonly<Record<string, string>>
    readonly forwardHeaders: readonly string[]
  }
  readonly auth: UpstreamAuth
  readonly identity: UpstreamIdentity | undefined
  /** The request chain, for people to read. */
  readonly steps: readonly Step[]
  readonly access: AccessConfig
  readonly limits: LimitsConfig
  readonly timeouts: TimeoutsConfig
}

/** The gateway's own, or those of another issuer: then the gateway is a resource server only. */
export type RouteTokens =
  | { readonly kind: 'gateway' }
  | { readonly kind: 'issuer'; readonly issuer: TrustedIssuer; readonly audience: string }

/** What a grant is good for. */
export interface Standing {
  readonly route: Route
  readonly profile: Profile
}

export interface Gateway {
  readonly generation: number
  readonly issuer: string
  readonly brand: string
  readonly tokens: TokensConfig
  readonly drainTimeoutMs: number
  readonly clientRules: ClientRules
  readonly staticClients: ReadonlyMap<string, StaticClient>
  /** What may be asked for at /token. */
  readonly grantTypes: readonly GrantType[]
  /** Issuers whose word about people is taken, by their issuer identifier. */
  readonly trustedIssuers: ReadonlyMap<string, TrustedIssuer>
  readonly site: SiteRules
  readonly logins: readonly Login[]
  readonly cookies: CookieNames
  readonly routes: ReadonlyMap<string, Route>
  /** The well-known documents, by path, ready to send. */
  readonly documents: ReadonlyMap<string, string>
  routeByPath(path: string): Route | undefined
  routeByResource(resource: string): Route | undefined
  /** Undefined when no login, and no entry of a machine client, vouches for the subject any more. */
  profile(subject: Subject): Profile | undefined
  /** What is known now of the person or client that a grant is about; undefined when nobody vouches for them any more. */
  profileOf(grant: Pick<Grant, 'subject' | 'profile'>): Profile | undefined
  /** Whether anybody vouches for the subject still, be it with each assertion anew. */
  knows(subject: Subject): boolean
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
      buildRoute(name, route, {
        issuer,
        issuers: config.trusted_issuers,
        serverFor,
        servers: config.authorization_servers,
        clientName: config.login.brand.name,
        deps,
      }),
    ]),
  )
  const byPath = new Map([...routes.values()].map((route) => [route.path, route]))
  const byResource = new Map([...routes.values()].map((route) => [canonicalResource(route.resource), route]))
  const machines = machineProfiles(config.clients.static)
  const issuers = Object.values(config.trusted_issuers)
  const grantTypes = offeredGrantTypes({
    machines: machines.size > 0,
    idJag: issuers.some(({ id_jag: idJag }) => idJag),
  })

  const profile: Gateway['profile'] = (subject) =>
    machines.get(subject) ?? logins.find((login) => subject.startsWith(login.prefix))?.profile(subject)
  const isVouchedFor = (subject: Subject) =>
    issuers.some((issuer) => issuer.id_jag && isSubjectOf(subject, issuer))
  const profileOf: Gateway['profileOf'] = (grant) =>
    profile(grant.subject) ?? (isVouchedFor(grant.subject) ? grant.profile : undefined)

  return Object.freeze({
    generation,
    issuer,
    brand: config.login.brand.name,
    tokens: config.tokens,
    drainTimeoutMs: config.server.drain_timeout_ms,
    clientRules: clientRules(config),
    staticClients: new Map(Object.entries(config.clients.static)),
    grantTypes,
    trustedIssuers: new Map(issuers.map((trusted) => [trusted.issuer, trusted])),
    site: {
      issuer,
      allowedOrigins: new Set(config.server.allowed_origins),
      allowedHosts: new Set(config.server.allowed_hosts.map((host) => host.toLowerCase())),
    },
    logins,
    cookies: cookieNames(issuer),
    routes,
    documents: documents(issuer, config, [...routes.values()], grantTypes),
    routeByPath: (path) => byPath.get(path),
    routeByResource: (resource) => byResource.get(canonicalResource(resource)),
    profile,
    profileOf,
    knows: (subject) => profile(subject) !== undefined || isVouchedFor(subject),
    standing(grant) {
      const route = routes.get(grant.route)
      const known = profileOf(grant)
      const isGood = route?.tokens.kind === 'gateway' && known !== undefined && mayUse(route.access, known)
      return isGood ? { route, profile: known } : undefined
    },
  } satisfies Gateway)
}

interface RouteContext {
  readonly issuer: string
  readonly issuers: Config['trusted_issuers']
  readonly serverFor: ReturnType<typeof upstreamServers>
  readonly servers: Config['authorization_servers']
  readonly clientName: string
  readonly deps: AuthDeps
}

function buildRoute(
  name: string,
  route: RouteConfig,
  { issuer, issuers, serverFor, servers, clientName, deps }: RouteContext,
): Route {
  const upstream = new URL(route.upstream.url)
  const tokens = routeTokens(route, issuer + route.path, issuers)
  // A scope that only this gateway grants is none that another issuer knows.
  const ownScopes = tokens.kind === 'gateway' ? [routeScope(name)] : (route.token_issuer?.scopes ?? [])
  return Object.freeze({
    name,
    title: route.title ?? name,
    description: route.description,
    path: route.path,
    resource: issuer + route.path,
    resourceMetadata: issuer + WELL_KNOWN_RESOURCE + route.path,
    tokens,
    scopes: union(ownScopes, route.scopes.required),
    optionalScopes: route.scopes.optional,
    hierarchy: route.scopes.implies,
    upstream: {
      url: upstream,
      headers: lowerCaseNames(route.upstream.headers),
      forwardHeaders: route.upstream.forward_headers,
    },
    auth: buildAuth(route.auth, {
      issuer,
      route: name,
      headers: lowerCaseNames(route.upstream.headers),
      upstream,
      scopes: route.scopes,
      clientName,
      server: (reference) => serverFor(name, reference),
      deps,
    }),
    identity: route.identity && buildIdentity(route.identity, { issuer, upstream, ...deps }),
    steps: requestChain(name, route, issuer + route.path, servers),
    access: route.access,
    limits: route.limits,
    timeouts: route.timeouts,
  })
}

function routeTokens(
  { token_issuer: named }: RouteConfig,
  resource: string,
  issuers: Config['trusted_issuers'],
): RouteTokens {
  if (named === undefined) return { kind: 'gateway' }
  const issuer = issuers[named.name]
  if (issuer === undefined) throw new Error(`no trusted issuer ${named.name}`)
  return { kind: 'issuer', issuer, audience: named.audience ?? resource }
}

function lowerCaseNames(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

// Clients look for a route's document by path and, if they are older or stubborn, at the root (spec-D2, design §4).
function documents(
  issuer: string,
  config: Config,
  routes: readonly Route[],
  grantTypes: readonly GrantType[],
): ReadonlyMap<string, string> {
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
