// Registers the gateway at an upstream authorization server (RFC 7591). Sends one request; keeping the answer is for others.
import { UpstreamError } from '../errors.ts'
import { isPassing, jsonObject } from './control-answer.ts'
import type { ControlHttp, Trust } from './http.ts'
import type { UpstreamAuthMethod } from './server.ts'
import type { ServerMetadata } from './server-metadata.ts'

/** What the upstream knows the gateway by. */
export interface UpstreamRegistration {
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly authMethod: UpstreamAuthMethod
  /** Undefined: the secret does not expire. */
  readonly secretExpiresAtMs?: number | undefined
  /** The key that the server knows by value, and no other; undefined: it reads the key set, or needs none. */
  readonly keyId?: string | undefined
}

export interface RegistrationRequest {
  readonly clientName: string
  /** Empty: nobody is sent back from there. */
  readonly redirectUris: readonly string[]
  /** Some servers hold a client to these, and some allow none to a client that named none. */
  readonly scopes: readonly string[]
  /** The operator's choice; undefined: what fits the server. */
  readonly authMethod: UpstreamAuthMethod | undefined
  readonly grantTypes: readonly string[]
  /** The gateway's public keys, as `jwks` or `jwks_uri`. */
  readonly keys: Readonly<Record<string, unknown>>
}

/** What the gateway has to authenticate with. */
export interface Credential {
  readonly secret: boolean
  readonly key: boolean
}

/** In the order we like them: a secret proves more than its absence, and needs no key set that the upstream can fetch. */
const PREFERENCE: readonly UpstreamAuthMethod[] = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
]

/** The method to use where the operator did not choose one. Absent metadata means client_secret_basic (RFC 8414 §2). */
export function chooseAuthMethod(
  supported: readonly string[] | undefined,
  { secret, key }: Credential,
): UpstreamAuthMethod {
  if (key) return 'private_key_jwt'
  if (!secret) return 'none'
  return supported?.includes('client_secret_post') && !supported.includes('client_secret_basic')
    ? 'client_secret_post'
    : 'client_secret_basic'
}

/** Whether the server takes assertions signed with the gateway's own key. */
export function takesOwnAssertions({ authMethods, assertionAlgorithms }: ServerMetadata): boolean {
  return authMethods?.includes('private_key_jwt') === true && (assertionAlgorithms?.includes('ES256') ?? true)
}

/** Throws UpstreamError when the server takes no registrations, or not this one. */
export async function registerClient(
  http: ControlHttp,
  server: ServerMetadata & { readonly registrationEndpoint: string },
  trust: Trust,
  request: RegistrationRequest,
  nowMs: number,
): Promise<UpstreamRegistration> {
  const { authMethod } = request
  if (authMethod !== undefined && !takesMethod(server, authMethod)) throw methodRefused(server, authMethod)
  const asked = authMethod ?? methodToAskFor(server)
  const answer = await http({
    method: 'POST',
    url: new URL(server.registrationEndpoint),
    trust,
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: request.clientName,
      redirect_uris: request.redirectUris,
      application_type: 'web',
      grant_types: request.grantTypes,
      // Left out it would mean `code` (RFC 7591 §2).
      response_types: request.redirectUris.length > 0 ? ['code'] : [],
      token_endpoint_auth_method: asked,
      ...(asked === 'private_key_jwt' && request.keys),
      ...(request.scopes.length > 0 && { scope: request.scopes.join(' ') }),
    }),
  })
  const registered = answer.status === 201 || answer.status === 200 ? jsonObject(answer.body) : undefined
  if (
    registered === undefined ||
    !isClientId(registered.client_id) ||
    !isSecretOrNone(registered.client_secret)
  )
    throw notRegistered(server, answer.status)
  const registration =
    authMethod === undefined ? registrationOf(registered, asked) : registrationWith(authMethod, registered)
  if (registration === undefined) throw methodRefused(server, asked)
  return { ...registration, ...(registration.clientSecret !== undefined && expiryOf(registered, nowMs)) }
}

/** It has to fit into an address. Some servers seal all that they know of a client into it. */
const MAX_CLIENT_ID_LENGTH = 4096

