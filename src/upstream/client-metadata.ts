// The gateway's own client ID metadata documents: what an upstream authorization server reads at the URL that is the
// gateway's client_id there (draft-ietf-oauth-client-id-metadata-document-00). Pure.
import { isLoopbackHost } from '../loopback.ts'
import { KEY_SET_PATH } from '../oauth/own-address.ts'
import type { UpstreamAuthMethod } from './server.ts'

export interface OwnClient {
  /** Its client_id: the address of the document. */
  readonly documentUrl: string
  readonly clientName: string
  readonly redirectUri: string
  readonly grantTypes: readonly string[]
  readonly authMethod: UpstreamAuthMethod
}

export function clientMetadata(client: OwnClient): Readonly<Record<string, unknown>> {
  const { origin } = new URL(client.documentUrl)
  return {
    client_id: client.documentUrl,
    client_name: client.clientName,
    client_uri: origin,
    redirect_uris: [client.redirectUri],
    application_type: 'web',
    grant_types: client.grantTypes,
    response_types: client.grantTypes.includes('authorization_code') ? ['code'] : [],
    token_endpoint_auth_method: client.authMethod,
    ...(client.authMethod === 'private_key_jwt' && {
      token_endpoint_auth_signing_alg: 'ES256',
      jwks_uri: origin + KEY_SET_PATH,
    }),
  }
}

/** Whether a server can be expected to fetch what this gateway publishes: over https (§3), and loopback only from there. */
export function canFetchFrom(ownUrl: string, server: string): boolean {
  const { protocol, hostname } = new URL(ownUrl)
  return protocol === 'https:' && (!isLoopbackHost(hostname) || isLoopbackHost(new URL(server).hostname))
}
