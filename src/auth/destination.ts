// What a sign-in at an upstream's authorization server needs to know, from what the configuration says and what the upstream
// said of itself. Pure.

import { parseScope, union } from '../oauth/scope.ts'
import type { ProtectedResource } from '../upstream/discovery.ts'
import type { Trust } from '../upstream/http.ts'
import { chooseAuthMethod, type UpstreamRegistration } from '../upstream/register.ts'
import type { UpstreamServer } from '../upstream/server.ts'
import type { ServerMetadata } from '../upstream/server-metadata.ts'
import type { ClientKey } from './client-key.ts'
import { type OwnClientInput, signsIn } from './own-client.ts'

/** Everything a sign-in at the upstream needs to know. */
export interface Destination {
  readonly server: UpstreamServer
  /** RFC 8707 `resource`; undefined: none is sent. */
  readonly resource: string | undefined
  readonly scopes: readonly string[]
}

/** What the configuration says; everything undefined here is discovered. */
export interface DiscoveryInput {
  readonly upstream: URL
  readonly issuer: string | undefined
  readonly client:
    | {
        readonly id: string
        readonly secret: string | undefined
        /** A key of its own, which no other client has. */
        readonly hasKey: boolean
        readonly authMethod: UpstreamServer['authMethod'] | undefined
      }
    | undefined
  /** What the gateway is known by where no client is configured. */
  readonly ownClient: OwnClientInput
  /** For `private_key_jwt`; undefined where no assertion will be signed. */
  readonly key: ClientKey | undefined
  /** Hosts that the endpoints may move to. */
  readonly endpointHosts: readonly string[]
  readonly scope: string | undefined
  /** Scopes that clients may come to need beside it. */
  readonly furtherScopes: readonly string[]
  /** Undefined: as discovered; null: none is sent. */
  readonly resource: string | null | undefined
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly tokenObject: string | undefined
  /** The configuration's; undefined: as discovered. */
  readonly revocationEndpoint: string | undefined
  readonly redirectUri: string
}

/** What an upstream said. The configuration's own words are laid over it when it is read, so an edit of them takes effect at once. */
export interface Facts {
  readonly resource: ProtectedResource
  readonly metadata: ServerMetadata
  /** Undefined when the client is configured. */
  readonly registration: UpstreamRegistration | undefined
  /** Where that client's answers come in; absent: at the configured one's. */
  readonly redirectUri?: string
}

/** What was learnt for one of these is not what another would have learnt. */
export function identityOf({
  upstream,
  issuer,
  client,
  redirectUri,
  ownClient,
}: DiscoveryInput): readonly unknown[] {
  const { ways, hostedDocumentUrl, grantTypes } = ownClient
  // A server that is good enough for a service may not be one to send people to.
  const grants = signsIn(ownClient) ? [] : [grantTypes]
  const usual = [upstream.href, issuer, client?.id, redirectUri, ...grants]
  const isUsual = ways.join(' ') === 'cimd dynamic' && hostedDocumentUrl === undefined
  return client !== undefined || isUsual ? usual : [...usual, ways, hostedDocumentUrl]
}

/** What follows from a configured URL may be public, or private on that URL's own host (design §8). */
export function derivedTrust({ upstream, issuer: configured }: DiscoveryInput, issuer: string): Trust {
  return { derivedFrom: configured === undefined ? upstream.hostname : new URL(issuer).hostname }
}

/** The configuration's, else what the server asks for, never its whole list; `offline_access` only where it is offered, since without it some give no refresh token (spec-U6), and a service only where it is written: it has nothing to refresh. */
export function scopesToAsk(
  { scope, ownClient }: DiscoveryInput,
  resource: ProtectedResource,
  { scopesSupported }: ServerMetadata,
): readonly string[] {
  const scopes = parseScope(scope ?? resource.scope)
  if (!signsIn(ownClient))
    return scope === undefined ? scopes.filter((one) => one !== 'offline_access') : scopes
  return scopes.length > 0 && scopesSupported.includes('offline_access')
    ? union(scopes, ['offline_access'])
    : scopes
}

/** All that the file can lead to, so that no visitor's wish makes another registration needed. */
export function scopesToRegisterFor(
  input: DiscoveryInput,
  resource: ProtectedResource,
  metadata: ServerMetadata,
): readonly string[] {
  const asked = scopesToAsk(input, resource, metadata)
  // Whoever names no scope gets what the server gives by default, and so must the registration.
  return asked.length > 0 ? union(asked, input.furtherScopes) : []
}

export function destinationOf(
  input: DiscoveryInput,
  { resource, metadata, registration, redirectUri = input.redirectUri }: Facts,
): Destination {
  const { client } = input
  const identity = client === undefined ? registration : configuredIdentity(client, metadata)
  if (identity === undefined) throw new Error('a discovered server without a registration')
  const { key } = input
  return {
    server: {
      issuer: metadata.issuer,
      issParameterSupported: metadata.issParameterSupported,
      authorizationEndpoint: metadata.authorizationEndpoint,
      tokenEndpoint: metadata.tokenEndpoint,
      trust: derivedTrust(input, metadata.issuer),
      ...identity,
      // The issuer, which was compared with what the metadata says of itself (RFC 7523 §3).
      assertion: key && {
        audience: metadata.issuer,
        algorithms: metadata.assertionAlgorithms,
        key: () => key(identity.keyId),
      },
      authorizationParameters: input.authorizationParameters,
      tokenObject: input.tokenObject,
      revocation: revocationOf(input, metadata),
      redirectUri,
    },
    resource: input.resource === null ? undefined : (input.resource ?? resource.resource),
    scopes: scopesToAsk(input, resource, metadata),
  }
}

/** Tokens are sent there, so it is used only where the token endpoint is: that is what a link is bound to (design §6.5). */
function revocationOf(
  input: DiscoveryInput,
  { issuer, tokenEndpoint, revocationEndpoint }: ServerMetadata,
): UpstreamServer['revocation'] {
  const endpoint = input.revocationEndpoint ?? revocationEndpoint
  if (endpoint === undefined || new URL(endpoint).origin !== new URL(tokenEndpoint).origin) return undefined
  return {
    endpoint,
    trust: input.revocationEndpoint === undefined ? derivedTrust(input, issuer) : 'configured',
  }
}

function configuredIdentity(
  { id, secret, hasKey, authMethod }: NonNullable<DiscoveryInput['client']>,
  metadata: ServerMetadata,
): UpstreamRegistration {
  const credential = { secret: secret !== undefined, key: hasKey }
  return {
    clientId: id,
    clientSecret: secret,
    authMethod: authMethod ?? chooseAuthMethod(metadata.authMethods, credential),
  }
}
