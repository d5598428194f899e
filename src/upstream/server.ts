// What the gateway knows of an upstream authorization server, and what it gets there. Shapes only.
import type { webcrypto } from 'node:crypto'
import type { Trust } from './http.ts'

/** How the gateway proves at a token endpoint that it is its client (RFC 6749 §2.3, RFC 7523 §2.2). */
export type UpstreamAuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'

/** What a client assertion is made with. */
export interface ClientAssertion {
  /** Whom it is for. Never a token endpoint that metadata named: a hostile server could name an honest one's. */
  readonly audience: string
  /** What the server verifies; undefined: it does not say. */
  readonly algorithms?: readonly string[] | undefined
  key(): Promise<{ readonly key: webcrypto.CryptoKey; readonly kid?: string }>
}

/** Everything that has to be known of an upstream authorization server to sign somebody in there. */
export interface UpstreamServer {
  /** Undefined when only endpoints were configured: then `iss` can't be compared (RFC 9207). */
  readonly issuer: string | undefined
  /** Then an answer without `iss` is refused (RFC 9207 §2.4). */
  readonly issParameterSupported: boolean
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  /** Whether the operator wrote the token endpoint down, or an upstream named it. */
  readonly trust: Trust
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly authMethod: UpstreamAuthMethod
  /** For `private_key_jwt`. */
  readonly assertion?: ClientAssertion | undefined
  readonly authorizationParameters: Readonly<Record<string, string>>
  /** The member of a token answer that holds the person's token. Undefined: the answer itself. */
  readonly tokenObject?: string | undefined
  /** Where tokens are taken back (RFC 7009); undefined: nowhere. */
  readonly revocation?: { readonly endpoint: string; readonly trust: Trust } | undefined
  readonly redirectUri: string
}

export interface UpstreamTokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly obtainedAtMs: number
  /** Undefined: the upstream never said, so it is good until refused. */
  readonly expiresAtMs: number | undefined
  readonly scope: string | undefined
  /** Whose they are, as the upstream names that account. For display only. */
  readonly account?: string | undefined
}
