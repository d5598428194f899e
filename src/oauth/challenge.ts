// The WWW-Authenticate challenge of a route (RFC 6750 §3, RFC 9728 §5.1). Pure.
import type { OAuthErrorCode } from '../errors.ts'
import { formatScope } from './scope.ts'

export interface Challenge {
  readonly error?: OAuthErrorCode
  readonly description?: string
  readonly scopes: readonly string[]
  readonly resourceMetadata: string
}

/** One challenge, `Bearer` first, every value quoted, on one line: several clients read it with a regular expression (spec-R3). */
export function bearerChallenge({ error, description, scopes, resourceMetadata }: Challenge): string {
  const fields = {
    error,
    error_description: description,
    scope: scopes.length > 0 ? formatScope(scopes) : undefined,
    resource_metadata: resourceMetadata,
  }
  const written = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${quotable(value)}"`],
  )
  return `Bearer ${written.join(', ')}`
}

// RFC 6750 §3 allows no quote and no backslash in these values; scope and URL never hold one.
function quotable(value: string): string {
  return value.replace(/["\\\r\n]/g, '')
}
