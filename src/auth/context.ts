// What the builders of auth steps may use. Built once per route and generation.
import type { AuthorizationServerConfig, ScopesConfig } from '../config/types.ts'
import type { Log } from '../ops/log.ts'
import type { Sealer } from '../store/seal.ts'
import type { SigningKeys } from '../store/signing-keys.ts'
import type { Store } from '../store/store.ts'
import type { ControlHttp } from '../upstream/http.ts'
import type { HeldTokens } from './held-tokens.ts'
import type { Links } from './links.ts'
import type { Refresh } from './refresh.ts'
import type { Revocations } from './revocations.ts'
import type { ServerSetting } from './servers.ts'

export interface AuthDeps {
  readonly store: Store
  readonly sealer: Sealer
  readonly signingKeys: SigningKeys
  readonly links: Links
  readonly refresh: Refresh
  readonly revocations: Revocations
  readonly heldTokens: HeldTokens
  readonly http: ControlHttp
  readonly now: () => number
  readonly log: Log
}

/** An authorization server as the configuration has it, with what follows from where it stands there. */
export interface ConfiguredServer {
  /** Undefined: the route names none, so its upstream is asked. */
  readonly entry: AuthorizationServerConfig | undefined
  readonly redirectUri: string
  /** Where the gateway serves a client ID metadata document for it. */
  readonly documentUrl: string
}

export interface AuthContext {
  /** The gateway itself, as `iss` of what it signs. */
  readonly issuer: string
  readonly route: string
  /** The route's own, on every request to its upstream. Names are lower-case. */
  readonly headers: Readonly<Record<string, string>>
  readonly upstream: URL
  /** What the route's tokens must carry and what they may, which the upstream is asked for as well, and which scopes include which. */
  readonly scopes: Pick<ScopesConfig, 'required' | 'optional' | 'implies'>
  /** How the gateway introduces itself where it registers. */
  readonly clientName: string
  /** The authorization server that a route names, spells out, or leaves to its upstream. */
  readonly server: (
    reference: string | AuthorizationServerConfig | undefined,
    setting?: ServerSetting,
  ) => ConfiguredServer
  readonly deps: AuthDeps
}
