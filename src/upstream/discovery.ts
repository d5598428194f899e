// Finds an upstream's authorization server from the MCP URL alone: challenge, protected resource metadata, server
// metadata. Refuses whatever would let one party speak for another. Remembers nothing.
import { UpstreamError } from '../errors.ts'
import { isPassing, jsonObject } from './control-answer.ts'
import type { ControlHttp, Trust } from './http.ts'
import { askForChallenge } from './probe.ts'
import {
  assumedServer,
  checkServerMetadata,
  distrusted,
  type ServerMetadata,
  type ServerUse,
  strings,
  told,
} from './server-metadata.ts'
import { isResourceOf, isWebAddress, resourceMetadataUrls, serverMetadataUrls } from './well-known.ts'

export interface ProtectedResource {
  /** What RFC 8707 `resource` has to be. */
  readonly resource: string
  readonly issuer: string
  /** What the server asks for: its challenge's scope, else the metadata's; undefined when it does not say (spec-U6). */
  readonly scope: string | undefined
  /** Nobody published this: a server that knows no such document is its own authorization server (spec-D13). */
  readonly isAssumed?: boolean
  /** It was assumed of a server that asks for a token: then there have to be endpoints too. */
  readonly isChallenged?: boolean
}

const JSON_ACCEPT = { accept: 'application/json' }
/** Words of which one at least stands in metadata: many servers answer whatever they do not know with 200 and some JSON. */
const RESOURCE_WORDS = ['resource', 'authorization_servers']
const SERVER_WORDS = ['issuer', 'authorization_endpoint', 'token_endpoint']

/** Asks an MCP server, as any client would, who signs people in for it. Throws UpstreamError. */
export async function discoverResource(http: ControlHttp, upstream: URL): Promise<ProtectedResource> {
  const { isChallenged, ...hints } = await askForChallenge(http, upstream)
  for (const url of candidates(hints.resourceMetadata, upstream)) {
    const document = await fetchJson(http, url, { derivedFrom: upstream.hostname }, RESOURCE_WORDS)
    if (document === undefined) continue
    const { resource, authorization_servers: servers, scopes_supported: scopes } = document
    if (typeof resource !== 'string' || !isResourceOf(resource, upstream)) {
      throw distrusted('another_resource', 'its protected resource metadata is about another resource', {
        found: told(resource),
      })
    }
    const issuer = strings(servers)[0]
    if (issuer === undefined)
      throw distrusted('no_server_named', 'its protected resource metadata names no authorization server')
    return {
      resource,
      issuer,
      scope: hints.scope ?? (strings(scopes).join(' ') || undefined),
    }
  }
  if (hints.resourceMetadata !== undefined)
    throw distrusted('no_resource_metadata', 'it names protected resource metadata that is not there')
  return {
    resource: upstream.href,
    issuer: upstream.origin,
    scope: hints.scope,
    isAssumed: true,
    isChallenged,
  }
}

/** The metadata of an issuer. `trust`: whether the operator wrote this issuer down, or an upstream named it. Throws UpstreamError. */
export async function discoverServer(
  http: ControlHttp,
  issuer: string,
  trust: Trust,
  use: ServerUse = 'sign_in',
): Promise<ServerMetadata> {
  const found = await findServer(http, { issuer, trust, use, isAssumed: false })
  if (found === undefined) throw unpublished(issuer)
  return found
}

function unpublished(issuer: string): UpstreamError {
  return distrusted('no_server_metadata', 'its authorization server publishes no metadata', {
    issuer: issuer.slice(0, 200),
  })
}

/** The same for the server that a resource named, or stands for itself: then its endpoints may have to be assumed. */
export async function discoverServerOf(
  http: ControlHttp,
  { issuer, isAssumed = false, isChallenged = false }: ProtectedResource,
  trust: Trust,
  use: ServerUse = 'sign_in',
): Promise<ServerMetadata> {
  const found = await findServer(http, { issuer, trust, use, isAssumed })
  if (found !== undefined) return found
  if (isAssumed && isChallenged) return assumedServer(issuer)
  throw unpublished(issuer)
}

interface Wanted {
  readonly issuer: string
  readonly trust: Trust
  readonly use: ServerUse
  readonly isAssumed: boolean
}

async function findServer(
  http: ControlHttp,
  { issuer, trust, use, isAssumed }: Wanted,
): Promise<ServerMetadata | undefined> {
  if (!isWebAddress(issuer))
    throw distrusted('server_is_no_url', 'its authorization server is no http or https URL')
  for (const url of serverMetadataUrls(new URL(issuer))) {
    const document = await fetchJson(http, url, trust, SERVER_WORDS)
    if (document !== undefined) return checkServerMetadata(document, { issuer, isAssumed }, use)
  }
  return undefined
}

function candidates(advertised: string | undefined, upstream: URL): readonly URL[] {
  const known = resourceMetadataUrls(upstream)
  if (advertised === undefined || !isWebAddress(advertised)) return known
  const first = new URL(advertised)
  return [first, ...known.filter(({ href }) => href !== first.href)]
}

/**
 * Undefined for anything but a JSON object with status 200 and one of the words: then the next address is tried. Also
 * after 401 and 403, which guards and file hosts give for whatever is not there. A server that is unreachable, or has no time, ends the search.
 */
async function fetchJson(
  http: ControlHttp,
  url: URL,
  trust: Trust,
  words: readonly string[],
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const answer = await http({ method: 'GET', url, headers: JSON_ACCEPT, trust })
  if (isPassing(answer.status))
    throw new UpstreamError(
      'unavailable',
      'the upstream cannot say where to sign in at the moment',
      { url: url.origin, status: answer.status },
      5,
    )
  const document = answer.status === 200 ? jsonObject(answer.body) : undefined
  return document !== undefined && words.some((word) => Object.hasOwn(document, word)) ? document : undefined
}
