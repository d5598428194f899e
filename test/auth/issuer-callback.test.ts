// As whom the gateway appears at a server that an upstream names after another one. More is in test/security/mix-up.test.ts.
import * as assert from 'uvu/assert'
import { isOwnDocument, type NamedServer, ownClientFor } from '../../src/auth/issuer-callback.ts'
import type { OwnClientInput } from '../../src/auth/own-client.ts'
import { SIGN_IN_GRANTS } from '../../src/oauth/grant-types.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { suite } from '../support/suite.ts'

const test = suite('auth/issuer-callback')
const FIRST = 'https://first.example'
const SECOND = 'https://second.example'
const named = (issuer: string, before?: string): NamedServer => ({ issuer, isConfigured: false, before })

function world(callback: string, more: Partial<OwnClientInput> = {}) {
  const store = memoryStore(Date.now)
  const ownClient: OwnClientInput = {
    ways: ['cimd', 'dynamic'],
    documentUrl: 'https://gw.example/.well-known/oauth-client/demo',
    hostedDocumentUrl: undefined,
    authMethod: undefined,
    clientName: 'Gateway',
    redirectUri: `https://gw.example${callback}`,
    grantTypes: SIGN_IN_GRANTS,
    ...more,
  }
  return { ownClient, at: (server: NamedServer) => ownClientFor(server, ownClient, { store }) }
}

for (const callback of ['/upstream/callback', '/upstream/callback/demo'])
  test(`sec-C10: ${callback}: each server has a document of its own, which is known again as the gateway's`, async () => {
    const { ownClient, at } = world(callback)
    assert.equal(await at(named(FIRST)), ownClient)
    const second = await at(named(SECOND))
    assert.match(new URL(second.redirectUri).pathname, /^\/upstream\/callback\/(demo)?~[\w-]{22}$/)
    assert.match(second.documentUrl, /\/demo~[\w-]{22}$/)
    const isOwn = (clientId: string, { redirectUri }: OwnClientInput) =>
      isOwnDocument({ clientId, redirectUri }, ownClient)
    assert.ok(isOwn(ownClient.documentUrl, ownClient))
    assert.ok(isOwn(second.documentUrl, second))
    assert.not.ok(isOwn(second.documentUrl, ownClient), 'a registration there was answered with it')
    assert.not.ok(isOwn(ownClient.documentUrl, second), 'a registration there was answered with it')
  })

test('sec-C10: what the upstream named before anything was written down is the first', async () => {
  const { ownClient, at } = world('/upstream/callback/demo')
  assert.is.not((await at(named(SECOND, FIRST))).redirectUri, ownClient.redirectUri)
  assert.equal(await at(named(FIRST, SECOND)), ownClient)
})

test('a document that the operator hosts, and a service, have nothing of their own for a second server', async () => {
  for (const more of [
    { hostedDocumentUrl: 'https://ours.example/client.json' },
    { grantTypes: ['client_credentials'] },
  ]) {
    const { ownClient, at } = world('/upstream/callback/demo', more)
    await at(named(FIRST))
    assert.equal(await at(named(SECOND)), ownClient)
  }
})

test.run()
