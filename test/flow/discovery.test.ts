// A URL is a whole route: the gateway finds the upstream's authorization server, registers there, and signs people in.
import * as assert from 'uvu/assert'
import { connectV1, connectV2 } from '../support/clients.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { startOidc } from '../support/oidc.ts'
import { suite } from '../support/suite.ts'

const test = suite('flow/discovery')
const person = { ...USER, upstreamName: 'ann' }

test('upstream URL alone: challenge, metadata, registration as a web client, PKCE, resource, both screens, tools', async ({
  after,
}) => {
  const oidc = await startOidc()
  after(() => oidc.close())
  const gateway = await startGateway({
    yaml: `version: 1\nserver: { port: 0 }\nroutes:\n  demo: { upstream: ${oidc.mcpUrl} }\n`,
  })
  after(() => gateway.close())

  const session = await connectV1(`${gateway.url}/demo`, { person })
  after(() => session.close())
  assert.match(await session.call('whoami'), 'ann')

  const [registration] = oidc.recorder.to('POST /register')
  const registered = JSON.parse(registration?.body ?? '{}') as Record<string, unknown>
  assert.is(registered.application_type, 'web')
  assert.equal(registered.redirect_uris, [`${gateway.url}/upstream/callback/demo`])
  const asked = oidc.recorder.to('/authorize')[0]?.query
  assert.is(asked?.get('code_challenge_method'), 'S256')
  assert.is(asked?.get('resource'), oidc.mcpUrl)
  assert.is(oidc.recorder.to('POST /token')[0]?.form.get('resource'), oidc.mcpUrl)

  const second = await connectV2(`${gateway.url}/demo`, { person, mode: 'auto' })
  after(() => second.close())
  assert.match(await second.call('whoami'), 'ann')
  assert.is(oidc.recorder.count('POST /register'), 1, 'registered once')
  assert.is(oidc.recorder.to('POST /token').length, 1, 'one link for both clients')
})

test.run()
