// Finds an upstream's authorization server from the MCP URL alone: challenge, protected resource metadata, server
// metadata. Refuses whatever would let one party speak for another. Remembers nothing.
import { UpstreamError } from '../errors.ts'
import { isLoopbackHost } from '../loopback.ts'
import type { ControlAnswer, ControlHttp, Trust } from './http.ts'
import { isResourceOf, parseBearerHints, resourceMetadataUrls, serverMetadataUrls } from './well-known.ts'

/** Metadata of an authorization server, as far as the gateway uses it (RFC 8414 §2). */
export interface ServerMetadata {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly registrationEndpoint: string | undefined
  readonly authMethods: readonly string[] | undefined
  readonly scopesSupported: readonly string[]
  readonly issParameterSupported: boolean
}

export interface ProtectedResource {
  /** What RFC 8707 `resource` has to be. */
  readonly resource: string
  readonly issuer: string
  /** What the server asks for: its challenge's scope, else the metadata's; undefined when it does not say (spec-U6). */
  readonly scope: string | undefined
}

const JSON_ACCEPT = { accept: 'application/json' }

/** Asks an MCP server, as any client would, who signs people in for it. Throws UpstreamError. */
export async function discoverResource(http: ControlHttp, upstream: URL): Promise<ProtectedResource> {
  const hints = await askForChallenge(http, upstream)
  for (const url of candidates(hints.resourceMetadata, upstream)) {
    const document = await fetchJson(http, url, { derivedFrom: upstream.hostname })
    if (document === undefined) continue
    const { resource, authorization_servers: servers, scopes_supported: scopes } = document
    if (typeof resource !== 'string' || !isResourceOf(resource, upstream)) {
      throw distrusted('its protected resource metadata is about another resource', {
        found: String(resource).slice(0, 200),
      })
    }
    const issuer = strings(servers)[0]
    if (issuer === undefined)
      throw distrusted('its protected resource metadata names no authorization server')
    return {
      resource,
      issuer,
      scope: hints.scope ?? (Array.isArray(scopes) ? strings(scopes).join(' ') : undefined),
    }
  }
  // Servers of 2025-03-26 know no such document: they are their own authorization server (spec-D13).
  return { resource: upstream.href, issuer: upstream.origin, scope: hints.scope }
}

/** The metadata of an issuer. `trust`: whether the operator wrote this issuer down, or an upstream named it. Throws UpstreamError. */
export async function discoverServer(
  http: ControlHttp,
  issuer: string,
  trust: Trust,
): Promise<ServerMetadata> {
  if (!URL.canParse(issuer)) throw distrusted('its authorization server is not a URL')
  for (const url of serverMetadataUrls(new URL(issuer))) {
    const document = await fetchJson(http, url, trust)
    if (document !== undefined) return checkServerMetadata(document, issuer)
  }
  throw distrusted('its authorization server publishes no metadata', { issuer: issuer.slice(0, 200) })
}

/** The answer to what every client of every era may send first, without a token. */
export function probe(http: ControlHttp, upstream: URL): Promise<ControlAnswer> {
  return http({
    method: 'POST',
    url: upstream,
    trust: 'configured',
    headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'mcp-oauth-gateway', version: '1' },
      },
    }),
  })
}

// Nothing but the challenge is read from the answer.
async function askForChallenge(
  http: ControlHttp,
  upstream: URL,
): Promise<ReturnType<typeof parseBearerHints>> {
  const answer = await probe(http, upstream)
  return answer.status === 401
    ? parseBearerHints(headerOf(answer, 'www-authenticate'))
    : parseBearerHints(undefined)
}

function candidates(advertised: string | undefined, upstream: URL): readonly URL[] {
  return advertised !== undefined && URL.canParse(advertised)
    ? [new URL(advertised)]
    : resourceMetadataUrls(upstream)
}

function checkServerMetadata(document: Readonly<Record<string, unknown>>, issuer: string): ServerMetadata {
  // RFC 8414 §3.3, byte for byte: whoever can answer for another issuer can take its codes (mix-up, RFC 9700 §4.4).
  if (document.issuer !== issuer) {
    throw distrusted('its authorization server metadata names another issuer', {
      expected: issuer.slice(0, 200),
      found: String(document.issuer).slice(0, 200),
    })
  }
  if (!strings(document.code_challenge_methods_supported).includes('S256')) {
    throw distrusted(
      'its authorization server does not support PKCE with S256; if it does and only does not say so, write its endpoints into the configuration',
    )
  }
  const authMethods = document.token_endpoint_auth_methods_supported
  return {
    issuer,
    authorizationEndpoint: endpoint(document, 'authorization_endpoint'),
    tokenEndpoint: endpoint(document, 'token_endpoint'),
    registrationEndpoint:
      document.registration_endpoint === undefined ? undefined : endpoint(document, 'registration_endpoint'),
    authMethods: authMethods === undefined ? undefined : strings(authMethods),
    scopesSupported: strings(document.scopes_supported),
    issParameterSupported: document.authorization_response_iss_parameter_supported === true,
  }
}

/** An https URL, or http on loopback: a `javascript:` address would run in the browser that is sent there (sec-C12). */
function endpoint(document: Readonly<Record<string, unknown>>, name: string): string {
  const value = document[name]
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  const loopback = url?.protocol === 'http:' && isLoopbackHost(url.hostname)
  if (
    url === undefined ||
    !(url.protocol === 'https:' || loopback) ||
    url.username !== '' ||
    url.password !== ''
  ) {
    throw distrusted(`its authorization server metadata has no usable ${name}`)
  }
  return url.href
}

/** Undefined for anything but a JSON object with status 200: then the next address is tried. An unreachable server ends the search. */
async function fetchJson(
  http: ControlHttp,
  url: URL,
  trust: Trust,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const answer = await http({ method: 'GET', url, headers: JSON_ACCEPT, trust })
  if (answer.status >= 500)
    throw new UpstreamError(
      'unavailable',
      'the upstream cannot say where to sign in at the moment',
      { url: url.origin, status: answer.status },
      5,
    )
  if (answer.status !== 200) return undefined
  try {
    const document: unknown = JSON.parse(answer.body.toString('utf8'))
    return typeof document === 'object' && document !== null && !Array.isArray(document)
      ? (document as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

function headerOf(answer: ControlAnswer, name: string): string | undefined {
  const value = answer.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function distrusted(why: string, detail: Readonly<Record<string, string>> = {}): UpstreamError {
  return new UpstreamError('bad_response', `the upstream cannot be used: ${why}`, detail)
}
