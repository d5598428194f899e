// One route of a generation: its steps built, and what they need to know at hand.
import type { AuthDeps } from '../auth/context.ts'
import { buildIdentity } from '../auth/identity.ts'
import { buildAuth } from '../auth/index.ts'
import type { upstreamServers } from '../auth/servers.ts'
import { requestChain, type Step } from '../chain.ts'
import type { AccessConfig, Config, LimitsConfig, RouteConfig, TimeoutsConfig } from '../config/types.ts'
import { lowerCaseNames } from '../header-name.ts'
import type { TrustedIssuer } from '../oauth/issuer-token.ts'
import { routeScope, type ScopeHierarchy, union } from '../oauth/scope.ts'
import type { UpstreamAuth, UpstreamIdentity } from '../slots.ts'
import { WELL_KNOWN_RESOURCE } from './documents.ts'

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

interface RouteContext {
  readonly issuer: string
  readonly config: Config
  readonly serverFor: ReturnType<typeof upstreamServers>
  readonly deps: AuthDeps
}

export function buildRoute(
  name: string,
  route: RouteConfig,
  { issuer, config, serverFor, deps }: RouteContext,
): Route {
  const upstream = new URL(route.upstream.url)
  const resource = issuer + route.path
  const tokens = routeTokens(route, resource, config.trusted_issuers)
  const headers = lowerCaseNames(route.upstream.headers)
  // A scope that only this gateway grants is none that another issuer knows.
  const ownScopes = tokens.kind === 'gateway' ? [routeScope(name)] : (route.token_issuer?.scopes ?? [])
  return Object.freeze({
    name,
    title: route.title ?? name,
    description: route.description,
    path: route.path,
    resource,
    resourceMetadata: issuer + WELL_KNOWN_RESOURCE + route.path,
    tokens,
    scopes: union(ownScopes, route.scopes.required),
    optionalScopes: route.scopes.optional,
    hierarchy: route.scopes.implies,
    upstream: {
      url: upstream,
      headers,
      forwardHeaders: route.upstream.forward_headers,
    },
    auth: buildAuth(route.auth, {
      issuer,
      route: name,
      headers,
      upstream,
      scopes: route.scopes,
      clientName: config.login.brand.name,
      server: (reference, setting) => serverFor(name, reference, setting),
      deps,
    }),
    identity: route.identity && buildIdentity(route.identity, { issuer, upstream, ...deps }),
    steps: requestChain(name, route, resource, config.authorization_servers),
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
