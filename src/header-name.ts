// Names of headers: as Node has them, and when two are one to somebody. Pure.

/**
 * CGI makes variables of headers (RFC 3875 §4.1.18), and so do WSGI, Rack and PHP: `X-User` and `X_User`, and to some
 * `X.User`, are all HTTP_X_USER there, and one of them wins.
 */
export function foldHeaderName(name: string): string {
  return name.toLowerCase().replace(/[^0-9a-z]/g, '-')
}

export function lowerCaseNames(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
