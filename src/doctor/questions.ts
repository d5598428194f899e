// What has to be asked about the routes of a visit: each authorization server once for each way in which it is used, each
// trusted issuer once. Pure.
import { upstreamServers } from '../auth/servers.ts'
import type { AuthorizationServerConfig, Config, RouteConfig } from '../config/types.ts'
import { parseScope } from '../oauth/scope.ts'
import type { ServerQuestion } from './authorization-server.ts'
import type { IssuerQuestion } from './trusted-issuer.ts'

interface Use extends Pick<ServerQuestion, 'service'> {
  readonly reference: string | AuthorizationServerConfig | undefined
  readonly scope?: string | undefined
}

/** Which authorization servers a route uses, and for what. */
function usesOf({ auth }: RouteConfig): readonly Use[] {
  if (auth.type === 'none' || auth.type === 'api_key' || auth.type === 'user_api_key') return []
  const { authorization_server: reference, scope } = auth
  if (auth.type === 'authorization_code') return [{ reference, scope, service: undefined }]
  if (auth.type === 'client_credentials') return [{ reference, scope, service: 'client_credentials' }]
  const { identity_provider: provider } = auth
  return provider === undefined
    ? [{ reference, scope, service: 'token_exchange' }]
    : [
        { reference, scope, service: 'jwt_bearer' },
        { reference: provider, service: 'token_exchange' },
      ]
}

export function serverQuestions(
  config: Config,
  names: readonly string[],
  publicUrl: string,
): readonly ServerQuestion[] {
  const serverFor = upstreamServers(config.authorization_servers, publicUrl)
  const all = routesNamed(config, names).flatMap(([name, route]) =>
    usesOf(route).map(
      ({ reference, scope, service }): ServerQuestion => ({
        scope: typeof reference === 'string' ? `authorization_servers.${reference}` : `routes.${name}`,
        configured: serverFor(name, reference),
        upstream: new URL(route.upstream.url),
        scopes: parseScope(scope),
        service,
      }),
    ),
  )
  return [...new Map(all.map((question) => [`${question.scope} ${question.service}`, question])).values()]
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
