// What all generations share: the store, whoever works on it, and the ways out to upstreams.
import type { AuthDeps } from '../auth/context.ts'
import { createHeldTokens } from '../auth/held-tokens.ts'
import { createLinks } from '../auth/links.ts'
import { createRefresh } from '../auth/refresh.ts'
import { createRevocations } from '../auth/revocations.ts'
import type { Config } from '../config/types.ts'
import type { Deps } from '../endpoints/endpoint.ts'
import { hasGrant } from '../endpoints/grants.ts'
import { createKeyAttempts } from '../endpoints/key-attempts.ts'
import { registrationBucket } from '../endpoints/register.ts'
import type { Gateway } from '../gateway.ts'
import { createMcpSessions } from '../mcp-sessions.ts'
import type { Log } from '../ops/log.ts'
import { type OpenedStore, openStore } from '../store/open.ts'
import { refusalInWords } from '../store/private-files.ts'
import { createSigningKeys } from '../store/signing-keys.ts'
import type { StatePaths } from '../store/state-folder.ts'
import { createStreams } from '../streams.ts'
import { createClientDocuments } from '../upstream/client-documents.ts'
import { createEgress } from '../upstream/egress.ts'
import { createControlHttp } from '../upstream/http.ts'
import { createIssuerKeys } from '../upstream/issuer-keys.ts'
import { createPolite } from '../upstream/politeness.ts'
import { createPools, type Pools } from '../upstream/pools.ts'

export interface Services {
  /** For endpoints. */
  readonly deps: Deps
  /** For auth steps. */
  readonly authDeps: AuthDeps
  readonly pools: Pools
  /** What was begun at upstreams and must be written down before the store closes. */
  settled(): Promise<unknown>
  close(): Promise<void>
}

interface ServicesInput {
  readonly config: Config
  readonly paths: StatePaths
  readonly current: () => Gateway
  readonly now: () => number
  readonly log: Log
}

export async function openServices({ config, paths, current, now, log }: ServicesInput): Promise<Services> {
  const { store, sealer } = await openState(config, paths, now)
  const { proxy, proxy_authorization: authorization, direct } = config.egress
  const egress = createEgress({ proxy, authorization, direct })
  const http = createControlHttp({ egress })
  const pools = createPools({ egress })
  const isInUse = async (clientId: string) =>
    current().staticClients.has(clientId) || hasGrant(clientId, { store })
  const polite = createPolite({ strangers: createControlHttp({ egress }), inUse: http, isInUse, now })
  const shared = { store, sealer, signingKeys: createSigningKeys(store, sealer, now), now, log }
  const links = createLinks(store, sealer, now)
  const revocations = createRevocations(http, log)
  const { refresh, settled } = createRefresh({ links, revocations, store, http, now })
  return {
    deps: {
      ...shared,
      streams: createStreams({ store, current, now }),
      clientDocuments: createClientDocuments({ http: polite, isInUse, now }),
      issuerKeys: createIssuerKeys({ http, now, log }),
      registrations: registrationBucket(now),
      keyAttempts: createKeyAttempts(now),
      mcpSessions: createMcpSessions(store, now, log),
    },
    authDeps: { ...shared, links, refresh, revocations, heldTokens: createHeldTokens(shared), http },
    pools,
    // What comes too late for a link is taken back.
    settled: () => settled().then(revocations.settled),
    async close() {
      await pools.close()
      await egress.close()
      await store.close()
    },
  }
}

/** The file system's own words name a draft or a folder on the way, and not the setting. */
async function openState(config: Config, paths: StatePaths, now: () => number): Promise<OpenedStore> {
  try {
    return await openStore(config.store, paths, now)
  } catch (error) {
    const refusal = refusalInWords(error)
    if (refusal === undefined) throw error
    throw new Error(`store.path: cannot make or open ${paths.store}: ${refusal}`, { cause: error })
  }
}
