// Which route a request to /authorize or /token is about, and whether the gateway issues tokens for it.
import { OAuthError } from '../errors.ts'
import type { Gateway, Route } from '../gateway.ts'
import type { Parameters } from '../oauth/parameters.ts'
import { sameResource } from '../oauth/resource.ts'
import { parseScope, routeOfScopes } from '../oauth/scope.ts'

/**
 * By `resource`; else by the scope `mcp:<route>`; else the only route (design §4). The bare public URL says as little
 * as no resource. Undefined: the client did not say, and there are several. Throws `invalid_target`.
 */
export function requestedRoute(parameters: Parameters, gateway: Gateway): Route | undefined {
  const resource = parameters.get('resource')
  if (resource !== undefined && !sameResource(resource, gateway.issuer)) {
    const route = gateway.routeByResource(resource)
    if (route === undefined)
      throw new OAuthError('invalid_target', 'resource is not a server of this gateway')
    return checkOwn(route)
  }
  const named = gateway.routes.get(routeOfScopes(parseScope(parameters.get('scope'))) ?? '')
  if (named !== undefined) return checkOwn(named)
  const [only, ...others] = ownRoutes(gateway)
  return others.length === 0 ? checkOwn(only) : undefined
}

/** The routes whose tokens come from here. */
export function ownRoutes({ routes }: Gateway): readonly Route[] {
  return [...routes.values()].filter(({ tokens }) => tokens.kind === 'gateway')
}

/** A token from here would be refused there. */
function checkOwn(route: Route | undefined): Route {
  if (route?.tokens.kind === 'gateway') return route
  throw new OAuthError('invalid_target', 'another authorization server issues the tokens of this server')
}
