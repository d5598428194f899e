// Where an issuer's endpoints were when they were first seen. Metadata that suddenly points elsewhere may be the work of
// somebody who got hold of the one document, and everybody's codes and tokens would follow it (sec-C12).
import { UpstreamError } from '../errors.ts'
import { hashToken } from '../oauth/tokens.ts'
import { FORMAT, keys } from '../store/records.ts'
import { update } from '../store/update.ts'
import type { ServerMetadata } from '../upstream/server-metadata.ts'
import type { AuthDeps } from './context.ts'
import { noteUse, usedNow } from './unused.ts'

interface FirstSeen {
  readonly v: typeof FORMAT
  readonly hosts: readonly string[]
}

const keyOf = (issuer: string) => keys.endpointHosts(hashToken(issuer))

/** What is not used for long is forgotten, and seen for the first time again. */
export function noteHostsUsed(
  issuer: string,
  { store, now }: Pick<AuthDeps, 'store' | 'now'>,
): Promise<void> {
  return noteUse(store, keyOf(issuer), now())
}

/** `allowed`: what the operator wrote down besides. Throws UpstreamError. */
export async function checkEndpointHosts(
  metadata: ServerMetadata,
  allowed: readonly string[],
  { store, log, now }: Pick<AuthDeps, 'store' | 'log' | 'now'>,
): Promise<void> {
  const { issuer, authorizationEndpoint, tokenEndpoint, registrationEndpoint } = metadata
  // Assumed endpoints are on the host that the operator wrote.
  if (metadata.isAssumed === true) return
  const named = [authorizationEndpoint, tokenEndpoint, registrationEndpoint].flatMap((url) =>
    url === undefined ? [] : [new URL(url).host],
  )
  const seen = await update<FirstSeen>(store, keyOf(issuer), (current) =>
    current === undefined ? usedNow<FirstSeen>({ v: FORMAT, hosts: [...new Set(named)] }, now()) : undefined,
  )
  const known = new Set([...(seen?.hosts ?? []), ...allowed.map((host) => host.toLowerCase())])
  const found = named.find((host) => !known.has(host))
  if (found === undefined) return
  log.error(
    'endpoints of an upstream authorization server moved: if that is right, add the host to endpoint_hosts',
    {
      issuer,
      host: found,
    },
  )
  throw new UpstreamError(
    'bad_response',
    'the upstream cannot be used: the endpoints of its authorization server moved to another host, which the operator of this gateway has to allow',
    { issuer, found },
  )
}
