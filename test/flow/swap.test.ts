// A route gets another upstream by an edit of the file, while clients use it. Nothing is restarted, nothing is cut.
import * as assert from 'uvu/assert'
import { type ConnectedV1, connectV1 } from '../support/clients.ts'
import { startGateway, type TestGateway, USER } from '../support/gateway.ts'
import { type Github, startGithub } from '../support/github.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { startOidc } from '../support/oidc.ts'
import { suite } from '../support/suite.ts'
import { document, githubEnv, githubRoute, oidcRoute, openRoute } from '../support/yaml.ts'
import { challengeOf, mcpRequest } from './oauth-client.ts'

const test = suite('flow/swap')

/** Saves the file and waits until the gateway has taken it over by itself. */
async function edit(gateway: TestGateway, yaml: string): Promise<void> {
  const { generation } = gateway.app.current()
  await gateway.write(yaml)
  await gateway.logged('reloaded', generation)
  assert.is(gateway.app.current().generation, generation + 1)
}

test('auth none: a stream lives on to its end, the next request meets the new upstream', async ({
  after,
}) => {
  const [before, next] = await Promise.all([
    startMcpServer({ sdk: 'v2', legacy: 'stateless' }),
    startMcpServer({ sdk: 'v2', legacy: 'stateless' }),
  ])
  after(() => Promise.all([before.close(), next.close()]))
  const gateway = await startGateway({ yaml: document(openRoute('tools', before)), watch: true })
  after(() => gateway.close())
  const session = await connectV1(`${gateway.url}/tools`, { person: USER })
  after(() => session.close())

  const seen: string[] = []
  const held = session.client.callTool({ name: 'hold', arguments: {} }, undefined, {
    onprogress: ({ message }) => seen.push(message ?? ''),
  })
  await before.held.opened()
  await edit(gateway, document(openRoute('tools', next)))
  const asked = before.recorder.count()

  assert.is(await session.call('add', { a: 20, b: 22 }), '42')
  assert.is(before.recorder.count(), asked, 'the old upstream is asked nothing more')
  assert.is(next.recorder.count('POST /mcp'), 1)
  await before.held.push('still here')
  before.held.release('done')
  assert.equal((await held).content, [{ type: 'text', text: 'done' }])
  assert.equal(seen, ['held', 'still here'])
  assert.is(session.provider.signIns.length, 1, 'nobody signed in again')
})

test('auth none: a countdown that began before the edit counts to its end', async ({ after }) => {
  const [before, next] = await Promise.all([
    startMcpServer({ sdk: 'v2', legacy: 'stateless' }),
    startMcpServer({ sdk: 'v2', legacy: 'stateless' }),
  ])
  after(() => Promise.all([before.close(), next.close()]))
  const gateway = await startGateway({ yaml: document(openRoute('tools', before)), watch: true })
  after(() => gateway.close())
  const session = await connectV1(`${gateway.url}/tools`, { person: USER })
  after(() => session.close())
  const steps = 40
  const progress: string[] = []
  let counting: Promise<unknown> = Promise.resolve()
  await new Promise<void>((started) => {
    const call = { name: 'countdown', arguments: { from: steps, interval_ms: 25 } }
    const onprogress = ({ message }: { message?: string | undefined }) => {
      progress.push(message ?? '')
      started()
    }
    counting = session.client.callTool(call, undefined, { onprogress })
  })
  await edit(gateway, document(openRoute('tools', next)))
  assert.ok(progress.length < steps, 'the edit was taken over while it counted')
  await counting
  assert.is(progress.length, steps)
})

const tokensOf = (github: Github) => github.tokens().map(({ token }) => token)
const exchanges = (github: Github) => github.recorder.count('POST /login/oauth/access_token')

/** Signs in again with what the client still has, as an application does that met a 401. */
const again = (url: string, session: ConnectedV1) => connectV1(url, { provider: session.provider })

