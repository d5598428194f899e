// What is kept of a discovered authorization server, and when it is not used.
import * as assert from 'uvu/assert'
import type { AuthDeps } from '../../src/auth/context.ts'
import type { DiscoveryInput } from '../../src/auth/destination.ts'
import { discoveredSource } from '../../src/auth/server-source.ts'
import { SIGN_IN_GRANTS } from '../../src/oauth/grant-types.ts'
import { randomKeyring } from '../../src/store/keyring.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { createSealer } from '../../src/store/seal.ts'
import { createSigningKeys } from '../../src/store/signing-keys.ts'
import { controlHttp } from '../../src/upstream/http.ts'
import { type DiscoveryUpstream, startDiscoveryUpstream } from '../support/discovery-upstream.ts'
import { recordingLog } from '../support/gateway.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('auth/server-source')

const PURPOSE = 'upstream-server'

async function world({ after }: TestContext) {
  const upstream = await startDiscoveryUpstream()
  after(() => upstream.close())
  const now = Date.now
  const kept = memoryStore(now)
  const sealer = createSealer(randomKeyring())
  const written = new Set<string>()
  const store: typeof kept = {
    ...kept,
    put: (key, ...rest) => {
      written.add(key)
      return kept.put(key, ...rest)
    },
    cas: (key, ...rest) => {
      written.add(key)
      return kept.cas(key, ...rest)
    },
  }
  const { log } = recordingLog()
  const signingKeys = createSigningKeys(store, sealer, now)
  const deps = { store, sealer, signingKeys, http: controlHttp, now, log } as unknown as AuthDeps

  /** Everything that names this client names the other one from now on. */
  async function rename(from: string, to: string): Promise<void> {
    for (const key of written) {
      const sealed = (await kept.get<{ sealed?: string }>(key))?.value.sealed ?? ''
      const text = sealer.open(PURPOSE, key, sealed)
      if (text === undefined) continue
      assert.match(text, JSON.stringify(from))
      const edited = text.replace(JSON.stringify(from), JSON.stringify(to))
      await kept.put(key, { v: 1, sealed: sealer.seal(PURPOSE, key, edited) })
    }
  }
  return { upstream, rename, process: () => discoveredSource(inputFor(upstream), deps) }
}

const inputFor = ({ mcpUrl }: DiscoveryUpstream): DiscoveryInput => ({
  upstream: new URL(mcpUrl),
  issuer: undefined,
  client: undefined,
  ownClient: {
    ways: ['cimd', 'dynamic'],
    documentUrl: 'http://localhost/.well-known/oauth-client/demo',
    hostedDocumentUrl: undefined,
    authMethod: undefined,
    clientName: 'MCP gateway',
    redirectUri: 'http://localhost/upstream/callback/demo',
    grantTypes: SIGN_IN_GRANTS,
  },
  key: undefined,
  endpointHosts: [],
  scope: undefined,
  furtherScopes: [],
  resource: undefined,
  authorizationParameters: {},
  tokenObject: undefined,
  revocationEndpoint: undefined,
  redirectUri: 'http://localhost/upstream/callback/demo',
})

test('a client that was kept and can be nobody’s name is not used: another one is registered, once', async (context) => {
  const { upstream, rename, process } = await world(context)
  let { clientId } = (await process().renew()).server
  for (const unusable of ['', 'client\n1']) {
    await rename(clientId, unusable)
    const source = process()
    assert.is(await source.known(), undefined)
    const found = await source.renew()
    assert.match(found.server.clientId, /^client-/)
    assert.is((await process().known())?.server.clientId, found.server.clientId)
    assert.is((await process().renew()).server.clientId, found.server.clientId)
    clientId = found.server.clientId
  }
  assert.is(upstream.recorder.count('POST /register'), 3)
})

test.run()
