// Which redirect URIs a client may register, and which of them a request may use. Pure.
import { OAuthError } from '../errors.ts'

/** A redirect URI that was compared with what the client registered. Only `checkRedirectUri` makes one, and nothing is redirected anywhere else. */
export type VerifiedRedirect = string & { readonly brand: 'VerifiedRedirect' }

const MAX_LENGTH = 2048

/** No private-use schemes (RFC 8252 §7.1), whatever the configuration allows: a browser runs, reads or sends these itself. */
export const BROWSER_SCHEMES: ReadonlySet<string> = new Set(
  'http https ws wss ftp file filesystem data blob about javascript vbscript view-source mailto'.split(' '),
)

/** The literals of RFC 8252 §7.3; any other name could be pointed elsewhere. */
const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Checks one URI at registration: https, http on loopback, or a private-use scheme on the allow-list (spec-A4).
 * Anything a URL parser would rewrite (case, control characters, dots, backslashes, empty userinfo) is refused, so
 * that the registered string means the same to us, to the browser and to the client.
 */
export function checkRegistrable(uri: unknown, privateSchemes: readonly string[]): string {
  if (typeof uri !== 'string' || uri.length > MAX_LENGTH)
    throw refused('is not a string of reasonable length')
  if (!URL.canParse(uri)) throw refused('is not an absolute URI')
  const url = new URL(uri)
  if (url.hash !== '' || uri.includes('#')) throw refused('has a fragment (RFC 6749 §3.1.2)')
  if (url.username !== '' || url.password !== '' || uri.includes('@')) throw refused('has user information')
  if (uri.includes('*')) throw refused('has a wildcard')
  const scheme = url.protocol.slice(0, -1)
  const isPrivate = privateSchemes.includes(scheme) && !BROWSER_SCHEMES.has(scheme)
  if (scheme !== 'https' && !(scheme === 'http' && LOOPBACK_HOSTS.has(url.hostname)) && !isPrivate) {
    throw refused('is neither https, nor http on loopback, nor a scheme this gateway allows')
  }
  if (url.href !== uri && url.href !== `${uri}/`) throw refused('is not in its canonical form')
  return uri
}

/** Exact string match; only the port of an http loopback URI floats (RFC 8252 §7.3, RFC 9700 §2.1: a prefix rule lets an open redirect on the client's site steal codes). */
export function checkRedirectUri(
  registered: readonly string[],
  requested: string | undefined,
): VerifiedRedirect {
  if (requested === undefined) {
    const [only, ...others] = registered
    if (only !== undefined && others.length === 0) return only as VerifiedRedirect
    throw new OAuthError('invalid_request', 'parameter "redirect_uri" is missing')
  }
  if (registered.includes(requested)) return requested as VerifiedRedirect
  const portless = loopbackWithoutPort(requested)
  if (portless !== undefined && registered.some((uri) => loopbackWithoutPort(uri) === portless)) {
    return requested as VerifiedRedirect
  }
  throw new OAuthError('invalid_request', 'redirect_uri is not one that this client registered')
}

// The URI's own text with the port cut out, or undefined when it isn't http on loopback. Works on the text, not on a
// parsed and rebuilt URL, so that no two different strings become equal by normalisation.
function loopbackWithoutPort(uri: string): string | undefined {
  const match = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(?::([1-9]\d{0,4}))?((?:[/?][\x21-\x7e]*)?)$/.exec(
    uri,
  )
  if (match === null || Number(match[2] ?? 80) > 65535 || uri.includes('#')) return undefined
  if (!URL.canParse(uri) || ![uri, `${uri}/`].includes(hrefKeepingDefaultPort(uri, match[2])))
    return undefined
  return `http://${match[1]}${match[3]}`
}

// `new URL` drops ":80"; a client that listens on 80 still sent it.
function hrefKeepingDefaultPort(uri: string, port: string | undefined): string {
  const { href, host } = new URL(uri)
  return port === '80' ? href.replace(`//${host}`, `//${host}:80`) : href
}

function refused(why: string): OAuthError {
  return new OAuthError('invalid_redirect_uri', `a redirect_uri ${why}`)
}

/** The redirect back to the client. Parameters that the client's own URI already carries under our names are replaced, so that exactly one `code`, `state` and `iss` arrive (sec-A7). */
export function redirectLocation(
  redirect: VerifiedRedirect,
  parameters: Readonly<Record<string, string | undefined>>,
): string {
  const [base = '', query = ''] = split(redirect)
  // The rest of its query is retained byte for byte (RFC 6749 §3.1.2): to parse and rebuild it would re-encode it.
  const own = query.split('&').filter((pair) => pair !== '' && !Object.hasOwn(parameters, nameOf(pair)))
  const ours = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) ours.append(name, value)
  return `${base}?${[...own, ours].join('&')}`
}

function nameOf(pair: string): string {
  const [name = ''] = new URLSearchParams(pair).keys()
  return name
}

function split(uri: string): [string, string] {
  const at = uri.indexOf('?')
  return at === -1 ? [uri, ''] : [uri.slice(0, at), uri.slice(at + 1)]
}
