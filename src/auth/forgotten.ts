// A client that the upstream authorization server has forgotten, as its error says.
import { UpstreamError } from '../errors.ts'
import { isClientUnknown } from '../upstream/known-client.ts'
import type { Destination } from './destination.ts'
import type { ServerSource } from './server-source.ts'

/**
 * True: so it is, and the gateway is another client there now. A browser may have made the error up at the callback, so
 * only the source can say. If it denies it, or can't ask, the error that brought us here is the one to tell.
 */
export async function isForgotten(
  source: Pick<ServerSource, 'disowned'>,
  destination: Destination,
  error: unknown,
): Promise<boolean> {
  if (!isClientUnknown(error)) return false
  return source.disowned(destination).catch((failure: unknown) => {
    if (failure instanceof UpstreamError) return false
    throw failure
  })
}
