// Finds an upstream's authorization server from the MCP URL alone: challenge, protected resource metadata, server
// metadata. Refuses whatever would let one party speak for another. Remembers nothing.
import { UpstreamError } from '../errors.ts'
import type { ControlHttp, Trust } from './http.ts'
import { askForChallenge } from './probe.ts'
import {
  assumedServer,
  checkServerMetadata,
  distrusted,
  type ServerMetadata,
  type ServerUse,
  strings,
} from './server-metadata.ts'
import { isResourceOf, resourceMetadataUrls, serverMetadataUrls } from './well-known.ts'

export interface ProtectedResource {
  /** What RFC 8707 `resource` has to be. */
  readonly resource: string
  readonly issuer: string
  /** What the server asks for: its challenge's scope, else the metadata's; undefined when it does not say (spec-U6). */
  readonly scope: string | undefined
  /** Nobody published this: a server that asks for a token and knows no such document is its own authorization server (spec-D13). */
  readonly isAssumed?: boolean
}

const JSON_ACCEPT = { accept: 'application/json' }

/** Asks an MCP server, as any client would, who signs people in for it. Throws UpstreamError. */
export async function discoverResource(http: ControlHttp, upstream: URL): Promise<ProtectedResource> {
  const { isChallenged, ...hints } = await askForChallenge(http, upstream)
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
  if (hints.resourceMetadata !== undefined)
    throw distrusted('it names protected resource metadata that is not there')
  return {
    resource: upstream.href,
    issuer: upstream.origin,
    scope: hints.scope,
    ...(isChallenged && { isAssumed: true }),
  }
}

/** The metadata of an issuer. `trust`: whether the operator wrote this issuer down, or an upstream named it. Throws UpstreamError. */
export async function discoverServer(
  http: ControlHttp,
  issuer: string,
  trust: Trust,
  use: ServerUse = 'sign_in',
): Promise<ServerMetadata> {
  const found = await findServer(http, { issuer, trust, use })
  if (found === undefined)
    throw distrusted('its authorization server publishes no metadata', { issuer: issuer.slice(0, 200) })
  return found
}

/** The same for the server that a resource named, or stands for itself: then its endpoints may have to be assumed. */
export async function discoverServerOf(
  http: ControlHttp,
  { issuer, isAssumed = false }: ProtectedResource,
  trust: Trust,
  use: ServerUse = 'sign_in',
): Promise<ServerMetadata> {
  if (!isAssumed) return discoverServer(http, issuer, trust, use)
  return (await findServer(http, { issuer, trust, use })) ?? assumedServer(issuer)
}

interface Wanted {
  readonly issuer: string
  readonly trust: Trust
  readonly use: ServerUse
}

async function findServer(
  http: ControlHttp,
  { issuer, trust, use }: Wanted,
): Promise<ServerMetadata | undefined> {
  if (!URL.canParse(issuer)) throw distrusted('its authorization server is not a URL')
  for (const url of serverMetadataUrls(new URL(issuer))) {
    const document = await fetchJson(http, url, trust)
    if (document !== undefined) return checkServerMetadata(document, issuer, use)
  }
  return undefined
}

function candidates(advertised: string | undefined, upstream: URL): readonly URL[] {
  const known = resourceMetadataUrls(upstream)
  if (advertised === undefined || !URL.canParse(advertised)) return known
  const first = new URL(advertised)
  return [first, ...known.filter(({ href }) => href !== first.href)]
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
