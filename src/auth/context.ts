// What the builders of auth steps may use. Built once per route and generation.
import type { AuthorizationServerConfig } from '../config/types.ts'
import type { Log } from '../ops/log.ts'
import type { Sealer } from '../store/seal.ts'
import type { Store } from '../store/store.ts'
import type { ControlHttp } from '../upstream/http.ts'
import type { Links } from './links.ts'
import type { Refresh } from './refresh.ts'

export interface AuthDeps {
  readonly store: Store
  readonly sealer: Sealer
  readonly links: Links
  readonly refresh: Refresh
  readonly http: ControlHttp
  readonly now: () => number
  readonly log: Log
}

/** An authorization server as the configuration has it, with what follows from where it stands there. */
export interface ConfiguredServer {
  /** Undefined: the route names none, so its upstream is asked. */
  readonly entry: AuthorizationServerConfig | undefined
  readonly redirectUri: string
}

export interface AuthContext {
  readonly upstream: URL
  /** How the gateway introduces itself where it registers. */
  readonly clientName: string
  /** The authorization server that a route names, spells out, or leaves to its upstream. */
  readonly server: (reference: string | AuthorizationServerConfig | undefined) => ConfiguredServer
  readonly deps: AuthDeps
}
