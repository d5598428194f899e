// What a running gateway tells about itself: counts of real sign-ins, routes, and what becomes of edits.
import { readFile, rm, writeFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { createControl } from '../../src/control/control.ts'
import { countRoutes } from '../../src/control/numbers.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { indexes, keys } from '../../src/store/records.ts'
import { connectV1 } from '../support/clients.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute, openRoute } from '../support/yaml.ts'

const test = suite('control/control')

async function world({ after }: TestContext) {
  const [github, server] = await Promise.all([startGithub(), startMcpServer()])
  after(() => Promise.all([github.close(), server.close()]))
  const yaml = document(githubRoute('code', github), openRoute('tools', server))
  const gateway = await startGateway({ yaml, env: githubEnv(github) })
  after(() => gateway.close())
  const { app, follower, file } = gateway
  const control = createControl({ version: '1.2.3', app, source: 'gateways.yaml', file, follower })
  const connect = async (route: string) => {
    const session = await connectV1(`${gateway.url}/${route}`, { person: { ...USER, upstreamName: 'ann' } })
    after(() => session.close())
    return session
  }
  return { github, gateway, yaml, control, connect, file }
}

test('grants, people, connected accounts and open streams are counted by route', async (context) => {
  const { control, connect } = await world(context)
  const none = { grants: 0, subjects: 0, links: 0, streams: 0, partial: false }
  assert.equal(await control.numbers(), { code: none, tools: none })
  await connect('code')
  await connect('code')
  await connect('tools')
  const { code, tools } = await control.numbers()
  // A session of the SDK keeps one stream open.
  assert.equal({ ...code, streams: 0 }, { grants: 2, subjects: 1, links: 1, streams: 0, partial: false })
  assert.equal({ ...tools, streams: 0 }, { grants: 1, subjects: 1, links: 0, streams: 0, partial: false })
})

test('counting ends at a bound and says so', async (context) => {
  const { gateway } = await world(context)
  const store = memoryStore(Date.now)
  for (let id = 0; id < 5; id += 1) {
    const grant = { route: 'tools', subject: `users/${id % 2}`, refresh: { hash: '', expiresAtMs: 0 } }
    await store.put(keys.grant(String(id)), grant, { indexes: [indexes.byRoute('tools')] })
  }
  const current = gateway.app.current()
  const { tools: all } = await countRoutes(current, { store, streams: new Map() })
  assert.equal(all, { grants: 5, subjects: 2, links: 0, streams: 0, partial: false })
  const { tools: some } = await countRoutes(current, { store, streams: new Map(), max: 3 })
  assert.equal([some?.grants, some?.partial], [3, true])
})

test('a reload answers with the plan of what it applied, counted before it was', async (context) => {
  const { control, connect, gateway, yaml, github } = await world(context)
  await connect('code')
  assert.equal(await control.reload(), { outcome: 'unchanged', generation: 1 })
  await gateway.write(yaml.replace(`client_id: ${github.knobs.clientId}`, 'client_id: another'))
  const answer = await control.reload()
  if (answer.outcome !== 'applied') throw new Error(answer.outcome)
  assert.is(answer.generation, 2)
  const [code, tools] = answer.plan?.routes ?? []
  assert.equal([code?.route, code?.effect, code?.numbers?.subjects], ['code', 'reauthorize', 1])
  assert.is(tools?.effect, 'kept')
  assert.equal(
    control.routes().map(({ name, since }) => [name, since]),
    [
      ['code', 2],
      ['tools', 1],
    ],
  )
  assert.is(control.config().text, await readFile(gateway.file, 'utf8'))
})

test('a refused reload answers with places, again when asked again, and status tells both texts apart', async (context) => {
  const { control, gateway, yaml } = await world(context)
  assert.equal((await control.status()).file, 'same')
  await gateway.write(yaml.replace('auth: none', 'auth: nnoe'))
  assert.equal((await control.status()).file, 'differs')
  for (const time of ['first', 'second']) {
    const answer = await control.reload()
    assert.is(answer.outcome, 'refused', time)
    assert.is(answer.outcome === 'refused' && answer.problems[0]?.path, 'routes.tools.auth', time)
  }
  const { generation, stale, lastReload } = await control.status()
  assert.equal([generation, stale?.why, lastReload?.outcome], [1, 'refused', 'refused'])
  assert.is(
    lastReload?.problems?.[0]?.start.line,
    yaml.split('\n').findIndex((line) => line.includes('auth: none')) + 1,
  )
  assert.is(control.config().text, yaml, 'what runs is the last good text')

  await writeFile(gateway.file, yaml)
  assert.is.not((await control.reload()).outcome, 'refused')
  assert.is((await control.status()).stale, undefined)
  await rm(gateway.file)
  assert.is((await control.status()).file, 'unreadable')
  assert.is((await control.reload()).outcome, 'refused')
})

test('routes show where they lead and how, without what a URL carries besides', async (context) => {
  const { control, gateway, yaml, github } = await world(context)
  await gateway.write(
    yaml.replace(/upstream: (\S+)\n {4}auth: none/, 'upstream: $1?key=hunter2\n    auth: none'),
  )
  await control.reload()
  const [code, tools] = control.routes()
  assert.is(code?.auth, `authorization_code@${new URL(github.authorizationEndpoint).host}`)
  assert.equal([tools?.path, tools?.auth, tools?.access], ['/tools', 'none', 'anyone'])
  assert.match(tools?.upstream ?? '', /\?•••$/)
  assert.not.match(JSON.stringify([control.routes(), await control.status()]), 'hunter2')
})

test('what waits for a restart is named', async (context) => {
  const { control, gateway, yaml } = await world(context)
  await gateway.write(yaml.replace('port: 0', 'port: 8003'))
  await control.reload()
  assert.equal((await control.status()).restartPending, ['server.port'])
})

test.run()
