// Grant type JWT bearer (RFC 7523 §2.1) with an ID-JAG: an identity provider that the configuration trusts says that a
// client may act for a person, instead of that person (MCP's Enterprise-Managed Authorization).
import { OAuthError } from '../../errors.ts'
import type { Route } from '../../gateway.ts'
import { checkIdJag, idJagScopes, refused } from '../../oauth/id-jag.ts'
import { claimedIssuer, type IssuerToken, verifyIssuerToken } from '../../oauth/issuer-token.ts'
import { required } from '../../oauth/parameters.ts'
import { sameResource } from '../../oauth/resource.ts'
import { hashToken } from '../../oauth/tokens.ts'
import { FORMAT, keys } from '../../store/records.ts'
import { ABSENT } from '../../store/store.ts'
import { rememberSubject } from '../known-subjects.ts'
import { issueAccessToken, type Redeem, type TokenRequest } from './issue.ts'

export const idJag: Redeem = async (request) => {
  const { parameters, client, gateway, deps } = request
  const token = await verified(request)
  const { subject, profile, expiresAtMs } = token
  const named = parameters.get('resource')
  const requested = named === undefined || sameResource(named, gateway.issuer) ? undefined : named
  const { jti, resource, scope } = checkIdJag(token, { clientId: client.id, resource: requested }, deps.now())
  const route = await routeFor(resource, token, request)
  const scopes = idJagScopes(route, scope, parameters.get('scope'))
  await request.spendAssertion()
  await spend(JSON.stringify(['id_jag', subject, jti]), expiresAtMs, request)
  // When their issuer leaves the configuration, what they have goes too.
  const { epoch } = await rememberSubject(subject, deps)
  return issueAccessToken(
    { subject, profile, clientId: client.id, route: route.name, scopes },
    epoch,
    request,
  )
}

function verified({ parameters, gateway, deps }: TokenRequest): Promise<IssuerToken> {
  const assertion = required(parameters, 'assertion')
  const claimed = claimedIssuer(assertion)
  const issuer = claimed === undefined ? undefined : gateway.trustedIssuers.get(claimed)
  if (!issuer?.id_jag) throw refused('its issuer is not trusted with it')
  return verifyIssuerToken(assertion, issuer, {
    type: 'id_jag',
    audiences: [gateway.issuer],
    nowMs: deps.now(),
    key: deps.issuerKeys.keyOf(issuer),
  })
}

async function routeFor(
  resource: string,
  { subject, profile }: IssuerToken,
  { gateway }: TokenRequest,
): Promise<Route> {
  const route = gateway.routeByResource(resource)
  if (route?.tokens.kind !== 'gateway')
    throw refused('its resource is not a server that tokens are issued for here')
  if (gateway.standing({ subject, profile, route: route.name }) === undefined)
    throw refused('this account may not use this server')
  // The assertion brings the person to this gateway and no further: at the upstream they have to have signed in.
  if (route.auth.link !== undefined && !(await route.auth.link.isGood(subject, []))) {
    throw new OAuthError(
      'invalid_grant',
      'the upstream account of this person is not connected: sign in first',
      {
        subject,
        route: route.name,
      },
    )
  }
  return route
}

/** EMA §7.4.2: used once, by anybody. Spent last, so that no failed attempt takes it away from its client. */
async function spend(jti: string, expiresAtMs: number, { deps }: TokenRequest): Promise<void> {
  const isFirst = await deps.store.cas(keys.assertion(hashToken(jti)), ABSENT, { v: FORMAT }, { expiresAtMs })
  if (!isFirst) throw refused('it was used before')
}
