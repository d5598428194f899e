// Sends one MCP request to its upstream and relays the answer. It reads no body, follows no redirect and never sends
// a request twice; a failure before the first byte to the client is the caller's to write.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Credentials } from '../slots.ts'
import type { ConnectOptions, Pools } from './pools.ts'
import { type ForwardOutcome, Relay, type RelayOptions } from './relay.ts'

export interface Target extends RelayOptions {
  readonly pools: Pools
  /** From `isStreamRequest`. */
  readonly isStream: boolean
  readonly timeouts: RelayOptions['timeouts'] & Pick<ConnectOptions, 'connectMs'>
  readonly ca?: ConnectOptions['ca']
  /** From the configuration. No part of it comes from the client (sec-P6). */
  readonly url: URL
  readonly query?: Credentials['query']
  readonly method: string
  /** From `requestHeaders`. */
  readonly headers: string[]
}

/** Rejects with an UpstreamError, nothing written, when the upstream has no answer to relay. */
export function forward(
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<ForwardOutcome> {
  if (request.socket.destroyed) return Promise.resolve({ kind: 'client_gone', status: 0 })
  return new Promise((resolve, reject) => {
    const { pools, url, timeouts, ca, isStream, method, headers, body = null } = target
    const dispatcher = pools.dispatcher(url, { connectMs: timeouts.connectMs, ca }, isStream)
    dispatcher.dispatch(
      // Each 1xx renews undici's limit; the relay has one that nothing renews.
      { path: pathOf(target), method, headers, body, headersTimeout: 0 },
      new Relay(target, request, response, { resolve, reject }),
    )
  })
}

function pathOf({ url, query }: Target): string {
  if (query === undefined) return url.pathname + url.search
  const withQuery = new URL(url)
  for (const [name, value] of Object.entries(query)) withQuery.searchParams.set(name, value)
  return withQuery.pathname + withQuery.search
}
