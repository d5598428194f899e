// What a stored upstream credential is bound to. Pure.
import { createHash } from 'node:crypto'
import type { UpstreamServer } from './server.ts'

/**
 * Whoever edits a route so that its token would go somewhere else, or would come from elsewhere, changes this value;
 * then there is no link, and the old one is never sent (design §6.5, sec-H4). The client secret is left out: rotating
 * it signs nobody out.
 */
export function fingerprint(server: UpstreamServer, resource: string | undefined, upstream: URL): string {
  const parts = [
    server.issuer ?? server.authorizationEndpoint,
    server.tokenEndpoint,
    server.clientId,
    resource ?? '',
    upstream.origin,
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}
