// A token as RFC 6750 §2.1 sends it. Pure.
import type { Credentials } from '../slots.ts'

const SCHEME = 'Bearer '

export function bearer(token: string): Credentials {
  return { headers: { authorization: SCHEME + token } }
}

export function bearerIn({ headers }: Credentials): string | undefined {
  const { authorization } = headers
  return authorization?.startsWith(SCHEME) ? authorization.slice(SCHEME.length) : undefined
}
