// What the builders of auth steps may use. Built once per route and generation.
import type { AuthorizationServerConfig } from '../config/types.ts'
import type { ControlHttp } from '../upstream/http.ts'
import type { UpstreamServer } from '../upstream/oauth-client.ts'
import type { Links } from './links.ts'

export interface AuthDeps {
  readonly links: Links
  readonly http: ControlHttp
  readonly now: () => number
}

export interface AuthContext {
  readonly upstream: URL
  /** The authorization server that a route names or spells out. */
  readonly server: (reference: string | AuthorizationServerConfig) => UpstreamServer
  readonly deps: AuthDeps
}
