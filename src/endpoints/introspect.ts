// POST /introspect: token introspection (RFC 7662). A client learns of its own tokens only; static clients that the
// configuration trusts with it, of all. Everything else is `active: false`, without a reason (sec-T12).
import type { Gateway } from '../gateway.ts'
import type { Client } from '../oauth/client.ts'
import { findAccessToken, judgeRefresh } from '../oauth/grant.ts'
import { parseParameters, required } from '../oauth/parameters.ts'
import { formatScope } from '../oauth/scope.ts'
import { type PresentedToken, parseToken } from '../oauth/tokens.ts'
import { jsonReply } from '../reply.ts'
import type { Grant } from '../store/records.ts'
import { authenticateClient } from './clients.ts'
import type { Handle } from './endpoint.ts'
import { checkForm } from './form.ts'
import { findGrant } from './grants.ts'

export const introspect: Handle = async ({ body, headers }, gateway, deps) => {
  checkForm(headers)
  const parameters = parseParameters(body)
  const { client, spendAssertion } = await authenticateClient(
    headers.authorization,
    parameters,
    gateway,
    deps,
  )
  const token = required(parameters, 'token')
  const presented = parseToken('access', token) ?? parseToken('refresh', token)
  const grant = presented && (await findGrant(presented, deps))?.value
  const active = presented && grant && activeUntilMs(grant, presented, deps.now())
  const visible =
    active !== undefined &&
    grant !== undefined &&
    mayIntrospect(client, grant) &&
    // A token that a request would be refused with is not active, whatever its expiry says.
    gateway.standing(grant) !== undefined
  if (visible) await spendAssertion()
  return jsonReply(200, visible ? description(grant, presented?.kind, active, gateway) : { active: false })
}

function mayIntrospect(client: Client, grant: Grant): boolean {
  return client.introspectsAll || grant.clientId === client.id
}

function activeUntilMs(grant: Grant, presented: PresentedToken, nowMs: number): number | undefined {
  if (presented.kind === 'access') return findAccessToken(grant, presented.hash, nowMs)?.expiresAtMs
  return judgeRefresh(grant, presented, grant.clientId, nowMs) === 'good'
    ? grant.refresh?.expiresAtMs
    : undefined
}

function description(
  grant: Grant,
  kind: PresentedToken['kind'] | undefined,
  untilMs: number,
  gateway: Gateway,
) {
  return {
    active: true,
    scope: formatScope(grant.scopes),
    client_id: grant.clientId,
    sub: grant.subject,
    aud: gateway.routes.get(grant.route)?.resource,
    iss: gateway.issuer,
    exp: Math.floor(untilMs / 1000),
    iat: Math.floor(grant.createdAtMs / 1000),
    ...(kind === 'access' && { token_type: 'Bearer' }),
  }
}
