// Who an OAuth client is to the gateway, and what a request to /token presents to prove it. Pure.
import { OAuthError } from '../errors.ts'
import type { Sealer } from '../store/seal.ts'
import type { ClientDocument, PublicJwk } from './client-document.ts'
import { type GrantType, JWT_BEARER, SIGN_IN_GRANTS, withRefresh } from './grant-types.ts'
import type { ClientAuthMethod } from './metadata.ts'
import type { Parameters } from './parameters.ts'
import { isClientSecret, openClientId } from './registration.ts'
import { hashToken, sameHash } from './tokens.ts'

export interface Client {
  readonly id: string
  /** What the client calls itself. Unverified: whoever registers may claim any name. */
  readonly name: string | undefined
  /** The host that serves the client's metadata document: the one thing about it that is proven. */
  readonly documentHost: string | undefined
  readonly redirectUris: readonly string[]
  readonly authMethods: readonly ClientAuthMethod[]
  readonly grantTypes: readonly GrantType[]
  readonly isSecret: (secret: string) => boolean
  /** Where its public keys are, if it authenticates with one. */
  readonly keys: ClientDocument['keys']
  /** Trusted by the configuration to ask about every token, not only its own (RFC 7662). */
  readonly introspectsAll: boolean
}

/** A client that the configuration knows, in its words (RFC 7591). */
export interface StaticClient {
  readonly client_name?: string
  readonly client_secret?: string
  readonly jwks_uri?: string
  readonly jwks?: { readonly keys: readonly object[] }
  readonly grant_types: readonly Exclude<GrantType, 'refresh_token'>[]
  readonly redirect_uris: readonly string[]
  readonly introspect: boolean
}

const noSecret = () => false

export function describeStatic(id: string, client: StaticClient): Client {
  const {
    client_secret: secret = '',
    client_name: name = id,
    redirect_uris: redirectUris,
    introspect,
  } = client
  return {
    id,
    name,
    documentHost: undefined,
    redirectUris,
    authMethods: staticMethods(client),
    grantTypes: withRefresh(client.grant_types),
    isSecret: (presented) => secret !== '' && sameHash(hashToken(presented), hashToken(secret)),
    keys: staticKeys(client),
    introspectsAll: introspect,
  }
}

function staticMethods(client: StaticClient): readonly ClientAuthMethod[] {
  if (staticKeys(client) !== undefined) return ['private_key_jwt']
  return client.client_secret === undefined ? ['none'] : ['client_secret_basic', 'client_secret_post']
}

function staticKeys({ jwks, jwks_uri: uri }: StaticClient): Client['keys'] {
  if (jwks !== undefined) return { inline: jwks.keys.map((key) => ({ ...key })) }
  return uri === undefined ? undefined : { uri }
}

/** Whether somebody who knows no more than the client_id is taken for the client. */
export function isPublic({ authMethods }: Pick<Client, 'authMethods'>): boolean {
  return authMethods.includes('none')
}

/** A client that may have tokens for itself, without a person. */
export function isMachine({ grantTypes, authMethods }: Client): boolean {
  return grantTypes.includes('client_credentials') && !isPublic({ authMethods })
}

/** Undefined: this gateway did not make that id. */
export function describeRegistered(id: string, issuer: string, sealer: Sealer): Client | undefined {
  const registered = openClientId(sealer, issuer, id)
  if (registered === undefined) return undefined
  const { name, redirectUris, authMethod } = registered
  return {
    id,
    name,
    documentHost: undefined,
    redirectUris,
    authMethods: [authMethod],
    grantTypes: SIGN_IN_GRANTS,
    isSecret: (secret) => isClientSecret(sealer, id, secret),
    keys: undefined,
    introspectsAll: false,
  }
}

export function describeDocument(id: string, document: ClientDocument): Client {
  const { name, redirectUris, authMethod, keys } = document
  return {
    id,
    name,
    documentHost: new URL(id).host,
    redirectUris,
    authMethods: [authMethod],
    // The assertion names its client, and proves nothing of whoever brings it: that the client's own key must do.
    grantTypes: authMethod === 'none' ? SIGN_IN_GRANTS : [...SIGN_IN_GRANTS, JWT_BEARER],
    isSecret: noSecret,
    keys,
    introspectsAll: false,
  }
}

