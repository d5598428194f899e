// What a person's link to an upstream hangs on, as far as the text of a configuration tells. Pure.
import { upstreamServers } from '../../auth/servers.ts'
import { parseScope, union } from '../../oauth/scope.ts'
import type { AuthorizationServerConfig, Config, RouteConfig, UserApiKeyAuth } from '../types.ts'
import { harmless } from './show.ts'

/** How a route that signs people in upstream does so. */
export interface UpstreamSignIn {
  /** Another identity: the links that there are do not serve the route any more (design: fingerprint). */
  readonly identity: string
  readonly scopes: readonly string[]
  readonly redirectUri: string
  /** The client was registered by hand, so its redirect URI has to be as well. */
  readonly byHand: boolean
  /** The client's id as it is written; empty when the gateway registers itself. */
  readonly client: string
  /** The authorization server as people know it. */
  readonly server: string
}

export function publicUrl({ server: { public_url, port, tls } }: Config): string {
  return public_url ?? `${tls === undefined ? 'http' : 'https'}://localhost:${port}`
}

/** Undefined: nobody signs in for this route. */
export function upstreamSignIn(config: Config, name: string): UpstreamSignIn | undefined {
  const route = Object.hasOwn(config.routes, name) ? config.routes[name] : undefined
  if (route?.auth.type === 'user_api_key') return keySignIn(route.auth, route.upstream.url)
  if (route?.auth.type !== 'authorization_code') return undefined
  const { authorization_server: reference, scope, resource } = route.auth
  const { entry, redirectUri } = upstreamServers(config.authorization_servers, publicUrl(config))(
    name,
    reference,
  )
  const identity = [
    entry?.issuer ?? entry?.authorization_endpoint,
    entry?.token_endpoint,
    // A client that the gateway registers is another one at another redirect URI.
    entry?.client_id ?? [redirectUri, entry?.client_id_metadata_url, entry?.registration],
    resource ?? route.upstream.url,
    originOf(route.upstream.url),
  ]
  return {
    identity: JSON.stringify(identity),
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
    identity: JSON.stringify([type, address, place, place === 'header' ? name.toLowerCase() : name]),
    scopes: [],
    redirectUri: '',
    byHand: false,
    client: '',
    server: originOf(upstream),
  }
}

/** Whether people have to go to the upstream's sign-in for what they had before. More scope waits for the next one. */
export function mustSignInAgain(
  before: UpstreamSignIn | undefined,
  after: UpstreamSignIn | undefined,
): boolean {
  if (after === undefined) return false
  return before?.identity !== after.identity
}

function serverName(entry: AuthorizationServerConfig | undefined, { upstream }: RouteConfig): string {
  const url = entry?.issuer ?? entry?.authorization_endpoint
  if (url === undefined) return `the authorization server of ${originOf(upstream.url)}`
  return originOf(url)
}

const originOf = (url: string) => URL.parse(url)?.origin ?? url
