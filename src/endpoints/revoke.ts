// POST /revoke: token revocation (RFC 7009). 200 for whatever is not this client's: it learns nothing of other tokens.
import type { Gateway } from '../gateway.ts'
import { judgeRefresh, withoutAccessToken } from '../oauth/grant.ts'
import { type Parameters, parseParameters, required } from '../oauth/parameters.ts'
import { type PresentedToken, parseToken } from '../oauth/tokens.ts'
import { jsonReply } from '../reply.ts'
import type { Grant } from '../store/records.ts'
import type { Entry } from '../store/store.ts'
import { type AuthenticatedClient, authenticateClient } from './clients.ts'
import type { Deps, Handle } from './endpoint.ts'
import { checkForm } from './form.ts'
import { findGrant, replaceGrant, revokeGrant } from './grants.ts'

const MAX_ATTEMPTS = 50

export const revoke: Handle = async ({ body, headers }, gateway, deps) => {
  checkForm(headers)
  const parameters: Parameters = parseParameters(body)
  const authenticated = await authenticateClient(headers.authorization, parameters, gateway, deps)
  const token = required(parameters, 'token')
  // `token_type_hint` is not needed: our tokens say what they are.
  const presented = parseToken('refresh', token) ?? parseToken('access', token)
  if (presented !== undefined) await revokeToken(presented, authenticated, gateway, deps)
  return jsonReply(200, {})
}

async function revokeToken(
  presented: PresentedToken,
  { client, spendAssertion }: AuthenticatedClient,
  gateway: Gateway,
  deps: Deps,
): Promise<void> {
  for (let tries = 0; tries < MAX_ATTEMPTS; tries++) {
    const entry = await findGrant(presented, deps)
    if (entry === undefined || entry.value.clientId !== client.id) return
    await spendAssertion()
    const change =
      presented.kind === 'refresh'
        ? endFamily(entry, presented, gateway, deps)
        : endAccessToken(entry, presented, deps)
    if (await change) return
  }
  throw new Error('a grant kept changing while it was revoked')
}

/** The whole family, access tokens included (RFC 7009 §2.1). A refresh token that is not of the family changes nothing. */
async function endFamily(
  entry: Entry<Grant>,
  presented: PresentedToken,
  gateway: Gateway,
  deps: Deps,
): Promise<boolean> {
  if (judgeRefresh(entry.value, presented, entry.value.clientId, deps.now()) === 'reused') return true
  const { subject, route } = entry.value
  if (!(await revokeGrant(entry, gateway, deps))) return false
  deps.log.info('grant revoked', { subject, route, by: 'client' })
  await deps.streams.check(entry.value.id)
  return true
}

async function endAccessToken(entry: Entry<Grant>, { hash }: PresentedToken, deps: Deps): Promise<boolean> {
  if (!(await replaceGrant(entry, withoutAccessToken(entry.value, hash), deps))) return false
  await deps.streams.check(entry.value.id)
  return true
}
