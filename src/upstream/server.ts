// What the gateway knows of an upstream authorization server, and what it gets there. Shapes only.
import type { Trust } from './http.ts'

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
  readonly authMethod: 'none' | 'client_secret_basic' | 'client_secret_post'
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly redirectUri: string
}

export interface UpstreamTokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly obtainedAtMs: number
  /** Undefined: the upstream never said, so it is good until refused. */
  readonly expiresAtMs: number | undefined
  readonly scope: string | undefined
}
