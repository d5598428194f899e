// Cross-origin access for clients that run in a browser (spec-R7). Pure. Pages for people never get any of this: a
// script of another site must not drive a consent (sec-A9). No credentials anywhere: nothing here works by cookie.
import { isAllowedOrigin, type SiteRules } from './origin.ts'

type Headers = Readonly<Record<string, string>>

/** What a client in a browser may read of an answer. */
const EXPOSED = 'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After'
const MAX_AGE_SECONDS = '600'
const HEADER_NAMES = /^[A-Za-z0-9-]+(?:\s*,\s*[A-Za-z0-9-]+)*$/

/** Metadata, registration and the token endpoints: whoever calls proves by code, token or secret who they are, so any origin may. */
export const PUBLIC_CORS: Headers = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': EXPOSED,
}

/** A route: only the origins that may call it at all (spec-R6). */
export function routeCors(rules: SiteRules, origin: string | undefined): Headers {
  if (origin === undefined || !isAllowedOrigin(rules, origin)) return {}
  return { 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED, vary: 'Origin' }
}

/** The answer to a preflight, which carries no token by design. Header names are reflected: MCP lets servers name their own (`Mcp-Param-*`). */
export function preflightHeaders(
  cors: Headers,
  methods: readonly string[],
  requested: string | undefined,
): Headers {
  if (cors['access-control-allow-origin'] === undefined) return {}
  const names =
    requested !== undefined && HEADER_NAMES.test(requested) ? requested : 'Authorization, Content-Type'
  return {
    ...cors,
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': names,
    'access-control-max-age': MAX_AGE_SECONDS,
  }
}
