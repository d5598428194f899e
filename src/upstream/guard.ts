// Where a control-plane request may go, decided before a socket exists: the URL is judged, its name resolved once, and
// every address checked. Whoever connects must use the addresses handed back and nothing else (DNS rebinding, sec-F3).
import type { LookupAddress } from 'node:dns'
import { isIP } from 'node:net'
import { type LogDetail, UpstreamError } from '../errors.ts'
import { isLoopbackHost } from '../loopback.ts'
import { isPublicAddress } from './addresses.ts'
import { createResolve, type Lookup } from './resolve.ts'

/**
 * Who chose the URL. Each may name any port: authorization servers live on odd ones, and so may a client's metadata
 * document.
 * - `configured`: the operator wrote it. Any address, http too: internal upstreams are legitimate (sec-F9).
 * - `derivedFrom`: an upstream named it (metadata, a challenge); the hostname is that of the configured URL it came
 *   from, as `URL.hostname` writes it. Public addresses over https; on that same hostname also private ones, and
 *   http if it is loopback.
 * - `foreign`: a stranger named it (a client's metadata document). Public addresses over https.
 */
export type Trust = 'configured' | { readonly derivedFrom: string } | 'foreign'

/**
 * The addresses to connect to. Throws UpstreamError `unreachable`, or the signal's reason. Where a proxy connects
 * (`proxied`), it also resolves what the operator wrote: then there are none. What others wrote is always resolved and
 * checked here, and the proxy is told the address.
 */
export type Guard = (
  url: URL,
  trust: Trust,
  signal: AbortSignal,
  proxied?: boolean,
) => Promise<readonly LookupAddress[]>

/** What a trust comes down to for one URL. */
interface Rules {
  readonly plainHttp: boolean
  readonly privateHosts: 'any' | ReadonlySet<string>
}

/** One of libuv's four threads. Clients in use have one of their own (politeness.ts), so half is always left to everything else. */
const FOREIGN_LOOKUPS_AT_ONCE = 1

export function createGuard(lookup: Lookup): Guard {
  const resolve = createResolve(lookup)
  const resolveForeign = createResolve(lookup, FOREIGN_LOOKUPS_AT_ONCE)
  return async (url, trust, signal, proxied = false) => {
    const rules = rulesOf(trust, url.hostname)
    checkUrl(url, rules)
    if (proxied && trust === 'configured') return []
    const resolveName = trust === 'foreign' ? resolveForeign : resolve
    const addresses = literalOf(url.hostname) ?? (await resolveName(url.hostname, signal))
    checkAddresses(url, addresses, rules)
    return addresses
  }
}

/** One text for refused, closed, filtered and unknown: whoever sees it must not learn what the network inside looks like (sec-F6). */
export function unreachable(detail: LogDetail): UpstreamError {
  return new UpstreamError('unreachable', 'the upstream could not be reached', detail)
}

function rulesOf(trust: Trust, hostname: string): Rules {
  if (trust === 'configured') return { plainHttp: true, privateHosts: 'any' }
  if (trust === 'foreign') return { plainHttp: false, privateHosts: new Set() }
  const { derivedFrom } = trust
  return {
    plainHttp: hostname === derivedFrom && isLoopbackHost(derivedFrom),
    privateHosts: new Set([derivedFrom]),
  }
}

function checkUrl({ protocol, username, password, host }: URL, { plainHttp }: Rules): void {
  if (protocol !== 'https:' && !(protocol === 'http:' && plainHttp)) {
    throw unreachable({ reason: 'scheme', host, protocol })
  }
  if (username !== '' || password !== '') throw unreachable({ reason: 'userinfo', host })
}

/** Among mixed answers one private address is enough to refuse: which of them a connection ends at is left to chance. */
function checkAddresses(
  { hostname, host }: URL,
  addresses: readonly LookupAddress[],
  { privateHosts }: Rules,
): void {
  if (addresses.length === 0) throw unreachable({ reason: 'no_address', host })
  if (privateHosts === 'any' || privateHosts.has(hostname)) return
  const inside = addresses.find(({ address }) => !isPublicAddress(address))
  if (inside !== undefined) throw unreachable({ reason: 'private_address', host, address: inside.address })
}

// The URL parser has folded 0x7f.1, 2130706433 and full-width digits into an address by now (sec-F1). A connection to
// an address never calls a lookup function, so a guard that lived in the lookup alone would not see it.
function literalOf(hostname: string): readonly LookupAddress[] | undefined {
  const address = hostname.replace(/^\[(.*)\]$/, '$1')
  const family = isIP(address)
  return family === 0 ? undefined : [{ address, family }]
}
