// Edits of the file of a running gateway: good ones take effect at once, bad ones change nothing and say where they are wrong.
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { connectV1 } from '../support/clients.ts'
import { startGateway, type TestGateway, USER } from '../support/gateway.ts'
import { startMcpServer, type TestMcpServer } from '../support/mcp-server.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'
import { mcpRequest, registerClient } from './oauth-client.ts'

const test = suite('flow/reload')

const REFUSED = 'reload refused, the running configuration stays'

async function world({ after }: TestContext) {
  const server = await startMcpServer()
  after(() => server.close())
  const yaml = document(openRoute('tools', server))
  const gateway = await startGateway({ yaml, watch: true })
  after(() => gateway.close())
  const session = await connectV1(`${gateway.url}/tools`, { person: USER })
  after(() => session.close())
  return { server, yaml, gateway, session }
}

/** Saves and resolves with what the gateway said of it. */
async function saved(gateway: TestGateway, write: () => Promise<unknown>): Promise<string> {
  const count = (event: string) => gateway.log.filter((line) => line.event === event).length
  const answers = ['reloaded', REFUSED].map((event) => gateway.logged(event, count(event) + 1))
  await write()
  const { event, fields } = await Promise.race(answers)
  return `${event}: ${fields.reason ?? ''}`
}

const mistakes: Record<string, [edit: (yaml: string, server: TestMcpServer) => string, says: RegExp]> = {
  'broken YAML': [(yaml) => yaml.replace('routes:', 'routes: ['), /gateways\.yaml:\d+:\d+/],
  'an unknown key': [(yaml) => yaml.replace('auth: none', 'auht: none'), /gateways\.yaml:\d+:5 .*auht/],
  'a route that cannot be': [
    (yaml, server) => yaml + openRoute('token', server, '    path: /token\n'),
    /gateways\.yaml:\d+:\d+ .*routes\.token/,
  ],
  'a variable that is not set': [
    (yaml) => yaml.replace('auth: none', 'auth: { type: api_key, value: "${NOT_SET}" }'),
    /gateways\.yaml:\d+:\d+ .*NOT_SET/,
  ],
  'a file without a word': [() => '# nothing here\n', /gateways\.yaml:1:1/],
}

test('a mistake changes nothing, is told with file, line and column, and the next good save counts', async (context) => {
  const { gateway, yaml, server, session } = await world(context)
  const before = gateway.app.current()
  for (const [name, [edit, says]] of Object.entries(mistakes)) {
    const said = await saved(gateway, () => gateway.write(edit(yaml, server)))
    assert.match(said, REFUSED, name)
    assert.match(said, says, name)
    assert.is(gateway.app.current(), before, name)
    assert.is(await session.call('add', { a: 1, b: 1 }), '2', name)
  }
  const good = yaml.replace('auth: none', 'auth: none\n    title: Mended')
  assert.is(await saved(gateway, () => gateway.write(good)), 'reloaded: ')
  assert.is(gateway.app.current().generation, before.generation + 1)
  assert.is(gateway.app.current().routes.get('tools')?.title, 'Mended')
})

test('a mistake that is taken back is a good save like any other', async (context) => {
  const { gateway, yaml } = await world(context)
  await saved(gateway, () => gateway.write('version: 2\n'))
  assert.is(await saved(gateway, () => gateway.write(yaml)), 'reloaded: ')
})

test('a file that is deleted leaves the gateway as it is; there again, it counts', async (context) => {
  const { gateway, yaml, session } = await world(context)
  await rm(gateway.file)
  const { fields } = await gateway.logged('the configuration file cannot be read')
  assert.match(String(fields.reason), 'ENOENT')
  assert.is(await session.call('add', { a: 2, b: 2 }), '4')
  const said = await saved(gateway, () => gateway.write(`${yaml}\n# there again\n`))
  assert.is(said, 'reloaded: ')
})

test('a file that is renamed over counts whole', async (context) => {
  const { gateway, yaml } = await world(context)
  const beside = join(gateway.folder, 'gateways.yaml.new')
  await writeFile(beside, yaml.replace('auth: none', 'auth: none\n    title: Renamed'))
  assert.is(await saved(gateway, () => rename(beside, gateway.file)), 'reloaded: ')
  assert.is(gateway.app.current().routes.get('tools')?.title, 'Renamed')
  assert.match(await readFile(gateway.file, 'utf8'), 'Renamed')
})

test('a new route is there without a restart, under the same gateway, for clients that know it already', async (context) => {
  const { gateway, yaml, server, session } = await world(context)
  const client = await registerClient(gateway.url)
  assert.is((await mcpRequest(`${gateway.url}/more`, undefined)).status, 404)
  await saved(gateway, () => gateway.write(yaml + openRoute('more', server)))
  assert.is((await mcpRequest(`${gateway.url}/more`, undefined)).status, 401)
  const person = { username: USER.username, password: USER.password }
  const { callback } = await client.signIn(client.browser(), person, { resource: `${gateway.url}/more` })
  assert.is((await client.redeem(callback)).body.scope, 'mcp:more')
  assert.is(await session.call('add', { a: 1, b: 2 }), '3', 'and nobody else notices')
})

test('a sign-in that is under way when the file is edited is finished under the new one', async (context) => {
  const { gateway, yaml } = await world(context)
  const client = await registerClient(gateway.url)
  const browser = client.browser()
  const page = await client.open(browser)
  await saved(gateway, () => gateway.write(yaml.replace('auth: none', 'auth: none\n    title: Edited')))
  const { sentTo } = await browser.submit(page.form(), { username: USER.username, password: USER.password })
  const { status, body } = await client.redeem(sentTo ?? new URL('a:b'))
  assert.equal([status, body.scope], [200, 'mcp:tools'])
})

test('a sign-in whose route is gone by then ends on a page that says so', async (context) => {
  const { gateway, server } = await world(context)
  const client = await registerClient(gateway.url)
  const browser = client.browser()
  const page = await client.open(browser)
  await saved(gateway, () => gateway.write(document(openRoute('other', server))))
  const end = await browser.submit(page.form(), { username: USER.username, password: USER.password })
  assert.is(end.sentTo, undefined)
  assert.is(end.status, 400)
  assert.match(end.text, 'The configuration changed')
})

test('what only a restart can change is told, and the rest of the edit counts', async (context) => {
  const { gateway, yaml } = await world(context)
  const edited = yaml.replace('port: 0', 'port: 1').replace('auth: none', 'auth: none\n    title: Live')
  assert.is(await saved(gateway, () => gateway.write(edited)), 'reloaded: ')
  const { fields } = await gateway.logged('a changed setting takes effect after a restart')
  assert.is(fields.setting, 'server.port')
  assert.is(gateway.app.current().routes.get('tools')?.title, 'Live')
})

test.run()
