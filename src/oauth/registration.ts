// Dynamic client registration (RFC 7591) without a table of clients: the client_id is the registration, sealed. Pure.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { OAuthError } from '../errors.ts'
import type { Sealer } from '../store/seal.ts'
import { SIGN_IN_GRANTS } from './grant-types.ts'
import type { ClientAuthMethod } from './metadata.ts'
import { checkRegistrable } from './redirect-uri.ts'

const APPLICATION_TYPES = ['native', 'web'] as const
export type ApplicationType = (typeof APPLICATION_TYPES)[number]

/** What a registration may say and the gateway remembers. Everything else in the request is ignored (RFC 7591 §2). */
export interface ClientMetadata {
  readonly redirectUris: readonly string[]
  readonly name: string | undefined
  readonly authMethod: ClientAuthMethod
  /** As the client said, and echoed: its redirect URIs are judged by themselves (spec-C10). */
  readonly applicationType?: ApplicationType
  /** Epoch seconds, as `client_id_issued_at` wants it. */
  readonly issuedAtSeconds: number
}

/** The sealed id travels in URLs, so it must stay well below the 8 KiB that servers take. */
export const MAX_METADATA_BYTES = 1500
const MAX_REDIRECT_URIS = 10
const MAX_NAME_LENGTH = 200
const PURPOSE = 'registration'
const SECRET_PURPOSE = 'client_secret'
const PREFIX = 'dcr-'
/** Keys would not fit into a sealed id: clients that have some bring a metadata document, or stand in the configuration. */
const REGISTRABLE_METHODS: readonly ClientAuthMethod[] = ['none', 'client_secret_basic', 'client_secret_post']

/** Judges a registration request. Unknown members are ignored, an auth method we lack is replaced (RFC 7591 §3.2.1 allows it and clients read the echo). */
export function parseClientMetadata(
  body: unknown,
  privateSchemes: readonly string[],
  nowMs: number,
): ClientMetadata {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('the body must be a JSON object')
  const request = body as Readonly<Record<string, unknown>>
  const { redirect_uris: uris, grant_types: grants } = request
  if (!Array.isArray(uris) || uris.length === 0) {
    throw new OAuthError('invalid_redirect_uri', 'redirect_uris must be a list with at least one URI')
  }
  if (uris.length > MAX_REDIRECT_URIS)
    throw new OAuthError('invalid_redirect_uri', `more than ${MAX_REDIRECT_URIS} redirect_uris`)
  if (grants !== undefined && (!Array.isArray(grants) || !grants.includes('authorization_code'))) {
    throw invalid('grant_types must include authorization_code')
  }
  checkWebUris(request)
  return {
    redirectUris: [...new Set(uris.map((uri) => checkRegistrable(uri, privateSchemes)))],
    name: clientName(request.client_name),
    authMethod: authMethod(request.token_endpoint_auth_method),
    ...applicationType(request.application_type),
    issuedAtSeconds: Math.floor(nowMs / 1000),
  }
}

// RFC 7591 §2 names them as links for people. We never fetch or show them, but a `javascript:` there tells what the caller is (sec-R5).
function checkWebUris(request: Readonly<Record<string, unknown>>): void {
  for (const member of ['client_uri', 'logo_uri', 'tos_uri', 'policy_uri', 'jwks_uri']) {
    const value = request[member]
    if (value === undefined || value === null) continue
    if (typeof value !== 'string' || !/^https?:\/\//i.test(value) || !URL.canParse(value)) {
      throw invalid(`${member} must be an http(s) URL`)
    }
  }
}

function clientName(name: unknown): string | undefined {
  if (name === undefined || name === null) return undefined
  if (typeof name !== 'string') throw invalid('client_name must be a string')
  return name.slice(0, MAX_NAME_LENGTH)
}

function authMethod(method: unknown): ClientAuthMethod {
  if (method === undefined || method === null) return 'client_secret_basic' // the default of RFC 7591 §2
  return REGISTRABLE_METHODS.find((known) => known === method) ?? 'none'
}

function applicationType(type: unknown): Pick<ClientMetadata, 'applicationType'> {
  const known = APPLICATION_TYPES.find((one) => one === type)
  return known === undefined ? {} : { applicationType: known }
}

/** Seals the metadata into a client_id. It never looks like a URL, so it can't be taken for a client ID metadata document (spec-C8). */
export function sealClientId(sealer: Sealer, issuer: string, metadata: ClientMetadata): string {
  const { redirectUris, name, authMethod, applicationType: type, issuedAtSeconds } = metadata
  const text = JSON.stringify([
    1,
    issuedAtSeconds,
    authMethod,
    redirectUris,
    name ?? null,
    ...(type === undefined ? [] : [type]),
  ])
  if (Buffer.byteLength(text) > MAX_METADATA_BYTES)
    throw invalid(`the metadata is larger than ${MAX_METADATA_BYTES} bytes`)
  return PREFIX + sealer.seal(PURPOSE, issuer, text)
}

/** The registration behind a client_id, or undefined when this gateway never made it. */
export function openClientId(sealer: Sealer, issuer: string, clientId: string): ClientMetadata | undefined {
  if (!clientId.startsWith(PREFIX)) return undefined
  const text = sealer.open(PURPOSE, issuer, clientId.slice(PREFIX.length))
  if (text === undefined) return undefined
  const [, issuedAtSeconds, authMethod, redirectUris, name, type] = JSON.parse(text) as [
    number,
    number,
    ClientAuthMethod,
    string[],
    string | null,
    ApplicationType?,
  ]
  return { redirectUris, name: name ?? undefined, authMethod, ...applicationType(type), issuedAtSeconds }
}

/** The secret follows from the id, so that none is stored. base64url only: some clients percent-encode Basic credentials, some don't. */
export function clientSecret(sealer: Sealer, clientId: string): string {
  return secretUnder(sealer.subkey(SECRET_PURPOSE), clientId)
}

/** Secrets handed out under an older key of the keyring stay good. */
export function isClientSecret(sealer: Sealer, clientId: string, secret: string): boolean {
  const presented = Buffer.from(secret)
  return sealer.subkeys(SECRET_PURPOSE).some((key) => {
    const expected = Buffer.from(secretUnder(key, clientId))
    return presented.length === expected.length && timingSafeEqual(presented, expected)
  })
}

function secretUnder(key: Buffer, clientId: string): string {
  return createHmac('sha256', key).update(clientId).digest('base64url')
}

/** RFC 7591 §3.2.1: what was registered, echoed. */
export function registrationResponse(clientId: string, metadata: ClientMetadata, secret: string | undefined) {
  return {
    client_id: clientId,
    client_id_issued_at: metadata.issuedAtSeconds,
    ...(secret !== undefined && { client_secret: secret, client_secret_expires_at: 0 }),
    redirect_uris: metadata.redirectUris,
    ...(metadata.name !== undefined && { client_name: metadata.name }),
    ...(metadata.applicationType !== undefined && { application_type: metadata.applicationType }),
    token_endpoint_auth_method: metadata.authMethod,
    grant_types: SIGN_IN_GRANTS,
    response_types: ['code'],
  }
}

function invalid(description: string): OAuthError {
  return new OAuthError('invalid_client_metadata', description)
}
