// Metadata of an upstream authorization server (RFC 8414 §2): what of it the gateway uses, and what makes it refuse the
// whole. Pure.
import { UpstreamError } from '../errors.ts'
import { isLoopbackHost } from '../loopback.ts'
import { isOwnAddress } from '../oauth/own-address.ts'
import { isWebAddress } from './well-known.ts'

/** What a server is needed for: browsers are sent there, or only its token endpoint is asked. */
export type ServerUse = 'sign_in' | 'service'

/** Metadata of an authorization server, as far as the gateway uses it (RFC 8414 §2). */
export interface ServerMetadata {
  readonly issuer: string
  /** Of a server for services that has none it is the token endpoint: nobody is sent there. */
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly registrationEndpoint: string | undefined
  /** RFC 7009; undefined also where it is there and can't be used: nothing depends on it. */
  readonly revocationEndpoint?: string | undefined
  readonly authMethods: readonly string[] | undefined
  /** Undefined: not said. */
  readonly grantTypes?: readonly string[] | undefined
  /** For client assertions; undefined: not said. */
  readonly assertionAlgorithms?: readonly string[] | undefined
  /** A client_id may be the URL of a metadata document. */
  readonly clientDocuments?: boolean
  /** Nobody published this: the endpoints are where 2025-03-26 has them (spec-D13). */
  readonly isAssumed?: boolean
  readonly scopesSupported: readonly string[]
  readonly issParameterSupported: boolean
}

/** The fallback of revision 2025-03-26. Whether the server does PKCE cannot be known; that revision demands it. */
export function assumedServer(origin: string): ServerMetadata {
  const at = (path: string) => new URL(path, origin).href
  return {
    issuer: origin,
    authorizationEndpoint: at('/authorize'),
    tokenEndpoint: at('/token'),
    registrationEndpoint: at('/register'),
    authMethods: undefined,
    scopesSupported: [],
    issParameterSupported: false,
    isAssumed: true,
  }
}

export interface ExpectedIssuer {
  readonly issuer: string
  /** Nobody named it: it is the origin of the upstream, and whether its identifier ends in a slash is for it to say. */
  readonly isAssumed: boolean
}

/** Throws UpstreamError for whatever would let one party speak for another. */
export function checkServerMetadata(
  document: Readonly<Record<string, unknown>>,
  expected: ExpectedIssuer,
  use: ServerUse,
): ServerMetadata {
  const issuer = statedIssuer(document, expected)
  // PKCE is about codes (RFC 7636), and a service gets none.
  if (use === 'sign_in' && !supportsS256(document)) {
    throw distrusted(
      'no_s256',
      'its authorization server does not support PKCE with S256; if it does and only does not say so, write its endpoints into the configuration',
    )
  }
  const authMethods = document.token_endpoint_auth_methods_supported
  const algorithms = document.token_endpoint_auth_signing_alg_values_supported
  const grantTypes = document.grant_types_supported
  return {
    issuer,
    authorizationEndpoint: authorizationEndpoint(document, use),
    tokenEndpoint: endpoint(document, 'token_endpoint'),
    registrationEndpoint:
      document.registration_endpoint === undefined ? undefined : endpoint(document, 'registration_endpoint'),
    revocationEndpoint: revocationEndpoint(document),
    authMethods: authMethods === undefined ? undefined : strings(authMethods),
    grantTypes: grantTypes === undefined ? undefined : strings(grantTypes),
    assertionAlgorithms: algorithms === undefined ? undefined : strings(algorithms),
    clientDocuments: document.client_id_metadata_document_supported === true,
    scopesSupported: strings(document.scopes_supported),
    issParameterSupported: document.authorization_response_iss_parameter_supported === true,
  }
}

/** RFC 8414 §3.3, byte for byte: whoever can answer for another issuer can take its codes (mix-up, RFC 9700 §4.4). */
function statedIssuer(
  { issuer: stated }: Readonly<Record<string, unknown>>,
  { issuer, isAssumed }: ExpectedIssuer,
): string {
  const withSlash = `${issuer}/`
  if (stated === issuer) return issuer
  if (isAssumed && stated === withSlash) return withSlash
  throw distrusted('another_issuer', 'its authorization server metadata names another issuer', {
    expected: issuer.slice(0, 200),
    found: told(stated),
  })
}

type Addresses = Pick<ServerMetadata, 'issuer'> & Partial<ServerMetadata>

/**
 * The gateway gives out tokens for its routes: an upstream that names it would be sent one that is good on another route.
 * `own`: any address of the gateway. Throws UpstreamError.
 */
export function checkNotOwn(server: Addresses, own: string): void {
  const { issuer, authorizationEndpoint, tokenEndpoint, registrationEndpoint } = server
  const addresses = [issuer, authorizationEndpoint, tokenEndpoint, registrationEndpoint]
  const found = addresses.find((url) => url !== undefined && isWebAddress(url) && isOwnAddress(url, own))
  if (found === undefined) return
  throw distrusted('own_server', 'its authorization server would be this gateway itself', {
    found: found.slice(0, 200),
  })
}

export function supportsS256(document: Readonly<Record<string, unknown>>): boolean {
  return strings(document.code_challenge_methods_supported).includes('S256')
}

function authorizationEndpoint(document: Readonly<Record<string, unknown>>, use: ServerUse): string {
  const isNeeded = use === 'sign_in' || document.authorization_endpoint !== undefined
  return endpoint(document, isNeeded ? 'authorization_endpoint' : 'token_endpoint')
}

/** Nothing depends on it, so one that can't be used is none. */
function revocationEndpoint({
  revocation_endpoint: url,
}: Readonly<Record<string, unknown>>): string | undefined {
  return usableEndpoint(url)?.href
}

function endpoint(document: Readonly<Record<string, unknown>>, name: string): string {
  const url = usableEndpoint(document[name])
  if (url === undefined)
    throw distrusted('no_endpoint', `its authorization server metadata has no usable ${name}`)
  return url.href
}

/** An https URL, or http on loopback: a `javascript:` address would run in the browser that is sent there (sec-C12). */
function usableEndpoint(value: unknown): URL | undefined {
  if (typeof value !== 'string' || !isWebAddress(value)) return undefined
  const url = new URL(value)
  return url.protocol === 'https:' || isLoopbackHost(url.hostname) ? url : undefined
}

/** What was found in place of something better, for a log line. Whatever is no text need not have one: `{"toString":1}`. */
export function told(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'not a text' : String(value).slice(0, 200)
}

export function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** Why what an upstream says of itself is not taken. Each has a way out of its own for the operator. */
export type Distrust =
  | 'another_resource'
  | 'no_server_named'
  | 'no_resource_metadata'
  | 'server_is_no_url'
  | 'no_server_metadata'
  | 'another_issuer'
  | 'no_s256'
  | 'no_endpoint'
  | 'own_server'

export function distrusted(
  distrust: Distrust,
  why: string,
  detail: Readonly<Record<string, string>> = {},
): UpstreamError {
  return new UpstreamError('bad_response', `the upstream cannot be used: ${why}`, { distrust, ...detail })
}
