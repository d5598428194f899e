// One person's cookies, by the rules of RFC 6265bis, the strictest browser winning where browsers differ.
interface Cookie {
  name: string
  value: string
  host: string
  hostOnly: boolean
  path: string
  secure: boolean
  httpOnly: boolean
  sameSite: 'Strict' | 'Lax' | 'None'
  expiresAt: number
  order: number
}
export interface CookieRequest {
  url: URL
  method: string
  /** The request was caused by a page of another site. */
  crossSite: boolean
}

export class CookieJar {
  #cookies: Cookie[] = []
  #order = 0
  /** Set-Cookie headers that a browser would not have kept, with the reason. */
  readonly refused: string[] = []

  store(url: URL, header: string): void {
    const [pair = '', ...parts] = header.split(';').map((part) => part.trim())
    const equals = pair.indexOf('=')
    const name = equals < 0 ? '' : pair.slice(0, equals)
    const attributes = new Map(parts.map(splitAttribute))
    const reason = refusal(url, name, attributes)
    if (reason) {
      this.refused.push(`${reason}: ${header}`)
      return
    }
    const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase()
    const cookie: Cookie = {
      name,
      value: pair.slice(equals + 1),
      host: domain || url.hostname,
      hostOnly: !domain,
      path: cookiePath(attributes.get('path'), url),
      secure: attributes.has('secure'),
      httpOnly: attributes.has('httponly'),
      sameSite: sameSite(attributes.get('samesite')),
      expiresAt: expiry(attributes),
      order: this.#order++,
    }
    this.#cookies = this.#cookies.filter((kept) => !sameCookie(kept, cookie))
    if (cookie.expiresAt > Date.now()) this.#cookies.push(cookie)
  }

  /** The Cookie header for a request, or undefined. */
  header({ url, method, crossSite }: CookieRequest): string | undefined {
    const sent = this.#for(url).filter((cookie) => {
      if (!crossSite || cookie.sameSite === 'None') return true
      // Top-level navigations only, which is all this browser does.
      return cookie.sameSite === 'Lax' && (method === 'GET' || method === 'HEAD')
    })
    if (sent.length === 0) return undefined
    return sent.map(({ name, value }) => (name === '' ? value : `${name}=${value}`)).join('; ')
  }

  /** What is kept for a URL: for assertions. */
  at(url: string | URL): readonly Readonly<Cookie>[] {
    return this.#for(new URL(url))
  }

  clear(): void {
    this.#cookies = []
  }

  #for(url: URL): Cookie[] {
    // Cookies do not know ports (RFC 6265 §8.5).
    return this.#cookies
      .filter((cookie) => cookie.expiresAt > Date.now())
      .filter(({ host, hostOnly }) => (hostOnly ? url.hostname === host : domainMatches(url.hostname, host)))
      .filter(({ path }) => pathMatches(url.pathname, path))
      .filter(({ secure }) => !secure || url.protocol === 'https:')
      .sort((a, b) => b.path.length - a.path.length || a.order - b.order)
  }
}

function splitAttribute(part: string): [string, string] {
  const equals = part.indexOf('=')
  if (equals < 0) return [part.toLowerCase(), '']
  return [part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim()]
}

function refusal(url: URL, name: string, attributes: Map<string, string>): string | undefined {
  const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase()
  const https = url.protocol === 'https:'
  // Chromium and Firefox make an exception for http://localhost; Safari does not.
  if (attributes.has('secure') && !https) return 'Secure over http'
  if (attributes.get('samesite')?.toLowerCase() === 'none' && !attributes.has('secure')) {
    return 'SameSite=None without Secure'
  }
  if (/^__secure-/i.test(name) && !attributes.has('secure')) return '__Secure- without Secure'
  if (/^__host-/i.test(name)) {
    if (!attributes.has('secure')) return '__Host- without Secure'
    if (domain) return '__Host- with Domain'
    if (attributes.get('path') !== '/') return '__Host- without Path=/'
  }
  if (domain && !domainMatches(url.hostname, domain)) return 'foreign Domain'
  // A public suffix, as far as this knows any: `com` or `localhost`.
  if (domain && !domain.includes('.') && domain !== url.hostname) return 'Domain is a public suffix'
  return undefined
}

const isAddress = (host: string) => /^[\d.]+$/.test(host) || host.startsWith('[')

const domainMatches = (host: string, domain: string) =>
  host === domain || (host.endsWith(`.${domain}`) && !isAddress(host))

const pathMatches = (path: string, cookie: string) =>
  path === cookie || (path.startsWith(cookie) && (cookie.endsWith('/') || path[cookie.length] === '/'))

function cookiePath(attribute: string | undefined, url: URL): string {
  if (attribute?.startsWith('/')) return attribute
  return url.pathname.slice(0, url.pathname.lastIndexOf('/')) || '/'
}

function sameSite(value = ''): Cookie['sameSite'] {
  if (/^strict$/i.test(value)) return 'Strict'
  return /^none$/i.test(value) ? 'None' : 'Lax' // Chromium's default when the attribute is absent
}

function expiry(attributes: Map<string, string>): number {
  const maxAge = attributes.get('max-age')
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return Date.now() + Number(maxAge) * 1000
  const expires = Date.parse(attributes.get('expires') ?? '')
  return Number.isNaN(expires) ? Number.POSITIVE_INFINITY : expires
}

const sameCookie = (a: Cookie, b: Cookie) =>
  a.name === b.name && a.host === b.host && a.hostOnly === b.hostOnly && a.path === b.path
