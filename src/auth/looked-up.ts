// The server behind a request that cannot go on without one: what is known of it, else what the upstream says now.
import { UpstreamError } from '../errors.ts'
import { isResting } from '../upstream/rest.ts'
import type { AuthDeps } from './context.ts'
import type { Destination } from './destination.ts'
import type { ServerSource } from './server-source.ts'

/** An upstream that cannot be asked is not asked again by every request that comes in. */
const REST_MS = 1_000
/** The client may try again after this unless the upstream named a time. */
const RETRY_SECONDS = 5

/** Resolves with where tokens come from. Throws UpstreamError: `bad_response` where its operator has to act, else `unavailable`. */
export function lookedUp(
  source: Pick<ServerSource, 'known' | 'renew'>,
  { now }: Pick<AuthDeps, 'now'>,
): () => Promise<Destination> {
  let failed: { readonly atMs: number; readonly error: UpstreamError } | undefined
  return async () => {
    const known = await source.known()
    if (known !== undefined) return known
    if (failed !== undefined && isResting(failed.atMs, REST_MS, now())) throw failed.error
    try {
      return await source.renew()
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      failed = { atMs: now(), error: asFailure(error) }
      throw failed.error
    }
  }
}

/** Whatever kept it from answering passes by itself, as at its token endpoint. */
function asFailure(error: UpstreamError): UpstreamError {
  const { fault, message, detail, retryAfterSeconds = RETRY_SECONDS } = error
  return fault === 'bad_response'
    ? error
    : new UpstreamError('unavailable', message, { fault, ...detail }, retryAfterSeconds)
}
