// One look at an upstream and at the authorization server that it names: who that is, whether to believe it, and as whom
// the gateway appears there.
import { discoverResource, discoverServer, discoverServerOf } from '../upstream/discovery.ts'
import type { AuthDeps } from './context.ts'
import { type DiscoveryInput, derivedTrust, type Facts, scopesToAsk } from './destination.ts'
import { checkEndpointHosts } from './endpoint-hosts.ts'
import { ownClientFor } from './issuer-callback.ts'
import { ownClientAt, signsIn } from './own-client.ts'
import type { Registrations } from './registrations.ts'
import { checkStillPublished } from './still-published.ts'

export type RegistrationsAt = (redirectUri: string) => Registrations

interface Lookup {
  readonly input: DiscoveryInput
  /** What is remembered, if anything is. */
  readonly known: Facts | undefined
  readonly registrationsAt: RegistrationsAt
  readonly deps: AuthDeps
  /** Before anything is written down about it. Throws UpstreamError. */
  readonly checkNamed: (issuer: string) => void
}

/** Throws UpstreamError. */
export async function lookUp({ input, known, registrationsAt, deps, checkNamed }: Lookup): Promise<Facts> {
  const { http } = deps
  const use = signsIn(input.ownClient) ? 'sign_in' : 'service'
  const resource = await discoverResource(http, input.upstream)
  const metadata =
    input.issuer === undefined
      ? await discoverServerOf(http, resource, derivedTrust(input, resource.issuer), use)
      : await discoverServer(http, input.issuer, 'configured', use)
  checkStillPublished(known, { resource, metadata }, input, deps)
  checkNamed(metadata.issuer)
  await checkEndpointHosts(metadata, input.endpointHosts, deps)
  if (input.client !== undefined) return { resource, metadata, registration: undefined }
  const scope = scopesToAsk(input, resource, metadata).join(' ') || undefined
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
    scope,
    registrations: registrationsAt(redirectUri),
    deps,
  })
  return { resource, metadata, registration, redirectUri }
}
