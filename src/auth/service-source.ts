// The authorization server of the auth types that send nobody's browser there: as for a sign-in, but a token endpoint and
// a client are enough, and `offline_access` is asked for only where it is written.
import { UpstreamError } from '../errors.ts'
import { hashToken } from '../oauth/tokens.ts'
import { fingerprint } from '../upstream/fingerprint.ts'
import { SERVICE_GRANTS, type ServiceGrant } from '../upstream/service-tokens.ts'
import { type SourceAuth, sourceOf, withoutBrowser } from './configured-server.ts'
import type { AuthContext } from './context.ts'
import type { Destination } from './destination.ts'
import { isForgotten } from './forgotten.ts'
import { lookedUp } from './looked-up.ts'
import type { ClientDocumentSource } from './server-source.ts'

export interface ServiceSource {
  /** Throws UpstreamError while nothing is known and the upstream cannot be asked. */
  destination(): Promise<Destination>
  /** What a token obtained there is bound to, besides whose it is. */
  fingerprint(destination: Destination): string
  /** Runs a token request there, once more as another client where the server has forgotten this one. When it fails, looks whether the server has moved. */
  request<T>(destination: Destination, work: (at: Destination) => Promise<T>): Promise<T>
  readonly clientDocuments: readonly ClientDocumentSource[]
}

export function serviceSource(auth: SourceAuth, grant: ServiceGrant, context: AuthContext): ServiceSource {
  const server: AuthContext['server'] = (reference) => withoutBrowser(context.server(reference))
  const source = sourceOf(auth, { ...context, server }, [SERVICE_GRANTS[grant]])
  const destination = lookedUp(source, context.deps)

  async function proven<T>(at: Destination, work: (at: Destination) => Promise<T>): Promise<T> {
    const result = await work(at)
    await source.proved(at)
    return result
  }

  return {
    destination,
    fingerprint: (at) =>
      hashToken(JSON.stringify([fingerprint(at.server, at.resource, context.upstream), at.scopes])),
    async request(at, work) {
      try {
        return await proven(at, work)
      } catch (error) {
        if (!(error instanceof UpstreamError)) throw error
        if (await isForgotten(source, at, error)) return proven(await destination(), work)
        source.doubt()
        throw error
      }
    },
    clientDocuments: source.clientDocument === undefined ? [] : [source.clientDocument],
  }
}
