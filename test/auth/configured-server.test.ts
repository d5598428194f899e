// What the configuration says of an authorization server, as the server itself gets to see it.
import { decodeJwt, exportPKCS8, generateKeyPair } from 'jose'
import * as assert from 'uvu/assert'
import { authorizationCode } from '../../src/auth/authorization-code.ts'
import { sourceOf } from '../../src/auth/configured-server.ts'
import type { Subject } from '../../src/slots.ts'
import { refreshTokens } from '../../src/upstream/refresh-token.ts'
import { SERVER } from '../support/discovery-upstream.ts'
import { suite } from '../support/suite.ts'
import { startScene, writtenServer } from './scene.ts'

const test = suite('auth/configured-server')
const ALICE = 'users/alice' as Subject

test('RFC 7523 §3: an assertion for a token endpoint of the file names that endpoint, also where the file names an issuer', async (context) => {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const pem = await exportPKCS8(privateKey)
  const { upstream, context: route } = await startScene(context, {
    entry: (upstream) => writtenServer(upstream, { issuer: 'https://as.example', private_key: pem }),
  })
  const destination = await sourceOf({}, route).known()
  assert.ok(destination)
  await refreshTokens(
    route.deps.http,
    destination.server,
    { refreshToken: 'r', resource: undefined },
    Date.now(),
  )
  const [request] = upstream.recorder.to('POST /token')
  const { aud, iss } = decodeJwt(request?.form.get('client_assertion') ?? '')
  assert.equal([aud, iss], [`${upstream.origin}/token`, 'ours'])
})

test('resource: none sends none, also to a server that was looked up', async (context) => {
  const { upstream, context: route } = await startScene(context)
  const resourceSent = async (settings: { readonly resource?: string }) => {
    const { link } = authorizationCode(
      { type: 'authorization_code', disconnect: 'never', ...settings },
      route,
    )
    const { location } = (await link?.begin(ALICE, 'state', { requested: [], relink: false })) ?? {}
    return new URL(location ?? '').searchParams.get('resource')
  }
  assert.is(await resourceSent({}), upstream.mcpUrl)
  assert.is(await resourceSent({ resource: 'none' }), null)
  assert.is(await resourceSent({ resource: 'https://api.example' }), 'https://api.example')
})

test('a server that the gateway signs for finds a key, whenever it looks', async (context) => {
  const {
    upstream,
    store,
    context: route,
  } = await startScene(context, {
    documentUrl: 'https://localhost/.well-known/oauth-client/demo',
  })
  upstream.knobs.documents[SERVER] = upstream.serverDocument({
    client_id_metadata_document_supported: true,
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
  })
  const { server } = await sourceOf({}, route).renew()
  assert.is(server.authMethod, 'private_key_jwt')
  assert.ok(await store.get('signing/keys'), 'it is there before anything was signed')
})

test.run()
