// What an endpoint is: a function from a request value and the current generation to a reply value.
import type { IncomingHttpHeaders } from 'node:http'
import type { Gateway } from '../gateway.ts'
import type { McpSessions } from '../mcp-sessions.ts'
import type { Log } from '../ops/log.ts'
import type { Bucket } from '../policy/bucket.ts'
import type { Reply } from '../reply.ts'
import type { Sealer } from '../store/seal.ts'
import type { SigningKeys } from '../store/signing-keys.ts'
import type { Store } from '../store/store.ts'
import type { Streams } from '../streams.ts'
import type { ClientDocuments } from '../upstream/client-documents.ts'
import type { IssuerKeys } from '../upstream/issuer-keys.ts'
import type { KeyAttempts } from './key-attempts.ts'

export interface EndpointRequest {
  readonly path: string
  /** The raw query, without the question mark. */
  readonly query: string
  readonly headers: IncomingHttpHeaders
  readonly cookies: ReadonlyMap<string, string>
  readonly body: string
}

export interface Deps {
  readonly store: Store
  readonly sealer: Sealer
  readonly signingKeys: SigningKeys
  readonly streams: Streams
  readonly clientDocuments: ClientDocuments
  readonly registrations: Bucket
  readonly keyAttempts: KeyAttempts
  readonly issuerKeys: IssuerKeys
  readonly mcpSessions: McpSessions
  readonly now: () => number
  readonly log: Log
}

/** The generation is handed in per request: what began on one is finished on it (design §6.7). */
export type Handle = (request: EndpointRequest, gateway: Gateway, deps: Deps) => Promise<Reply>

export interface Endpoint {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Who reads the answer, and so what an error looks like: a page for a person, JSON for a client. */
  readonly audience: 'browser' | 'client'
  readonly handle: Handle
}