test('sec-H4: OAuth: 401 until the person has signed in again, and no token crosses over', async ({
  after,
}) => {
  const [one, two] = await Promise.all([startGithub(), startGithub({ login: 'second-octocat' })])
  after(() => Promise.all([one.close(), two.close()]))
  const yamls = { one: document(githubRoute('github', one)), two: document(githubRoute('github', two)) }
  const gateway = await startGateway({ yaml: yamls.one, env: githubEnv(one), watch: true })
  after(() => gateway.close())
  const url = `${gateway.url}/github`
  const session = await connectV1(url, { person: USER })
  after(() => session.close())
  const oldTokens = tokensOf(one)

  const held = session.call('hold')
  held.catch(() => undefined) // awaited below; a failure before that must be the one that is told
  await one.held.opened()
  await edit(gateway, yamls.two)

  const refused = await mcpRequest(url, session.provider.current?.access_token)
  const { status, parameters } = await challengeOf(refused)
  assert.is(status, 401)
  assert.is(parameters.error, 'invalid_token')
  assert.is(parameters.resource_metadata, `${gateway.url}/.well-known/oauth-protected-resource/github`)
  assert.is(two.recorder.count(), 0, 'the new upstream was asked nothing at all')
  one.held.release('let go')
  assert.is(await held, 'let go', 'the stream that was open lives on')

  const moved = await again(url, session)
  after(() => moved.close())
  assert.match(await moved.call('whoami'), 'second-octocat')
  assert.is(session.provider.signIns.length, 2)
  for (const token of oldTokens)
    assert.not.ok(two.recorder.saw(token), "the old upstream's token never went there")
  for (const token of tokensOf(two)) assert.not.ok(one.recorder.saw(token))
  for (const { access_token: token } of session.provider.received) {
    assert.not.ok(one.recorder.saw(token) || two.recorder.saw(token), 'nor did a token of the gateway')
  }

  await edit(gateway, yamls.one)
  const back = await again(url, session)
  after(() => back.close())
  assert.match(await back.call('whoami'), 'octocat')
  assert.equal([exchanges(one), exchanges(two)], [1, 1], 'swapped back, the old link is there again')
  assert.equal(tokensOf(one), oldTokens)
})

test('another client of the same person goes on by itself once one of them has signed in again', async ({
  after,
}) => {
  const [one, two] = await Promise.all([startGithub(), startGithub({ login: 'second-octocat' })])
  after(() => Promise.all([one.close(), two.close()]))
  const gateway = await startGateway({
    yaml: document(githubRoute('github', one)),
    env: githubEnv(one),
    watch: true,
  })
  after(() => gateway.close())
  const url = `${gateway.url}/github`
  const first = await connectV1(url, { person: USER })
  after(() => first.close())
  const second = await connectV1(url, { person: USER })
  after(() => second.close())

  await edit(gateway, document(githubRoute('github', two)))
  const moved = await again(url, first)
  after(() => moved.close())
  assert.is((await mcpRequest(url, second.provider.current?.access_token)).status, 200)
  assert.is(second.provider.signIns.length, 1)
})

test('from one kind of upstream to another and on to none: each edit is met by the next request', async ({
  after,
}) => {
  const [github, oidc, open] = await Promise.all([startGithub(), startOidc(), startMcpServer()])
  after(() => Promise.all([github.close(), oidc.close(), open.close()]))
  const gateway = await startGateway({
    yaml: document(githubRoute('a', github)),
    env: githubEnv(github),
    watch: true,
  })
  after(() => gateway.close())
  const url = `${gateway.url}/a`
  const session = await connectV1(url, { person: { ...USER, upstreamName: 'ann' } })
  after(() => session.close())
  assert.match(await session.call('whoami'), 'octocat')

  await edit(gateway, document(oidcRoute('a', oidc)))
  const atOidc = await again(url, session)
  after(() => atOidc.close())
  assert.match(await atOidc.call('whoami'), 'ann')
  assert.not.ok(oidc.recorder.saw(tokensOf(github)[0] ?? ''))

  await edit(gateway, document(openRoute('a', open)))
  const atOpen = await again(url, session)
  after(() => atOpen.close())
  assert.is(await atOpen.call('whoami'), 'nobody')
  assert.is(
    session.provider.signIns.length,
    2,
    'the token of the gateway is still good: no account is needed now',
  )
  assert.ok(open.recorder.requests.every(({ headers }) => headers.authorization === undefined))
})

test('a route that is taken out is gone at once, and its clients are not told apart from anybody', async ({
  after,
}) => {
  const server = await startMcpServer()
  after(() => server.close())
  const both = document(openRoute('b', server), openRoute('a', server))
  const gateway = await startGateway({ yaml: both, watch: true })
  after(() => gateway.close())
  const session = await connectV1(`${gateway.url}/b`, { person: USER })
  after(() => session.close())
  const token = session.provider.current?.access_token
  await edit(gateway, document(openRoute('a', server)))
  const [gone, never] = await Promise.all(
    ['b', 'x'].map((path) => mcpRequest(`${gateway.url}/${path}`, token)),
  )
  assert.equal([gone?.status, await gone?.text()], [404, await never?.text()])
  await edit(gateway, both)
  assert.is((await mcpRequest(`${gateway.url}/b`, token)).status, 200, 'put back, its tokens are good again')
})

test.run()
