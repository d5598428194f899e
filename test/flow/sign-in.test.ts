// The main job, with real clients: both screens, tools, streams, refresh.
import * as assert from 'uvu/assert'
import { connectV1, connectV2 } from '../support/clients.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { startOidc } from '../support/oidc.ts'
import { suite } from '../support/suite.ts'
import { document, githubEnv, githubRoute, oidcRoute } from '../support/yaml.ts'

const test = suite('flow/sign-in')

test('SDK v1 signs in on both screens at a GitHub look-alike, lists and calls tools, streams and refreshes', async ({
  after,
}) => {
  const github = await startGithub({ page: true })
  after(() => github.close())
  const gateway = await startGateway({
    yaml: document(githubRoute('github', github)),
    env: githubEnv(github),
  })
  after(() => gateway.close())

  const session = await connectV1(`${gateway.url}/github`, { person: { ...USER, upstreamName: 'octocat' } })
  after(() => session.close())

  const [signIn] = session.provider.signIns
  assert.is(signIn?.pages.length, 2, 'screen 1 and screen 2')
  assert.match(signIn?.pages[0]?.text ?? '', 'Test client wants to use github')
  assert.match(signIn?.pages[0]?.text ?? '', 'read:user')
  const { tools } = await session.client.listTools()
  assert.ok(tools.some(({ name }) => name === 'add'))
  assert.match(await session.call('add', { a: 2, b: 3 }), '5')
  assert.match(await session.call('whoami'), 'octocat')
  assert.equal((await session.countdown(3)).length, 3)

  const before = session.provider.current?.access_token
  await session.refresh()
  assert.is.not(session.provider.current?.access_token, before)
  assert.match(await session.call('add', { a: 20, b: 3 }), '23')
  assert.not.ok(github.recorder.saw(before ?? '-'), 'the upstream never sees a token of the gateway')
})

test('SDK v1 and v2 sign in at oidc-provider and call tools', async ({ after }) => {
  const oidc = await startOidc()
  after(() => oidc.close())
  const gateway = await startGateway({ yaml: document(oidcRoute('oidc', oidc)) })
  after(() => gateway.close())

  const person = { ...USER, upstreamName: 'ann' }
  const first = await connectV1(`${gateway.url}/oidc`, { person })
  after(() => first.close())
  assert.match(await first.call('whoami'), 'ann')

  const second = await connectV2(`${gateway.url}/oidc`, { person, mode: 'auto' })
  after(() => second.close())
  assert.match(await second.call('whoami'), 'ann')
  await second.refresh()
  assert.match(await second.call('add', { a: 1, b: 1 }), '2')
})

test.run()
