// The authorization server of the auth types that send nobody's browser there: as for a sign-in, but a token endpoint and
// a client are enough, and `offline_access` is asked for only where it is written.
import { UpstreamError } from '../errors.ts'
import { parseScope } from '../oauth/scope.ts'
import { hashToken } from '../oauth/tokens.ts'
import { fingerprint } from '../upstream/fingerprint.ts'
import { type SourceAuth, sourceOf } from './configured-server.ts'
import type { AuthContext, ConfiguredServer } from './context.ts'
import type { Destination } from './destination.ts'

export interface ServiceSource {
  /** Throws UpstreamError while nothing is known and the upstream cannot be asked. */
  destination(): Promise<Destination>
  /** What a token obtained there is bound to, besides whose it is. */
  fingerprint(destination: Destination): string
  /** Runs a token request; when it fails, looks whether the server has moved. */
  request<T>(work: () => Promise<T>): Promise<T>
}

/** An upstream that cannot be asked is not asked again by every request that comes in. */
const REST_MS = 1_000

export function serviceSource(auth: SourceAuth, context: AuthContext): ServiceSource {
  const { now } = context.deps
  const server: AuthContext['server'] = (reference) => withoutBrowser(context.server(reference))
  const source = sourceOf(auth, { ...context, server })
  const written = parseScope(auth.scope)
  let failed: { readonly untilMs: number; readonly error: UpstreamError } | undefined

  async function find(): Promise<Destination> {
    const known = await source.known()
    if (known !== undefined) return known
    if (failed !== undefined && failed.untilMs > now()) throw failed.error
    try {
      return await source.renew()
    } catch (error) {
      if (error instanceof UpstreamError) failed = { untilMs: now() + REST_MS, error }
      throw error
    }
  }

  return {
    async destination() {
      const found = await find()
      const scopes = found.scopes.filter((scope) => scope !== 'offline_access' || written.includes(scope))
      return { ...found, scopes }
    },
    fingerprint: (destination) =>
      hashToken(
        JSON.stringify([
          fingerprint(destination.server, destination.resource, context.upstream),
          destination.scopes,
        ]),
      ),
    async request(work) {
      try {
        return await work()
      } catch (error) {
        if (error instanceof UpstreamError) source.doubt()
        throw error
      }
    },
  }
}

/** Nobody is sent to an authorization endpoint, so the one that has to be named may be any. */
function withoutBrowser(configured: ConfiguredServer): ConfiguredServer {
  const { entry } = configured
  const endpoint = entry?.authorization_endpoint ?? entry?.token_endpoint
  return entry === undefined || endpoint === undefined
    ? configured
    : { ...configured, entry: { ...entry, authorization_endpoint: endpoint } }
}
