// What one MCP client does where the specifications leave room: a persona is data, and walk.ts acts it out.
import type { JsonObject } from './http.ts'

/** An address at the origin, with `{path}` for the path of the MCP URL or the issuer; or the one in the challenge. */
export type Place = 'challenge' | `/${string}` | `{path}/${string}`

export interface Discovery {
  /** Asked before anything else, whatever comes of it. */
  readonly probes?: readonly Place[]
  /** Must be there, or it gives up. */
  readonly demands?: readonly Place[]
  /** Where the resource's document is looked for, in this order; none: the client is older than RFC 9728. */
  readonly resource: readonly Place[]
  /** What `resource` in it must be. Default: a prefix of the URL the person entered. */
  readonly resourceMust?: 'equal' | 'begin'
  /** Where the authorization server's document is looked for; none: the client assumes the endpoints of 2025-03-26. */
  readonly server: readonly Place[]
  /** Whether the server's `issuer` must be the string that led there. */
  readonly checksIssuer: boolean
}

/** Who the client says it is. */
export type Identity =
  | { readonly by: 'document'; readonly path: `/${string}`; readonly document: JsonObject }
  | { readonly by: 'registration'; readonly metadata: JsonObject }
  | { readonly by: 'configuration'; readonly clientId: string; readonly secret?: string }

export type AuthMethod = 'none' | 'client_secret_post' | 'client_secret_basic' | 'private_key_jwt'

/** The first of these that there is. */
export type ScopeSource = 'challenge' | 'resource' | 'server' | { readonly always: string }

export interface Persona {
  readonly name: string
  /** The rows of the specification that its walk shows. */
  readonly shows: string
  readonly discovery: Discovery
  readonly identity: Identity
  readonly authMethod: AuthMethod
  /** Whether both halves of Basic credentials are form-encoded, as RFC 6749 §2.3.1 wants. */
  readonly encodesBasic?: boolean
  /** The one it uses, with the port it happens to listen on. */
  readonly redirectUri: string
  readonly scope: readonly ScopeSource[]
  /** Appended to whatever scope that gave. */
  readonly addsScope?: string
  /** `document`: as the resource's document says; `typed`: as the person entered it; `slash`: with one more slash. */
  readonly resource: 'document' | 'typed' | 'slash' | 'none'
  /** Whether the token requests carry it too. Default: yes. */
  readonly resourceAtToken?: boolean
  /** Default: a random one. */
  readonly state?: string | 'none'
  /** Further parameters of the authorization request. */
  readonly extra?: Readonly<Record<string, string>>
  readonly protocolVersion: string
  /** It runs in a page of this origin, so preflights come first and only exposed headers are seen. */
  readonly origin?: string
  /** So many processes share one refresh token and use it at once. */
  readonly processes?: number
  /** Meets `invalid_client` with a new registration. */
  readonly registersAnew?: boolean
  /** Gives its tokens back when the person disconnects. */
  readonly revokes?: boolean
}
