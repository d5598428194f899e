// The machine-to-machine providers of both SDKs, unchanged, from the 401 to a tool call and to the next token.
import {
  ClientCredentialsProvider as ClientCredentialsV2,
  CrossAppAccessProvider,
  PrivateKeyJwtProvider as PrivateKeyJwtV2,
  requestJwtAuthorizationGrant,
} from '@modelcontextprotocol/client'
import {
  ClientCredentialsProvider as ClientCredentialsV1,
  PrivateKeyJwtProvider as PrivateKeyJwtV1,
} from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import * as assert from 'uvu/assert'
import { basic, postForm } from '../security/client.ts'
import { connectOnceV1, connectOnceV2 } from '../support/clients.ts'
import { suite } from '../support/suite.ts'
import { startIdentityProvider } from './identity-provider.ts'
import {
  ASSERTION_TYPE,
  clientAssertion,
  type MachineWorld,
  SECRET,
  startMachineWorld,
} from './machine-world.ts'

const test = suite('grants/sdk')

const secretOptions = ({ url }: MachineWorld) => ({
  clientId: 'batch',
  clientSecret: SECRET,
  expectedIssuer: url,
})
const keyOptions = ({ url, key }: MachineWorld) => ({
  clientId: 'signer',
  privateKey: { ...key.privateJwk },
  algorithm: 'ES256',
  expectedIssuer: url,
})

const CONNECTIONS = {
  'SDK v1 with a secret': async (world: MachineWorld, route: string) => {
    const authProvider = new ClientCredentialsV1(secretOptions(world))
    return { ...(await connectOnceV1(`${world.url}/${route}`, { authProvider })), authProvider }
  },
  'SDK v1 with private_key_jwt': async (world: MachineWorld, route: string) => {
    const authProvider = new PrivateKeyJwtV1(keyOptions(world))
    return { ...(await connectOnceV1(`${world.url}/${route}`, { authProvider })), authProvider }
  },
  'SDK v2 with a secret': async (world: MachineWorld, route: string) => {
    const authProvider = new ClientCredentialsV2(secretOptions(world))
    return { ...(await connectOnceV2(`${world.url}/${route}`, { authProvider }, 'auto')), authProvider }
  },
  'SDK v2 with private_key_jwt': async (world: MachineWorld, route: string) => {
    const authProvider = new PrivateKeyJwtV2(keyOptions(world))
    return { ...(await connectOnceV2(`${world.url}/${route}`, { authProvider }, 'auto')), authProvider }
  },
}

for (const [name, connect] of Object.entries(CONNECTIONS)) {
  test(`${name}: from the 401 to a tool call, and on when its token is taken back`, async (context) => {
    const world = await startMachineWorld(context)
    const { call, close, authProvider } = await connect(world, 'keyed')
    context.after(close)
    assert.match(await call('add', { a: 2, b: 3 }), '5')
    const { access_token: token = '', refresh_token: none } = authProvider.tokens() ?? {}
    assert.is(none, undefined)
    assert.not.ok(world.keyed.recorder.saw(token), 'the upstream gets the shared key, never our token')
    assert.ok(world.keyed.recorder.saw('shared-key'))

    await revoke(world, token, name.includes('secret'))
    assert.match(await call('add', { a: 3, b: 4 }), '7')
    assert.is.not(authProvider.tokens()?.access_token, token, 'it got itself another one')
  })
}

async function revoke(world: MachineWorld, token: string, hasSecret: boolean): Promise<void> {
  const { status } = hasSecret
    ? await postForm(`${world.url}/revoke`, { token }, { authorization: basic('batch', SECRET) })
    : await postForm(`${world.url}/revoke`, {
        token,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: await clientAssertion(world),
      })
  assert.is(status, 200)
}

test('EMA: SDK v2 exchanges an ID token for an ID-JAG and comes with that, again when its token is taken back', async (context) => {
  const idp = await startIdentityProvider()
  context.after(() => idp.close())
  const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
  const world = await startMachineWorld(context, {
    clients: `\n    agent: { client_secret: "\${BATCH_SECRET}", grant_types: ["${jwtBearer}"] }\n`,
    more: `trusted_issuers: { idp: { issuer: "${idp.issuer}", id_jag: true } }\n`,
  })
  const authProvider = new CrossAppAccessProvider({
    clientId: 'agent',
    clientSecret: SECRET,
    expectedIssuer: world.url,
    assertion: async ({ authorizationServerUrl, resourceUrl, scope, fetchFn }) => {
      const exchanged = await requestJwtAuthorizationGrant({
        tokenEndpoint: idp.exchange.url,
        audience: authorizationServerUrl,
        resource: resourceUrl,
        ...(scope !== undefined && { scope }),
        idToken: 'an ID token',
        clientId: 'agent',
        fetchFn,
      })
      return exchanged.jwtAuthGrant
    },
  })
  const { call, close } = await connectOnceV2(`${world.url}/keyed`, { authProvider }, 'auto')
  context.after(close)
  assert.match(await call('add', { a: 2, b: 3 }), '5')
  const { access_token: token = '', refresh_token: none } = authProvider.tokens() ?? {}
  assert.is(none, undefined)
  assert.is(idp.exchange.recorder.count('/token'), 1)
  await postForm(`${world.url}/revoke`, { token }, { authorization: basic('agent', SECRET) })
  assert.match(await call('add', { a: 3, b: 4 }), '7')
  assert.is(idp.exchange.recorder.count('/token'), 2, 'a fresh assertion, since the first was spent')
})

test.run()
