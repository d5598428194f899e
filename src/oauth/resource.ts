// RFC 8707 resource indicators: which route a `resource` names. Pure.
import { OAuthError } from '../errors.ts'

/**
 * The form in which resources are compared: scheme and host in lower case (the URL parser's doing) and without one
 * trailing slash, because clients send `new URL(…).href`. Undefined: not an absolute http(s) URI without a fragment.
 */
export function canonicalResource(resource: string): string | undefined {
  if (!URL.canParse(resource) || resource.includes('#')) return undefined
  const url = new URL(resource)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined
  if (url.username !== '' || url.password !== '') return undefined
  return url.href.endsWith('/') && url.search === '' ? url.href.slice(0, -1) : url.href
}

export function sameResource(a: string, b: string): boolean {
  const canonical = canonicalResource(a)
  return canonical !== undefined && canonical === canonicalResource(b)
}

/** At the token endpoint: absent is fine, another one than approved is not (RFC 8707 §2.2). */
export function checkSameResource(approved: string, requested: string | undefined, issuer: string): void {
  if (requested === undefined || sameResource(requested, approved) || sameResource(requested, issuer)) return
  throw new OAuthError('invalid_target', 'resource is not the one that this grant is for')
}
