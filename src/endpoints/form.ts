// The one content type that OAuth's form endpoints take (RFC 6749 §4.1.3, RFC 7009 §2.1, RFC 7662 §2.1).
import type { IncomingHttpHeaders } from 'node:http'
import { OAuthError } from '../errors.ts'

export function checkForm(headers: IncomingHttpHeaders): void {
  if (/^application\/x-www-form-urlencoded\s*(;|$)/i.test(headers['content-type'] ?? '')) return
  throw new OAuthError('invalid_request', 'the body must be application/x-www-form-urlencoded')
}
