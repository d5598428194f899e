// What an upstream has published about where to sign in counts until it publishes something else. Documents that are gone
// for a moment would look like a move to a server that is only assumed, and a move signs everybody out (design §6.9).
import { UpstreamError } from '../errors.ts'
import type { AuthDeps } from './context.ts'
import type { DiscoveryInput, Facts } from './destination.ts'

type Found = Pick<Facts, 'resource' | 'metadata'>

/** `known`: what is remembered of this upstream, if anything is. Throws UpstreamError. */
export function checkStillPublished(
  known: Found | undefined,
  found: Found,
  { resource, upstream }: Pick<DiscoveryInput, 'resource' | 'upstream'>,
  { log }: Pick<AuthDeps, 'log'>,
): void {
  if (known === undefined || !isLost(known, found, resource)) return
  const { issuer } = known.metadata
  log.error(
    'an upstream no longer publishes where people sign in for it: if that is meant to stay, write its authorization_server, and the resource it expects, into the configuration',
    { upstream: upstream.host, issuer, resource: known.resource.resource },
  )
  throw new UpstreamError(
    'unavailable',
    'the upstream no longer publishes where to sign in: try again, and if it stays so, the operator of this gateway has to write its authorization server into the configuration',
    { issuer },
    5,
  )
}

/** `resource`: the configuration's, beside which the upstream's own does not count. */
function isLost(known: Found, found: Found, resource: DiscoveryInput['resource']): boolean {
  if (found.metadata.isAssumed === true && known.metadata.isAssumed !== true) return true
  if (found.resource.isAssumed !== true || known.resource.isAssumed === true) return false
  const isOtherResource = resource === undefined && found.resource.resource !== known.resource.resource
  return isOtherResource || found.metadata.issuer !== known.metadata.issuer
}
