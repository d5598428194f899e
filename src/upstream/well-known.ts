// Where an upstream's metadata can be, and what makes it believable. Pure: RFC 9728, RFC 8414, MCP authorization.

/** RFC 9728 §3.1: the path-inserted address first, then the root (spec-D2). */
export function resourceMetadataUrls(resource: URL): readonly URL[] {
  const root = new URL('/.well-known/oauth-protected-resource', resource.origin)
  const path = trimSlash(resource.pathname)
  return path === '' ? [root] : [new URL(`${root.pathname}${path}${resource.search}`, root), root]
}

/** RFC 8414 §3.1 and OpenID Connect Discovery, in the order MCP demands (spec-D7). */
export function serverMetadataUrls(issuer: URL): readonly URL[] {
  const path = trimSlash(issuer.pathname)
  const inserted = ['oauth-authorization-server', 'openid-configuration'].map(
    (name) => `/.well-known/${name}${path}`,
  )
  const appended = path === '' ? [] : [`${path}/.well-known/openid-configuration`]
  return [...inserted, ...appended].map((candidate) => new URL(candidate, issuer.origin))
}

/** What a 401 of an MCP server says about where to sign in (RFC 6750 §3, RFC 9728 §5.1). */
export interface BearerHints {
  readonly resourceMetadata: string | undefined
  readonly scope: string | undefined
}

/** Reads the first Bearer challenge; other schemes may stand before it. */
export function parseBearerHints(header: string | undefined): BearerHints {
  const bearer = /(?:^|,)\s*Bearer\s+(.*)$/is.exec(header ?? '')?.[1] ?? ''
  return {
    resourceMetadata: challengeParameter(bearer, 'resource_metadata'),
    scope: challengeParameter(bearer, 'scope'),
  }
}

function challengeParameter(text: string, name: string): string | undefined {
  const match = new RegExp(`(?:^|[\\s,])${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]+))`, 'i').exec(
    text,
  )
  return match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2]
}

/**
 * Whether protected resource metadata is about the server we asked: the same URL, one trailing slash apart, or an
 * ancestor of it by whole path segments on the same origin (RFC 9728 §3.3; a foreign `resource` would let one server
 * hand out tokens for another).
 */
export function isResourceOf(resource: string, upstream: URL): boolean {
  if (!URL.canParse(resource)) return false
  const named = new URL(resource)
  if (named.origin !== upstream.origin || named.hash !== '' || named.username !== '' || named.password !== '')
    return false
  if (named.search !== '' && named.search !== upstream.search) return false
  const ancestor = trimSlash(named.pathname)
  const path = trimSlash(upstream.pathname)
  return path === ancestor || path.startsWith(`${ancestor}/`)
}

function trimSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}
