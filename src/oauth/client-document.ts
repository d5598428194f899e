// Client ID metadata documents: a client_id that is a URL, and what the document behind it may say. Pure. Section
// numbers are those of draft-ietf-oauth-client-id-metadata-document-00, which MCP pins.
import { OAuthError } from '../errors.ts'
import { isLoopbackHost } from '../loopback.ts'
import { checkRegistrable } from './redirect-uri.ts'

/** The methods a document may name: it is public, so it can't hold a shared secret (§4.1). */
const DOCUMENT_AUTH_METHODS = ['none', 'private_key_jwt'] as const

export type DocumentAuthMethod = (typeof DOCUMENT_AUTH_METHODS)[number]

/** A public key as RFC 7517 writes it. */
export type PublicJwk = Readonly<Record<string, unknown>>

export interface ClientDocument {
  readonly name: string
  readonly redirectUris: readonly string[]
  readonly authMethod: DocumentAuthMethod
  /** Where a client that authenticates keeps its keys: in the document, or at an address. */
  readonly keys: { readonly inline: readonly PublicJwk[] } | { readonly uri: string } | undefined
}

const MAX_REDIRECT_URIS = 20
const SHARED_SECRETS: readonly string[] = ['client_secret', 'client_secret_expires_at']
const PRIVATE_MEMBERS: readonly string[] = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/**
 * Whether a client_id is the URL of a document (§3): https, a path, no dot segments, no fragment, no user information,
 * and written the way a URL parser writes it. `privateHosts`: where an operator also allows plain http, on loopback.
 */
export function isDocumentUrl(clientId: string, privateHosts: readonly string[]): boolean {
  if (!/^https?:\/\//.test(clientId) || !URL.canParse(clientId)) return false
  const url = new URL(clientId)
  const { protocol, hostname, pathname } = url
  const plain = protocol === 'http:' && isLoopbackHost(hostname) && privateHosts.includes(hostname)
  if (protocol !== 'https:' && !plain) return false
  if (
    pathname === '/' ||
    url.hash !== '' ||
    clientId.includes('#') ||
    url.username !== '' ||
    url.password !== ''
  )
    return false
  // The parser has resolved dot segments, encoded ones too, so a difference tells that there were some.
  return url.href === clientId
}

/** Judges a fetched document. Throws OAuthError `invalid_client`; the text is for the client's developer. */
export function parseClientDocument(
  clientId: string,
  text: string,
  privateSchemes: readonly string[],
): ClientDocument {
  const document = parseObject(text)
  // Byte for byte (§4.1): whoever can serve a copy elsewhere must not speak for this client.
  if (document.client_id !== clientId) throw refused('its client_id is not the URL it was fetched from')
  const { client_name: name, redirect_uris: uris } = document
  if (typeof name !== 'string' || name === '') throw refused('it has no client_name')
  if (!Array.isArray(uris) || uris.length === 0 || uris.length > MAX_REDIRECT_URIS) {
    throw refused(`redirect_uris must be a list of 1 to ${MAX_REDIRECT_URIS} URIs`)
  }
  if (SHARED_SECRETS.some((member) => document[member] !== undefined))
    throw refused('a public document holds no secret')
  const authMethod = DOCUMENT_AUTH_METHODS.find(
    (method) => method === (document.token_endpoint_auth_method ?? 'none'),
  )
  if (authMethod === undefined) throw refused('token_endpoint_auth_method must be none or private_key_jwt')
  return {
    name,
    redirectUris: uris.map((uri) => checkDocumentRedirect(uri, privateSchemes)),
    authMethod,
    keys: authMethod === 'none' ? undefined : documentKeys(document),
  }
}

function checkDocumentRedirect(uri: unknown, privateSchemes: readonly string[]): string {
  try {
    return checkRegistrable(uri, privateSchemes)
  } catch (error) {
    throw refused(error instanceof Error ? error.message : 'a redirect_uri is not usable')
  }
}

function documentKeys({ jwks, jwks_uri: uri }: Readonly<Record<string, unknown>>): ClientDocument['keys'] {
  if (typeof uri === 'string' && jwks === undefined) {
    if (!URL.canParse(uri) || new URL(uri).protocol !== 'https:')
      throw refused('jwks_uri must be an https URL')
    return { uri }
  }
  return { inline: parseKeySet(jwks) }
}

/** The public keys of a JWK set (RFC 7517 §5). A private one was leaked the moment it was published. */
export function parseKeySet(jwks: unknown): readonly PublicJwk[] {
  const keys = typeof jwks === 'object' && jwks !== null && 'keys' in jwks ? jwks.keys : undefined
  if (!Array.isArray(keys) || keys.length === 0) throw refused('private_key_jwt needs jwks or jwks_uri')
  for (const key of keys as unknown[]) {
    if (typeof key !== 'object' || key === null) throw refused('a key in its jwks is not a JWK')
    if (PRIVATE_MEMBERS.some((member) => member in key))
      throw refused('its jwks holds a private or symmetric key')
  }
  return keys as PublicJwk[]
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Told below: what it is instead of JSON is no business of ours to repeat.
  }
  throw refused('it is not a JSON object')
}

function refused(why: string): OAuthError {
  return new OAuthError('invalid_client', `the client's metadata document cannot be used: ${why}`)
}
