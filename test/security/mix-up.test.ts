// Mix-up (RFC 9700 §4.4): an upstream that names one authorization server after another, to get at what a person is
// given at the honest one of them.
import type { RequestListener } from 'node:http'
import * as assert from 'uvu/assert'
import {
  type DiscoveryUpstream,
  RESOURCE,
  SERVER,
  startDiscoveryUpstream,
} from '../support/discovery-upstream.ts'
import { startGateway, type TestGateway, USER } from '../support/gateway.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import { Client } from './client.ts'
import { NO_LOGIN, newBrowser } from './world.ts'

const test = suite('security/mix-up')

interface Scene {
  readonly gateway: TestGateway
  /** The upstream, with an authorization server of its own. */
  readonly evil: DiscoveryUpstream
  /** An authorization server that lets the gateway register, and says nothing of itself in its answers (RFC 9207). */
  readonly honest: DiscoveryUpstream
}

async function start({ after }: TestContext, auth = '{ type: authorization_code }'): Promise<Scene> {
  const [evil, honest] = [await startDiscoveryUpstream(), await startDiscoveryUpstream()]
  after(() => evil.close())
  after(() => honest.close())
  honest.knobs.iss = undefined
  honest.knobs.documents[SERVER] = honest.serverDocument({
    authorization_response_iss_parameter_supported: undefined,
  })
  const gateway = await startGateway({
    // So everybody who comes is new, and has to sign in at the upstream.
    yaml: document(`\n  evil: { upstream: ${evil.mcpUrl}, auth: ${auth} }\n`) + NO_LOGIN,
  })
  after(() => gateway.close())
  return { gateway, evil, honest }
}

function name({ evil }: Scene, server: DiscoveryUpstream): void {
  evil.knobs.documents[`${RESOURCE}/mcp`] = evil.resourceDocument({ authorization_servers: [server.origin] })
}

/** How it ends for somebody who signs in: at the client, or on a page of the gateway's. */
async function attempt({ gateway }: Scene): Promise<string> {
  const client = await Client.register(gateway.url)
  return signIn(newBrowser(), client.trip().url, USER).then(
    ({ callback }) => callback.href,
    (error: Error) => error.message,
  )
}

/** The gateway as the honest server knows it. */
function atHonest({ honest }: Scene) {
  const { query } = honest.recorder.to('/authorize').at(-1) ?? {}
  return { clientId: query?.get('client_id') ?? '', redirectUri: query?.get('redirect_uri') ?? '' }
}

/** From now on whoever is sent to the evil server to sign in is sent on to the honest one, as if the gateway had. */
function bounce(
  { evil, honest }: Scene,
  { clientId, redirectUri }: { clientId: string; redirectUri: string },
) {
  evil.knobs.documents[SERVER] = evil.serverDocument({ authorization_endpoint: `${evil.origin}/bounce` })
  const usual = evil.server.listeners('request') as RequestListener[]
  evil.server.removeAllListeners('request')
  evil.server.on('request', (request, response) => {
    const url = new URL(request.url ?? '', evil.origin)
    if (url.pathname !== '/bounce') {
      for (const listener of usual) listener(request, response)
      return
    }
    const asked = { client_id: clientId, redirect_uri: redirectUri, resource: honest.mcpUrl }
    for (const [parameter, value] of Object.entries(asked)) url.searchParams.set(parameter, value)
    response.writeHead(302, { location: `${honest.origin}/authorize${url.search}` }).end()
  })
}

const codesAt = ({ recorder }: DiscoveryUpstream) =>
  recorder
    .to('POST /token')
    .filter(({ form }) => form.has('code') && !form.get('code')?.startsWith('made-up'))

for (const order of ['honest first', 'evil first'] as const)
  test(`sec-C10: an answer of one server is not taken for the other's, whichever the upstream named ${order}`, async (context) => {
    const scene = await start(context)
    const { evil, honest } = scene
    if (order === 'evil first') {
      name(scene, evil)
      assert.match(await attempt(scene), /[?&]code=/)
    }
    name(scene, honest)
    assert.match(await attempt(scene), /[?&]code=/)
    const known = atHonest(scene)
    const before = codesAt(evil).length

    name(scene, evil)
    bounce(scene, known)
    assert.match(await attempt(scene), 'already finished or has expired')
    assert.is(honest.recorder.to('/authorize').at(-1)?.query.get('resource'), honest.mcpUrl, 'it was tried')
    assert.is(codesAt(evil).length, before, 'no code and no verifier for the evil server')

    name(scene, honest)
    assert.match(await attempt(scene), /[?&]code=/)
    assert.equal(atHonest(scene), known, 'the honest server knows the gateway as before')
  })

test('sec-C10: the operator who then names the second server has the gateway registered there with the usual callback', async (context) => {
  const scene = await start(context)
  const { gateway, evil, honest } = scene
  name(scene, evil)
  await attempt(scene)
  name(scene, honest)
  assert.match(await attempt(scene), /[?&]code=/)
  const usual = `${gateway.url}/upstream/callback/evil`
  assert.match(atHonest(scene).redirectUri, /\/upstream\/callback\/evil~[\w-]{22}$/)
  const { text } = gateway.app.running()
  const server = `{ type: authorization_code, authorization_server: { issuer: "${honest.origin}" } }`
  await gateway.app.reload(text.replace('{ type: authorization_code }', server))
  assert.match(await attempt(scene), /[?&]code=/)
  assert.is(atHonest(scene).redirectUri, usual)
  assert.equal(
    honest.recorder.to('POST /register').map(({ body }) => JSON.parse(body).redirect_uris.length),
    [1, 1],
  )
})

test('sec-C10: also where the first server has the bare callback, the second one has one that is served', async (context) => {
  const scene = await start(
    context,
    '{ type: authorization_code, authorization_server: { callback: /upstream/callback } }',
  )
  name(scene, scene.evil)
  assert.match(await attempt(scene), /[?&]code=/)
  name(scene, scene.honest)
  assert.match(await attempt(scene), /[?&]code=/)
  assert.match(atHonest(scene).redirectUri, /\/upstream\/callback\/~[\w-]{22}$/)
})

test.run()