/** Client credentials as presented (RFC 6749 §2.3.1, RFC 7523 §2.2). */
export interface PresentedCredentials {
  readonly method: ClientAuthMethod
  readonly clientId: string
  /** A secret, or the assertion of `private_key_jwt`. */
  readonly proof: string | undefined
}

export type KeySet = { readonly keys: readonly PublicJwk[] }

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Throws OAuthError when there is none, more than one, or one that can't be read. */
export function presentedCredentials(
  authorization: string | undefined,
  parameters: Parameters,
): PresentedCredentials {
  const bodyId = parameters.get('client_id')
  const secret = parameters.get('client_secret')
  const assertion = parameters.get('client_assertion')
  const ways = [authorization, secret, assertion].filter((way) => way !== undefined)
  if (ways.length > 1) throw new OAuthError('invalid_request', 'more than one client authentication')
  if (authorization !== undefined) return basicCredentials(authorization, bodyId)
  if (assertion !== undefined) return assertionCredentials(assertion, parameters)
  if (bodyId === undefined)
    throw new OAuthError('invalid_client', 'no client authentication: client_id is missing')
  return { method: secret === undefined ? 'none' : 'client_secret_post', clientId: bodyId, proof: secret }
}

/** Whether the client authenticates the way it registered, exactly (sec-R8). An assertion is still to be verified. */
export function checkCredentials(client: Client, { method, proof }: PresentedCredentials): void {
  if (!client.authMethods.includes(method)) {
    const registered = client.authMethods.join(' or ')
    throw new OAuthError('invalid_client', `this client authenticates with ${registered}`, {
      presented: method,
    })
  }
  if (method.startsWith('client_secret') && !client.isSecret(proof ?? '')) {
    throw new OAuthError('invalid_client', 'the client secret is wrong')
  }
}

// Who it claims to be is read before the signature is checked, since it says whose keys to check it with.
function assertionCredentials(assertion: string, parameters: Parameters): PresentedCredentials {
  if (parameters.get('client_assertion_type') !== ASSERTION_TYPE) {
    throw new OAuthError('invalid_request', `client_assertion_type must be ${ASSERTION_TYPE}`)
  }
  const claimed = claimedSubject(assertion)
  const clientId = parameters.get('client_id') ?? claimed
  if (clientId === undefined || claimed !== clientId) {
    throw new OAuthError('invalid_client', 'the client assertion is not about this client')
  }
  return { method: 'private_key_jwt', clientId, proof: assertion }
}

function claimedSubject(assertion: string): string | undefined {
  try {
    const payload: unknown = JSON.parse(
      Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString('utf8'),
    )
    const subject =
      typeof payload === 'object' && payload !== null && 'sub' in payload ? payload.sub : undefined
    return typeof subject === 'string' ? subject : undefined
  } catch {
    return undefined
  }
}

function basicCredentials(authorization: string, bodyId: string | undefined): PresentedCredentials {
  const basic = parseBasic(authorization)
  if (basic === undefined) {
    throw new OAuthError('invalid_client', 'the Authorization header is not Basic client authentication')
  }
  if (bodyId !== undefined && bodyId !== basic.clientId) {
    throw new OAuthError('invalid_request', 'more than one client authentication')
  }
  return basic
}

// RFC 6749 §2.3.1 wants both halves form-encoded; clients differ, and ours are made of characters that encode to themselves.
function parseBasic(authorization: string): PresentedCredentials | undefined {
  const match = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(authorization)
  if (match?.[1] === undefined) return undefined
  const text = Buffer.from(match[1], 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 1) return undefined
  const [clientId, secret] = [decode(text.slice(0, colon)), decode(text.slice(colon + 1))]
  if (clientId === undefined || secret === undefined) return undefined
  return { method: 'client_secret_basic', clientId, proof: secret }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
