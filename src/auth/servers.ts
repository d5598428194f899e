// Which authorization server a route means, and where its answers come back. Pure.
import type { AuthorizationServerConfig } from '../config/types.ts'
import type { ConfiguredServer } from './context.ts'

const CALLBACK = '/upstream/callback'
const CLIENT_DOCUMENT_PATH = '/.well-known/oauth-client/'

/** A named server has its name in the callback path; one written inline, or left to discovery, has the route's (design §4). */
export function upstreamServers(named: Readonly<Record<string, AuthorizationServerConfig>>, issuer: string) {
  return (route: string, reference: string | AuthorizationServerConfig | undefined): ConfiguredServer => {
    const id = typeof reference === 'string' ? reference : route
    const entry = typeof reference === 'string' ? named[reference] : reference
    return {
      entry,
      redirectUri: issuer + (entry?.callback ?? `${CALLBACK}/${id}`),
      documentUrl: issuer + CLIENT_DOCUMENT_PATH + id,
    }
  }
}
