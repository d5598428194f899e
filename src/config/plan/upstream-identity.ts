// What a person's link to an upstream hangs on, as far as the text of a configuration tells. Pure.
import { upstreamServers } from '../../auth/servers.ts'
import { parseScope, union } from '../../oauth/scope.ts'
import { needsPerson } from '../auth-traits.ts'
import type {
  AuthorizationCodeAuth,
  AuthorizationServerConfig,
  Config,
  RouteConfig,
  UserApiKeyAuth,
} from '../types.ts'
import { harmless } from './show.ts'

/** How a route that signs people in upstream does so. */
export interface UpstreamSignIn {
  /** Another identity: the links that there are do not serve the route any more (design: fingerprint). Equal places, equal parts. */
  readonly identity: readonly Part[]
  readonly scopes: readonly string[]
  readonly redirectUri: string
  /** The client was registered by hand, so its redirect URI has to be as well. */
  readonly byHand: boolean
  /** The client's id as it is written; empty when the gateway registers itself. */
  readonly client: string
  /** The authorization server as people know it. */
  readonly server: string
}

/** `askedAt`: this is for an upstream, or a server, to say, and nobody is asked here. Its answer may be any. */
type Part = { readonly written: string } | { readonly askedAt: string }

const written = (...values: readonly unknown[]): Part => ({ written: JSON.stringify(values) })

export function publicUrl({ server: { public_url, port, tls } }: Config): string {
  return public_url ?? `${tls === undefined ? 'http' : 'https'}://localhost:${port}`
}

/** Undefined: nobody signs in for this route. */
export function upstreamSignIn(config: Config, name: string): UpstreamSignIn | undefined {
  const route = Object.hasOwn(config.routes, name) ? config.routes[name] : undefined
  if (route === undefined || !needsPerson(route.auth)) return undefined
  const { auth } = route
  return auth.type === 'user_api_key'
    ? keySignIn(auth, route.upstream.url)
    : serverSignIn(config, name, { ...route, auth })
}

function serverSignIn(
  config: Config,
  name: string,
  route: RouteConfig & { readonly auth: AuthorizationCodeAuth },
): UpstreamSignIn {
  const { authorization_server: reference, scope, resource } = route.auth
  const { entry, redirectUri } = upstreamServers(config.authorization_servers, publicUrl(config))(
    name,
    reference,
  )
  const { url } = route.upstream
  const { issuer, authorization_endpoint: endpoint, token_endpoint: tokenEndpoint } = entry ?? {}
  const isFixed = endpoint !== undefined && tokenEndpoint !== undefined && entry?.client_id !== undefined
  const part = (value: string | undefined, askedAt: string): Part =>
    value === undefined ? { askedAt } : written(value)
  const identity = [
    // An endpoint that stands in for the issuer is like no issuer.
    written(isFixed && issuer === undefined ? 'endpoint' : 'issuer'),
    part(issuer ?? (isFixed ? endpoint : undefined), url),
    part(isFixed ? tokenEndpoint : undefined, issuer ?? url),
    written(entry?.client_id ?? ownClient(redirectUri, entry)),
    part(resource ?? (isFixed ? url : undefined), url),
    written(originOf(url)),
  ]
  return {
    identity,
    scopes: union(parseScope(scope), route.scopes.required),
    redirectUri,
    byHand: entry?.client_id !== undefined,
    client: entry?.client_id ?? '',
    server: typeof reference === 'string' ? reference : harmless(serverName(entry, route)),
  }
}

/** Screen 2 is a page of ours: nothing is registered anywhere, and a key is bound to the address it was pasted for. */
function keySignIn({ type, in: place, name }: UserApiKeyAuth, upstream: string): UpstreamSignIn {
  const url = URL.parse(upstream)
  const address = url === null ? upstream : url.origin + url.pathname
  return {
    identity: [written(type, address, place, place === 'header' ? name.toLowerCase() : name)],
    scopes: [],
    redirectUri: '',
    byHand: false,
    client: '',
    server: originOf(upstream),
  }
}

/**
 * Whether people have to go to the upstream's sign-in for what they had before. `perhaps`: unless the upstream names the
 * same server and resource as before. More scope waits for the next one.
 */
export function mustSignInAgain(
  before: UpstreamSignIn | undefined,
  after: UpstreamSignIn | undefined,
): 'yes' | 'perhaps' | 'no' {
  if (after === undefined) return 'no'
  if (before?.identity.length !== after.identity.length) return 'yes'
  const changed = after.identity.flatMap((part, at) => {
    const was = before.identity[at]
    return JSON.stringify(part) === JSON.stringify(was) ? [] : [{ was, part }]
  })
  if (changed.length === 0) return 'no'
  const isSure = changed.some(({ was, part }) => was !== undefined && 'written' in was && 'written' in part)
  return isSure ? 'yes' : 'perhaps'
}

/** A client that the gateway registers is another one at another redirect URI. */
function ownClient(redirectUri: string, entry: AuthorizationServerConfig | undefined): readonly unknown[] {
  // Without an entry it is as with one that leaves this to its default.
  const { registration = ['cimd', 'dynamic'], client_id_metadata_url: documentUrl } = entry ?? {}
  return [redirectUri, documentUrl, registration]
}

function serverName(entry: AuthorizationServerConfig | undefined, { upstream }: RouteConfig): string {
  const url = entry?.issuer ?? entry?.authorization_endpoint
  if (url === undefined) return `the authorization server of ${originOf(upstream.url)}`
  return originOf(url)
}

const originOf = (url: string) => URL.parse(url)?.origin ?? url
