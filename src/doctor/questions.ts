// What has to be asked about the routes of a visit: each authorization server once for each way in which it is used, each
// trusted issuer once. Pure.
import { upstreamServers } from '../auth/servers.ts'
import { hasServer, type ServerAuth, serversUsed, type UsedServer } from '../config/auth-traits.ts'
import type { Config, RouteConfig } from '../config/types.ts'
import { parseScope, union } from '../oauth/scope.ts'
import type { ServerQuestion } from './authorization-server.ts'
import type { IssuerQuestion } from './trusted-issuer.ts'

interface Use extends UsedServer, Pick<ServerQuestion, 'service'> {
  readonly scope: string | undefined
}

/** What is asked of its authorization servers; undefined: a person's sign-in. */
const SERVICE: { readonly [T in ServerAuth['type']]: ServerQuestion['service'] } = {
  authorization_code: undefined,
  client_credentials: 'client_credentials',
  token_exchange: 'token_exchange',
}

/** Which authorization servers a route uses, and for what. */
function usesOf({ auth }: RouteConfig): readonly Use[] {
  if (!hasServer(auth)) return []
  const used = serversUsed(auth)
  const isByIdJag = used.some(({ setting }) => setting === 'identity_provider')
  return used.map((server) =>
    server.setting === 'identity_provider'
      ? { ...server, scope: undefined, service: 'token_exchange' }
      : { ...server, scope: auth.scope, service: isByIdJag ? 'jwt_bearer' : SERVICE[auth.type] },
  )
}

export function serverQuestions(
  config: Config,
  names: readonly string[],
  publicUrl: string,
): readonly ServerQuestion[] {
  const serverFor = upstreamServers(config.authorization_servers, publicUrl)
  const asked = new Map<string, ServerQuestion>()
  for (const [name, route] of routesNamed(config, names)) {
    const at = `routes.${name}`
    for (const { setting, reference, scope, service } of usesOf(route)) {
      const place =
        typeof reference === 'string' ? `authorization_servers.${reference}` : `${at}.auth.${setting}`
      const key = `${place} ${service}`
      const before = asked.get(key)
      asked.set(key, {
        scope: typeof reference === 'string' ? place : at,
        place,
        configured: serverFor(name, reference, setting),
        upstreams: new Map([...(before?.upstreams ?? []), [at, new URL(route.upstream.url)]]),
        clientName: config.login.brand.name,
        wanted: both(before?.wanted, scope),
        service,
      })
    }
  }
  return [...asked.values()]
}

function both(one: string | undefined, other: string | undefined): string | undefined {
  return union(parseScope(one), parseScope(other)).join(' ') || undefined
}

/** An issuer of access tokens matters to the routes that take them, one of assertions to all others. */
export function issuerQuestions(config: Config, names: readonly string[]): readonly IssuerQuestion[] {
  const routes = routesNamed(config, names)
  const takesOwn = routes.some(([, { token_issuer: issuer }]) => issuer === undefined)
  return Object.entries(config.trusted_issuers).flatMap(([name, issuer]) => {
    const signInAt = routes.filter(([, route]) => route.token_issuer?.name === name).map(([route]) => route)
    const isAsked = signInAt.length > 0 || (issuer.id_jag && takesOwn)
    return isAsked ? [{ scope: `trusted_issuers.${name}`, issuer, signInAt }] : []
  })
}

function routesNamed({ routes }: Config, names: readonly string[]): readonly [string, RouteConfig][] {
  return Object.entries(routes).filter(([name]) => names.includes(name))
}
