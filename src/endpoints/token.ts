// POST /token: client authentication, then whatever redeems the grant type. Every refusal leaves the grant as it was,
// unless what happened proves that it was stolen.
import { OAuthError } from '../errors.ts'
import type { GrantType } from '../oauth/grant-types.ts'
import { parseParameters, required } from '../oauth/parameters.ts'
import { jsonReply } from '../reply.ts'
import { authenticateClient } from './clients.ts'
import type { Handle } from './endpoint.ts'
import { checkForm } from './form.ts'
import { authorizationCode } from './token/authorization-code.ts'
import { clientCredentials } from './token/client-credentials.ts'
import { idJag } from './token/id-jag.ts'
import { type Redeem, tokenResponse } from './token/issue.ts'
import { refreshToken } from './token/refresh-token.ts'

/** One file for each. */
const GRANTS: { readonly [T in GrantType]: Redeem } = {
  authorization_code: authorizationCode,
  refresh_token: refreshToken,
  client_credentials: clientCredentials,
  'urn:ietf:params:oauth:grant-type:jwt-bearer': idJag,
}

export const token: Handle = async ({ body, headers }, gateway, deps) => {
  checkForm(headers)
  const parameters = parseParameters(body)
  const authenticated = await authenticateClient(headers.authorization, parameters, gateway, deps)
  const { client } = authenticated
  const asked = required(parameters, 'grant_type')
  const grantType = gateway.grantTypes.find((offered) => offered === asked)
  if (grantType === undefined) {
    const offered = gateway.grantTypes.join(', ')
    throw new OAuthError('unsupported_grant_type', `grant_type must be one of ${offered}`)
  }
  if (!client.grantTypes.includes(grantType)) {
    throw new OAuthError('unauthorized_client', `this client may not use the grant type ${grantType}`)
  }
  const issued = await GRANTS[grantType]({ parameters, ...authenticated, gateway, deps })
  return jsonReply(200, tokenResponse(issued, deps.now()), { pragma: 'no-cache' })
}
