// Names into addresses, once per request and never longer than the request may take. Judges no address.
import { ADDRCONFIG, type LookupAddress, type LookupAllOptions } from 'node:dns'

/** `dns.lookup` with `all: true`. */
export type Lookup = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Rejects with the resolver's error, or with the signal's reason as soon as it is aborted. */
export type Resolve = (hostname: string, signal: AbortSignal) => Promise<readonly LookupAddress[]>

/**
 * `atOnce` bounds the lookups under way. `dns.lookup` holds one of libuv's four threads until the resolver answers or
 * gives up, which nothing can hurry: with strangers' slow name servers on all four, file writes, password hashes and
 * the data plane's own lookups would wait.
 */
export function createResolve(lookup: Lookup, atOnce = Number.POSITIVE_INFINITY): Resolve {
  const waiting: (() => void)[] = []
  let free = atOnce

  // A place is given back when the resolver is done, not when the caller has lost patience: the thread is still taken.
  async function inTurn(hostname: string, signal: AbortSignal): Promise<readonly LookupAddress[]> {
    if (free === 0) await new Promise<void>((turn) => waiting.push(turn))
    else free -= 1
    try {
      signal.throwIfAborted()
      return await lookupAll(lookup, hostname)
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }

  return (hostname, signal) => untilAborted(inTurn(hostname, signal), signal)
}

function lookupAll(lookup: Lookup, hostname: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true, hints: ADDRCONFIG }, (error, addresses) => {
      if (error === null) resolve(addresses)
      else reject(error)
    })
  })
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
