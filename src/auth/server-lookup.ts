// One look at an upstream and at the authorization server that it names: who that is, whether to believe it, and as whom
// the gateway appears there.
import { union } from '../oauth/scope.ts'
import { discoverResource, discoverServer, discoverServerOf } from '../upstream/discovery.ts'
import { checkNotOwn } from '../upstream/server-metadata.ts'
import type { AuthDeps } from './context.ts'
import {
  type DiscoveryInput,
  derivedTrust,
  type Facts,
  scopesToAsk,
  scopesToRegisterFor,
} from './destination.ts'
import { checkEndpointHosts } from './endpoint-hosts.ts'
import { ownClientFor } from './issuer-callback.ts'
import { ownClientAt, signsIn } from './own-client.ts'
import type { Needed, Registrations } from './registrations.ts'
import { checkStillPublished } from './still-published.ts'

export type RegistrationsAt = (redirectUri: string) => Registrations

/** What the server has said of the client since the last look. */
export interface ClientNews {
  /** It knows it no more. */
  readonly isDisowned?: boolean
  /** It keeps the client to less than these scopes; `takes` asks the same of another client. */
  readonly narrow?: { readonly scopes: readonly string[]; readonly takes: Needed['takes'] }
}

interface Lookup {
  readonly input: DiscoveryInput
  /** What is remembered, if anything is. */
  readonly known: Facts | undefined
  readonly registrationsAt: RegistrationsAt
  readonly deps: AuthDeps
  readonly client: ClientNews
  /** Before anything is written down about it. Throws UpstreamError. */
  readonly checkNamed: (issuer: string) => void
}

/** Throws UpstreamError. */
export async function lookUp(lookup: Lookup): Promise<Facts> {
  const { input, known, client, registrationsAt, deps, checkNamed } = lookup
  const { http } = deps
  const use = signsIn(input.ownClient) ? 'sign_in' : 'service'
  const { documentUrl: own } = input.ownClient
  const resource = await discoverResource(http, input.upstream)
  checkNotOwn({ issuer: input.issuer ?? resource.issuer }, own)
  const metadata =
    input.issuer === undefined
      ? await discoverServerOf(http, resource, derivedTrust(input, resource.issuer), use)
      : await discoverServer(http, input.issuer, 'configured', use)
  checkNotOwn(metadata, own)
  checkStillPublished(known, { resource, metadata }, input, deps)
  checkNamed(metadata.issuer)
  await checkEndpointHosts(metadata, input.endpointHosts, deps)
  if (input.client !== undefined) return { resource, metadata, registration: undefined }
  const { isDisowned = false, narrow } = client
  const trust = derivedTrust(input, metadata.issuer)
  const named = {
    issuer: metadata.issuer,
    isConfigured: input.issuer !== undefined,
    before: known?.metadata.issuer,
  }
  const ownClient = await ownClientFor(named, input.ownClient, deps)
  const { redirectUri } = ownClient
  const registration = await ownClientAt({
    input: ownClient,
    metadata,
    trust,
    lastClientId: isDisowned ? undefined : clientAt(metadata.issuer, known),
    scopes: union(scopesToRegisterFor(input, resource, metadata), narrow?.scopes ?? []),
    least: union(scopesToAsk(input, resource, metadata), narrow?.scopes ?? []),
    takes: narrow?.takes,
    registrations: registrationsAt(redirectUri),
    deps,
  })
  return { resource, metadata, registration, redirectUri }
}

const clientAt = (issuer: string, known: Facts | undefined) =>
  known?.metadata.issuer === issuer ? known.registration?.clientId : undefined
