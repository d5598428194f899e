// POST /register: dynamic client registration (RFC 7591). Nothing is stored: the client_id is the registration.
import { OAuthError } from '../errors.ts'
import {
  clientSecret,
  parseClientMetadata,
  registrationResponse,
  sealClientId,
} from '../oauth/registration.ts'
import { jsonReply } from '../reply.ts'
import type { Handle } from './endpoint.ts'

export const register: Handle = async ({ body, headers }, gateway, { sealer, now, log }) => {
  const { enabled, redirect_schemes: schemes } = gateway.clientRules.registration
  if (!enabled) throw new OAuthError('access_denied', 'this gateway does not take registrations')
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) {
    throw new OAuthError('invalid_client_metadata', 'the body must be application/json')
  }
  const metadata = parseClientMetadata(parseJson(body), schemes, now())
  const clientId = sealClientId(sealer, gateway.issuer, metadata)
  const secret = metadata.authMethod === 'none' ? undefined : clientSecret(sealer, clientId)
  log.info('client registered', {
    name: metadata.name,
    authMethod: metadata.authMethod,
    redirectUris: metadata.redirectUris.length,
  })
  return jsonReply(201, registrationResponse(clientId, metadata, secret))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new OAuthError('invalid_client_metadata', 'the body is not JSON')
  }
}
