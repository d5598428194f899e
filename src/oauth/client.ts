// Who an OAuth client is to the gateway, and whether a request to /token really comes from it. Pure.
import { OAuthError } from '../errors.ts'
import type { Sealer } from '../store/seal.ts'
import type { ClientAuthMethod } from './metadata.ts'
import type { Parameters } from './parameters.ts'
import { isClientSecret, openClientId } from './registration.ts'
import { hashToken, sameHash } from './tokens.ts'

export interface Client {
  readonly id: string
  /** What the client calls itself. Unverified: whoever registers may claim any name. */
  readonly name: string | undefined
  readonly redirectUris: readonly string[]
  readonly authMethods: readonly ClientAuthMethod[]
  readonly isSecret: (secret: string) => boolean
  /** Trusted by the configuration to ask about every token, not only its own (RFC 7662). */
  readonly introspectsAll: boolean
}

/** A client that the configuration knows, in its words (RFC 7591). */
export interface StaticClient {
  readonly client_name?: string
  readonly client_secret?: string
  readonly redirect_uris: readonly string[]
  readonly introspect: boolean
}

/** Where clients are looked up. */
export interface ClientDirectory {
  readonly issuer: string
  readonly staticClients: ReadonlyMap<string, StaticClient>
}

/** Undefined: this gateway does not know the client. */
export function findClient(
  clientId: string,
  { issuer, staticClients }: ClientDirectory,
  sealer: Sealer,
): Client | undefined {
  const known = staticClients.get(clientId)
  if (known !== undefined) return describeStatic(clientId, known)
  const registered = openClientId(sealer, issuer, clientId)
  if (registered === undefined) return undefined
  const { name, redirectUris, authMethod } = registered
  const isSecret = (secret: string) => isClientSecret(sealer, clientId, secret)
  return { id: clientId, name, redirectUris, authMethods: [authMethod], isSecret, introspectsAll: false }
}

function describeStatic(id: string, client: StaticClient): Client {
  const {
    client_secret: secret = '',
    client_name: name = id,
    redirect_uris: redirectUris,
    introspect,
  } = client
  return {
    id,
    name,
    redirectUris,
    authMethods: secret === '' ? ['none'] : ['client_secret_basic', 'client_secret_post'],
    isSecret: (presented) => secret !== '' && sameHash(hashToken(presented), hashToken(secret)),
    introspectsAll: introspect,
  }
}

/** Client credentials as presented (RFC 6749 §2.3.1). */
interface PresentedCredentials {
  readonly method: ClientAuthMethod
  readonly clientId: string
  readonly secret: string | undefined
}

/**
 * The client of a request to /token: exactly the method it registered, or invalid_client. Checked before anything is
 * spent, so a stranger's attempt leaves the code or refresh token as it was (sec-R8).
 */
export function authenticateClient(
  authorization: string | undefined,
  parameters: Parameters,
  directory: ClientDirectory,
  sealer: Sealer,
): Client {
  const { method, clientId, secret } = presentedCredentials(authorization, parameters)
  const client = findClient(clientId, directory, sealer)
  if (client === undefined) throw new OAuthError('invalid_client', 'unknown client: register again')
  if (!client.authMethods.includes(method)) {
    throw new OAuthError(
      'invalid_client',
      `this client authenticates with ${client.authMethods.join(' or ')}`,
      { presented: method },
    )
  }
  if (secret !== undefined && !client.isSecret(secret))
    throw new OAuthError('invalid_client', 'the client secret is wrong')
  return client
}

function presentedCredentials(
  authorization: string | undefined,
  parameters: Parameters,
): PresentedCredentials {
  const bodyId = parameters.get('client_id')
  const bodySecret = parameters.get('client_secret')
  if (authorization !== undefined) {
    const basic = parseBasic(authorization)
    if (basic === undefined)
      throw new OAuthError('invalid_client', 'the Authorization header is not Basic client authentication')
    if (bodySecret !== undefined || (bodyId !== undefined && bodyId !== basic.clientId)) {
      throw new OAuthError('invalid_request', 'more than one client authentication')
    }
    return basic
  }
  if (bodyId === undefined)
    throw new OAuthError('invalid_client', 'no client authentication: client_id is missing')
  return {
    method: bodySecret === undefined ? 'none' : 'client_secret_post',
    clientId: bodyId,
    secret: bodySecret,
  }
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
  return { method: 'client_secret_basic', clientId, secret }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