/** RFC 6749 appendix A.1. An empty one would name nobody. */
export function isClientId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_CLIENT_ID_LENGTH && /^[\x20-\x7e]+$/.test(value)
}

/** Public clients are answered nothing, null or an empty one. */
function isSecretOrNone(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string'
}

function methodToAskFor(server: ServerMetadata): UpstreamAuthMethod {
  const offered = PREFERENCE.find((method) =>
    method === 'private_key_jwt'
      ? takesOwnAssertions(server)
      : (server.authMethods?.includes(method) ?? true),
  )
  return offered ?? 'none'
}

/** Whether the metadata says nothing against the operator's choice. */
function takesMethod(
  { authMethods, assertionAlgorithms }: ServerMetadata,
  method: UpstreamAuthMethod,
): boolean {
  const isSignable = method !== 'private_key_jwt' || (assertionAlgorithms?.includes('ES256') ?? true)
  return isSignable && (authMethods?.includes(method) ?? true)
}

function methodRefused({ issuer }: ServerMetadata, method: UpstreamAuthMethod): UpstreamError {
  return new UpstreamError(
    'bad_response',
    'the upstream does not register clients with the configured token_endpoint_auth_method: leave it out, or write one that the upstream takes',
    { issuer, method },
  )
}

function notRegistered({ issuer, isAssumed }: ServerMetadata, status: number): UpstreamError {
  const isSilent = isAssumed === true && [404, 405].includes(status)
  if (isSilent)
    return new UpstreamError(
      'bad_response',
      'the upstream cannot be used: its authorization server publishes no metadata',
      { issuer, status },
    )
  return new UpstreamError(
    isPassing(status) ? 'unavailable' : 'bad_response',
    'the upstream did not register this gateway',
    { issuer, status },
  )
}

const secretOf = ({ client_secret: secret }: Readonly<Record<string, unknown>>) =>
  typeof secret === 'string' && secret !== '' ? secret : undefined

/** Undefined: the server made it another method, as it may (RFC 7591 §3.2.1), or left out what this one needs. */
function registrationWith(
  method: UpstreamAuthMethod,
  registered: Readonly<Record<string, unknown>>,
): UpstreamRegistration | undefined {
  const { client_id: clientId, token_endpoint_auth_method: echoed } = registered
  const needsSecret = method === 'client_secret_basic' || method === 'client_secret_post'
  const clientSecret = needsSecret ? secretOf(registered) : undefined
  if (typeof echoed === 'string' && echoed !== method) return undefined
  if (needsSecret && clientSecret === undefined) return undefined
  return { clientId: String(clientId), clientSecret, authMethod: method }
}

// What was echoed counts, not what was asked (RFC 7591 §3.2.1); a secret without a method that we know is Basic.
function registrationOf(
  registered: Readonly<Record<string, unknown>>,
  asked: UpstreamAuthMethod,
): UpstreamRegistration {
  const { client_id: clientId, token_endpoint_auth_method: echoed } = registered
  const clientSecret = secretOf(registered)
  const method = PREFERENCE.find((known) => known === echoed) ?? asked
  // Keys were sent only with the request for this method.
  const byKey = method === 'private_key_jwt' && asked === 'private_key_jwt'
  if (byKey) return { clientId: String(clientId), clientSecret: undefined, authMethod: method }
  const usesSecret = method === 'client_secret_post' ? method : 'client_secret_basic'
  return {
    clientId: String(clientId),
    clientSecret,
    authMethod: clientSecret === undefined ? 'none' : usesSecret,
  }
}

/** RFC 7591 §3.2.1: seconds since 1970, or 0 for never. What has passed already is no time, and neither is what is no number: a secret that ends all the same is refused, and then the gateway registers anew. */
function expiryOf(
  { client_secret_expires_at: at }: Readonly<Record<string, unknown>>,
  nowMs: number,
): Pick<UpstreamRegistration, 'secretExpiresAtMs'> {
  const ms = typeof at === 'number' || typeof at === 'string' ? Number(at) * 1000 : Number.NaN
  return Number.isFinite(ms) && ms > nowMs ? { secretExpiresAtMs: ms } : {}
}
