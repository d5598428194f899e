// Reloads of a whole gateway: one after the other, all or nothing, secrets included.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { Client, callMcp } from '../security/client.ts'
import { obtainTokens, PASSWORD_HASHES, TWO_USERS, VICTIM } from '../security/world.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'

const test = suite('reload/app')

async function until(isSo: () => boolean | Promise<boolean>, withinMs = 2_500): Promise<void> {
  const begun = performance.now()
  while (!(await isSo())) {
    if (performance.now() - begun > withinMs) assert.unreachable(`not within ${withinMs} ms: ${isSo}`)
    await delay(20)
  }
}

async function upstream({ after }: TestContext) {
  const server = await startMcpServer()
  after(() => server.close())
  return server
}

test('reloads at the same time run one after the other, and the last one stays', async (context) => {
  const server = await upstream(context)
  const text = (index: number) => document(openRoute('tools', server, `    title: Number ${index}\n`))
  const gateway = await startGateway({ yaml: text(0) })
  context.after(() => gateway.close())
  const done = await Promise.all(
    Array.from({ length: 20 }, (_, index) => gateway.app.reload(text(index + 1))),
  )
  assert.equal(
    done.map(({ generation }) => generation),
    Array.from({ length: 20 }, (_, index) => index + 2),
  )
  assert.is(gateway.app.current().routes.get('tools')?.title, 'Number 20')
  assert.is(gateway.app.running().text, text(20))
})

test('sec-H5: after a refusal the last good text is what runs, and what others compare with', async (context) => {
  const server = await upstream(context)
  const good = document(openRoute('tools', server))
  const gateway = await startGateway({ yaml: good, watch: true })
  context.after(() => gateway.close())
  await gateway.write(good.replace('auth: none', 'auth: nothing'))
  await until(() => gateway.follower.stale()?.why === 'refused')
  assert.is(gateway.app.running().text, good)
  assert.is(gateway.follower.lastReload()?.kind, 'refused')
})

test('a rotated secret file reloads by itself; one that is missing changes nothing until it is back', async (context) => {
  const server = await upstream(context)
  const yaml = document(
    openRoute('tools', server).replace(
      'auth: none',
      'auth: { type: api_key, name: X-API-Key, value: "${file:key}" }',
    ),
  )
  const gateway = await startGateway({
    yaml,
    watch: true,
    prepare: (folder) => writeFile(join(folder, 'key'), 'one\n'),
  })
  context.after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const { tokens } = await obtainTokens({ client, person: USER })
  const sentKey = async () => {
    assert.is((await callMcp(`${gateway.url}/tools`, tokens.access)).status, 200)
    return server.recorder.requests.at(-1)?.headers['x-api-key']
  }
  assert.is(await sentKey(), 'one')
  const secret = join(gateway.folder, 'key')
  await writeFile(secret, 'two\n')
  await until(async () => (await sentKey()) === 'two')

  await rm(secret)
  await until(() => gateway.follower.stale()?.why === 'refused')
  assert.is(await sentKey(), 'two')
  await writeFile(secret, 'three\n')
  await until(async () => (await sentKey()) === 'three')
  assert.is(gateway.follower.stale(), undefined)
})

test('a file that names nobody any more is served with the one user there is then', async (context) => {
  const server = await upstream(context)
  const yaml = document(openRoute('tools', server)) + TWO_USERS
  const gateway = await startGateway({ yaml, env: PASSWORD_HASHES })
  context.after(() => gateway.close())
  const client = await Client.register(gateway.url)
  await obtainTokens({ client, person: VICTIM })
  await gateway.app.reload(document(openRoute('tools', server)))
  const user = gateway.app.initialUser
  assert.ok(user)
  await obtainTokens({ client, person: { username: user.name, password: user.password } })
  await gateway.app.reload(`${document(openRoute('tools', server))}login: { none: {} }\n`)
  assert.equal(
    gateway.app.current().logins.map(({ prefix }) => prefix),
    ['none/'],
    'and no password lets anybody in beside another login',
  )
})

test.run()
