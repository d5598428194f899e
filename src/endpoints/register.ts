// POST /register: dynamic client registration (RFC 7591). Nothing is stored: the client_id is the registration.
import { OAuthError } from '../errors.ts'
import {
  clientSecret,
  parseClientMetadata,
  registrationResponse,
  sealClientId,
} from '../oauth/registration.ts'
import { type Bucket, createBucket } from '../policy/bucket.ts'
import { jsonReply, type Reply } from '../reply.ts'
import type { Handle } from './endpoint.ts'

/** A ceiling for floods, far above what a company's clients do. Clients that are known already never come here (sec-R1, sec-R2). */
const REGISTRATIONS = { size: 1_000, perSecond: 100 }
const RETRY_SECONDS = '5'

export const registrationBucket = (now: () => number): Bucket => createBucket({ ...REGISTRATIONS, now })

export const register: Handle = async ({ body, headers }, gateway, { registrations, sealer, now, log }) => {
  const { enabled, redirect_schemes: schemes } = gateway.clientRules.registration
  if (!enabled) throw new OAuthError('access_denied', 'this gateway does not take registrations')
  const place = registrations.take()
  if (place === 'empty_now') log.warn('too many registrations at once: some are refused', REGISTRATIONS)
  if (place !== 'taken') return tooMany()
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

// Not thrown: a flood must not write a line each into the log either.
function tooMany(): Reply {
  const body = {
    error: 'temporarily_unavailable',
    error_description: 'too many clients register at once: try again',
  }
  return jsonReply(429, body, { 'retry-after': RETRY_SECONDS })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new OAuthError('invalid_client_metadata', 'the body is not JSON')
  }
}
