// Where an upstream's metadata can be, and what makes it believable. Pure: RFC 9728, RFC 8414, MCP authorization.

/** RFC 9728 §3.1: the path-inserted address first, then the root (spec-D2). Many servers leave out a last slash, which the RFC does only behind the host. */
export function resourceMetadataUrls({ origin, pathname, search }: URL): readonly URL[] {
  const root = '/.well-known/oauth-protected-resource'
  const inserted = [pathname === '/' ? '' : pathname, trimSlash(pathname)].map((path) => root + path + search)
  return [...new Set([...inserted, root])].map((candidate) => new URL(candidate, origin))
}

/** Whether something can be asked there at all: an `urn:` has no origin, and what stands before an `@` is a secret. */
export function isWebAddress(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return /^https?:$/.test(protocol) && username === '' && password === ''
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

/** Reads the Bearer challenges; other schemes may stand before and between them. What is empty says nothing. */
export function parseBearerHints(header: string | undefined): BearerHints {
  const parameters = bearerParameters(header ?? '')
  return {
    resourceMetadata: parameters.get('resource_metadata')?.trim() || undefined,
    scope: parameters.get('scope')?.trim() || undefined,
  }
}

/** A word, with its value where it is a parameter (RFC 9110 §11.2). */
const WORD = /([\s,]*)([^\s,="]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))|(\s+(?=[^\s,])))?/gy

/** Word by word: what looks like a parameter inside a quoted text is none. The first of a name counts. */
function bearerParameters(header: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  let scheme = ''
  for (const [, before = '', word = '', quoted, plain, goesOn] of header.matchAll(WORD)) {
    const name = word.toLowerCase()
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain
    // A scheme begins the header, or follows a comma and goes on; another bare word is a part of a text that should be quoted.
    if (value === undefined) scheme = scheme === '' || (goesOn && before.includes(',')) ? name : scheme
    else if (scheme === 'bearer' && !found.has(name)) found.set(name, value)
  }
  return found
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
