// A route's way to its upstream's authorization server, with all that it uses and no gateway around it.
import type { AuthContext } from '../../src/auth/context.ts'
import { createHeldTokens } from '../../src/auth/held-tokens.ts'
import { createLinks } from '../../src/auth/links.ts'
import { createRefresh } from '../../src/auth/refresh.ts'
import { createRevocations } from '../../src/auth/revocations.ts'
import type { AuthorizationServerConfig } from '../../src/config/types.ts'
import { randomKeyring } from '../../src/store/keyring.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { createSealer } from '../../src/store/seal.ts'
import { createSigningKeys } from '../../src/store/signing-keys.ts'
import type { Store } from '../../src/store/store.ts'
import { type ControlHttp, controlHttp } from '../../src/upstream/http.ts'
import { type DiscoveryUpstream, startDiscoveryUpstream } from '../support/discovery-upstream.ts'
import { recordingLog } from '../support/gateway.ts'
import type { TestContext } from '../support/suite.ts'

export const REDIRECT = 'http://localhost/upstream/callback/demo'

/** A server with endpoints of the file's own: nobody is asked where it is. */
export function writtenServer(
  { origin }: Pick<DiscoveryUpstream, 'origin'>,
  more: Partial<AuthorizationServerConfig> = {},
): AuthorizationServerConfig {
  return {
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    client_id: 'ours',
    registration: [],
    endpoint_hosts: [],
    authorization_parameters: {},
    relink_parameters: {},
    ...more,
  }
}

export interface SceneOptions {
  /** Lays something over the store. */
  readonly wrap?: (store: Store) => Store
  /** What the configuration says of the server. Default: nothing, so the upstream is asked for everything. */
  readonly entry?: (upstream: DiscoveryUpstream) => AuthorizationServerConfig
  readonly documentUrl?: string
}

export async function startScene(
  { after }: TestContext,
  {
    wrap = (store) => store,
    entry,
    documentUrl = 'http://localhost/.well-known/oauth-client/demo',
  }: SceneOptions = {},
) {
  const upstream = await startDiscoveryUpstream()
  after(() => upstream.close())
  const clock = { nowMs: Date.now() }
  const now = () => clock.nowMs
  const store = wrap(memoryStore(now))
  const sealer = createSealer(randomKeyring())
  const { log } = recordingLog()
  const shared = { store, sealer, signingKeys: createSigningKeys(store, sealer, now), now, log }
  const links = createLinks(store, sealer, now)
  const revocations = createRevocations(controlHttp, log)
  let sent = 0
  const http: ControlHttp = (request) => {
    sent += 1
    return controlHttp(request)
  }
  const { refresh } = createRefresh({ links, revocations, store, http, now })
  const context: AuthContext = {
    issuer: 'http://localhost',
    route: 'demo',
    headers: {},
    upstream: new URL(upstream.mcpUrl),
    scopes: { required: [], optional: [], implies: {} },
    clientName: 'Gateway',
    server: () => ({ entry: entry?.(upstream), redirectUri: REDIRECT, documentUrl }),
    deps: { ...shared, links, refresh, revocations, heldTokens: createHeldTokens(shared), http },
  }
  return { upstream, clock, store, context, sent: () => sent }
}
