// Grant type `client_credentials`: a machine client for itself, without a person (RFC 6749 §4.4, SEP-1046).
import { OAuthError } from '../../errors.ts'
import type { Route } from '../../gateway.ts'
import { machineSubject } from '../../oauth/machine.ts'
import { offered, union } from '../../oauth/scope.ts'
import { rememberSubject } from '../known-subjects.ts'
import { requestedRoute } from '../requested-route.ts'
import { issueAccessToken, type Redeem, type TokenRequest } from './issue.ts'

export const clientCredentials: Redeem = async (request) => {
  const { parameters, client, deps } = request
  const subject = machineSubject(client.id)
  const route = checkRoute(request)
  await request.spendAssertion()
  // Whoever is given this client_id after the client left the configuration must inherit no token.
  const { epoch } = await rememberSubject(subject, deps)
  const scopes = union(route.scopes, offered(parameters.get('scope'), route.optionalScopes))
  return issueAccessToken({ subject, clientId: client.id, route: route.name, scopes }, epoch, request)
}

function checkRoute({ parameters, client, gateway }: TokenRequest): Route {
  const route = requestedRoute(parameters, gateway)
  if (route === undefined) throw new OAuthError('invalid_target', 'resource must say which server is meant')
  if (gateway.standing({ subject: machineSubject(client.id), route: route.name }) === undefined) {
    throw new OAuthError('unauthorized_client', 'this client may not use this server', { route: route.name })
  }
  // There is no person whose account the upstream could be shown.
  if (route.auth.link !== undefined) {
    throw new OAuthError(
      'invalid_target',
      'this server is used with the account of a person: sign in instead',
      { route: route.name },
    )
  }
  return route
}
