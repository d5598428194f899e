// What the configuration says of a route's authorization server, as the sign-in needs it: where it is, or where to look,
// and what only the configuration knows.
import type { AuthorizationCodeAuth } from '../config/types.ts'
import { SIGN_IN_GRANTS } from '../oauth/grant-types.ts'
import { parseScope, union } from '../oauth/scope.ts'
import type { AccountQuestion } from '../upstream/account.ts'
import { chooseAuthMethod } from '../upstream/register.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import { type ClientKey, clientKey } from './client-key.ts'
import type { AuthContext, ConfiguredServer } from './context.ts'
import type { DiscoveryInput } from './destination.ts'
import type { OwnClientInput } from './own-client.ts'
import { discoveredSource, fixedSource, type ServerSource } from './server-source.ts'

export interface Reach {
  readonly account: AccountQuestion | undefined
  readonly relinkParameters: Readonly<Record<string, string>>
}

/** What only the configuration knows of an authorization server. */
export function reachOf(entry: ConfiguredServer['entry']): Reach {
  const { account_endpoint: endpoint, account_claim: claim } = entry ?? {}
  return {
    account: endpoint === undefined ? undefined : { endpoint, claim },
    relinkParameters: entry?.relink_parameters ?? {},
  }
}

/** What says of an auth type where its tokens come from. */
export type SourceAuth = Pick<AuthorizationCodeAuth, 'authorization_server' | 'scope' | 'resource'>

/** Endpoints in the configuration are taken as they are; anything less is completed by discovery. */
export function sourceOf(
  auth: SourceAuth,
  context: AuthContext,
  grantTypes: readonly string[] = SIGN_IN_GRANTS,
): ServerSource {
  const configured = context.server(auth.authorization_server)
  const { entry, redirectUri } = configured
  const key = clientKey(entry ?? {}, context.deps)
  const fixed = entry && fixedServer(entry, redirectUri, key)
  if (fixed !== undefined) {
    const resource = auth.resource === 'none' ? undefined : (auth.resource ?? context.upstream.href)
    return fixedSource({ server: fixed, resource, scopes: parseScope(auth.scope) })
  }
  const { upstream, clientName, scopes, deps } = context
  const furtherScopes = grantTypes === SIGN_IN_GRANTS ? union(scopes.required, scopes.optional) : []
  const lookedUp = { auth, configured, upstream, clientName, grantTypes, key, furtherScopes }
  return discoveredSource(discoveryInput(lookedUp), deps)
}

interface LookedUp extends Pick<AuthContext, 'upstream' | 'clientName'> {
  readonly auth: Pick<SourceAuth, 'scope' | 'resource'>
  readonly configured: ConfiguredServer
  readonly grantTypes: readonly string[]
  readonly key: ClientKey | undefined
  readonly furtherScopes?: readonly string[]
}

/** What is known before anybody is asked. */
export function discoveryInput(lookedUp: LookedUp): DiscoveryInput {
  const { auth, configured, upstream, clientName, grantTypes, key, furtherScopes = [] } = lookedUp
  const { entry, redirectUri } = configured
  return {
    upstream,
    issuer: entry?.issuer,
    client:
      entry?.client_id === undefined
        ? undefined
        : {
            id: entry.client_id,
            secret: entry.client_secret,
            hasKey: entry.private_key !== undefined,
            authMethod: entry.token_endpoint_auth_method,
          },
    ownClient: { ...ownClientOf(configured, clientName), grantTypes },
    key,
    endpointHosts: entry?.endpoint_hosts ?? [],
    scope: auth.scope,
    furtherScopes,
    resource: auth.resource === 'none' ? null : auth.resource,
    authorizationParameters: entry?.authorization_parameters ?? {},
    tokenObject: entry?.token_object,
    revocationEndpoint: entry?.revocation_endpoint,
    redirectUri,
  }
}

function ownClientOf(
  { entry, redirectUri, documentUrl }: ConfiguredServer,
  clientName: string,
): Omit<OwnClientInput, 'grantTypes'> {
  return {
    ways: entry?.registration ?? ['cimd', 'dynamic'],
    documentUrl,
    hostedDocumentUrl: entry?.client_id_metadata_url,
    authMethod: entry?.token_endpoint_auth_method,
    clientName,
    redirectUri,
  }
}

/** `key`: undefined where no assertion will be signed. */
export function fixedServer(
  entry: NonNullable<ConfiguredServer['entry']>,
  redirectUri: string,
  key: ClientKey | undefined,
): UpstreamServer | undefined {
  const {
    authorization_endpoint: authorizationEndpoint,
    token_endpoint: tokenEndpoint,
    client_id: clientId,
    client_secret: clientSecret,
  } = entry
  if (authorizationEndpoint === undefined || tokenEndpoint === undefined || clientId === undefined)
    return undefined
  return {
    issuer: entry.issuer,
    issParameterSupported: false,
    authorizationEndpoint,
    tokenEndpoint,
    trust: 'configured',
    clientId,
    clientSecret,
    authMethod:
      entry.token_endpoint_auth_method ??
      chooseAuthMethod(undefined, {
        secret: clientSecret !== undefined,
        key: entry.private_key !== undefined,
      }),
    // The operator wrote this address, so it stands for the server; many take nothing else (OpenID Connect Core §9).
    assertion: key && { audience: tokenEndpoint, key },
    authorizationParameters: entry.authorization_parameters,
    tokenObject: entry.token_object,
    revocation:
      entry.revocation_endpoint === undefined
        ? undefined
        : { endpoint: entry.revocation_endpoint, trust: 'configured' },
    redirectUri,
  }
}

/** Nobody is sent to an authorization endpoint, so the one that has to be named may be any. */
export function withoutBrowser(configured: ConfiguredServer): ConfiguredServer {
  const { entry } = configured
  const endpoint = entry?.authorization_endpoint ?? entry?.token_endpoint
  return entry === undefined || endpoint === undefined
    ? configured
    : { ...configured, entry: { ...entry, authorization_endpoint: endpoint } }
}
