// What Chromium adds to a navigation (Fetch Metadata, Origin, Referer) and what a page's policies forbid.
export interface Initiator {
  url: URL
  /** The page's own Referrer-Policy. */
  referrerPolicy: string
}
export interface Hop {
  method: string
  /** Every URL of this navigation so far, the one about to be requested last. */
  urls: [URL, ...URL[]]
  /** Absent when the person typed the URL or came from another program. */
  initiator: Initiator | undefined
}

const currentUrl = ({ urls }: Hop): URL => urls[urls.length - 1] ?? urls[0]

export function navigationHeaders(hop: Hop): Record<string, string> {
  const headers: Record<string, string> = {
    accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'accept-language': 'en-GB,en;q=0.9',
    'upgrade-insecure-requests': '1',
    'user-agent':
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  }
  if (trustworthy(currentUrl(hop))) {
    headers['sec-fetch-site'] = fetchSite(hop)
    headers['sec-fetch-mode'] = 'navigate'
    headers['sec-fetch-dest'] = 'document'
    headers['sec-fetch-user'] = '?1'
  }
  const referer = referrer(hop)
  if (referer) headers.referer = referer
  if (hop.method !== 'GET') headers.origin = origin(hop)
  return headers
}

// Fetch Metadata §2.3: the worst relation of any URL in the redirect chain to the initiator.
function fetchSite({ urls, initiator }: Hop): string {
  if (!initiator) return 'none'
  if (urls.every((url) => url.origin === initiator.url.origin)) return 'same-origin'
  return urls.every((url) => sameSite(url, initiator.url)) ? 'same-site' : 'cross-site'
}

export const crossSite = ({ urls, initiator }: Hop): boolean =>
  initiator !== undefined && !sameSite(currentUrl({ urls, initiator, method: '' }), initiator.url)

// Sites ignore ports. Registrable domains are not known here; the tests' hosts are their own sites.
const sameSite = (a: URL, b: URL) => a.protocol === b.protocol && a.hostname === b.hostname

const trustworthy = ({ protocol, hostname }: URL) =>
  protocol === 'https:' || hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'

function referrer(hop: Hop): string | undefined {
  const { initiator } = hop
  if (!initiator) return undefined
  const target = currentUrl(hop)
  const same = target.origin === initiator.url.origin
  const policy = initiator.referrerPolicy || 'strict-origin-when-cross-origin'
  const full = `${initiator.url.origin}${initiator.url.pathname}${initiator.url.search}`
  const downgrade = initiator.url.protocol === 'https:' && target.protocol !== 'https:'
  const table: Record<string, string | undefined> = {
    'no-referrer': undefined,
    'same-origin': same ? full : undefined,
    origin: `${initiator.url.origin}/`,
    'unsafe-url': full,
    'strict-origin': downgrade ? undefined : `${initiator.url.origin}/`,
    'strict-origin-when-cross-origin': same ? full : downgrade ? undefined : `${initiator.url.origin}/`,
  }
  return table[policy]
}

// Fetch §3.2 "append a request Origin header", for a method that is neither GET nor HEAD.
function origin(hop: Hop): string {
  const { initiator, urls } = hop
  if (!initiator) return 'null'
  const target = currentUrl(hop)
  const tainted = urls.some((url, index) => {
    const before = urls[index - 1]
    return before !== undefined && url.origin !== before.origin && before.origin !== initiator.url.origin
  })
  if (tainted || initiator.referrerPolicy === 'no-referrer') return 'null'
  if (initiator.referrerPolicy === 'same-origin' && target.origin !== initiator.url.origin) return 'null'
  if (initiator.url.protocol === 'https:' && target.protocol !== 'https:') return 'null'
  return initiator.url.origin
}

/**
 * Whether the Content-Security-Policy of a page lets its form end up at `target`. Chromium asks this of every
 * redirect after the submission too: `form-action 'self'` kills a redirect to a client.
 */
export function formActionAllows(policies: string[], page: URL, target: URL): boolean {
  return policies.every((policy) => {
    const directive = policy
      .split(';')
      .map((part) => part.trim().split(/\s+/))
      .find(([name]) => name?.toLowerCase() === 'form-action')
    return !directive || directive.slice(1).some((source) => sourceMatches(source, page, target))
  })
}

function sourceMatches(source: string, page: URL, target: URL): boolean {
  if (source === "'self'") return target.origin === page.origin
  if (source === '*') return /^https?:$/.test(target.protocol)
  if (/^[a-z][a-z0-9+.-]*:$/i.test(source)) return target.protocol === source.toLowerCase()
  const parts = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(\*\.)?([^:/*]+|\*)(?::(\d+|\*))?(\/.*)?$/i.exec(source)
  if (!parts) return false
  const [, scheme, wildcard, host = '', port, path] = parts
  if (`${scheme ?? page.protocol.slice(0, -1)}:` !== target.protocol) return false
  const hostFits = wildcard ? target.hostname.endsWith(`.${host}`) : host === '*' || target.hostname === host
  const portFits = port === '*' || target.port === (port ?? '')
  return hostFits && portFits && (path === undefined || target.pathname.startsWith(path))
}
