// MCP 2026-07-28 end to end: SDK v2 pinned to it on both sides, behind every auth type that has no screen 2.
import type { Client } from '@modelcontextprotocol/client'
import * as assert from 'uvu/assert'
import { type ConnectedV2, connectV2 } from '../support/clients.ts'
import { startGateway, type TestGateway, USER } from '../support/gateway.ts'
import { type StaticKey, startMcpServer, type TestMcpServer } from '../support/mcp-server.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'

const test = suite('flow/stateless')

interface World {
  server: TestMcpServer
  gateway: TestGateway
  session: ConnectedV2
}

async function world(
  { after }: TestContext,
  route: (server: TestMcpServer) => string,
  key?: StaticKey,
): Promise<World> {
  const server = await startMcpServer({ sdk: 'v2', ...(key && { key }) })
  after(() => server.close())
  const env = { API_KEY: key?.value ?? '' }
  const gateway = await startGateway({ yaml: document(route(server)), env })
  after(() => gateway.close())
  const session = await connectV2(`${gateway.url}/tools`, { person: USER })
  after(() => session.close())
  return { server, gateway, session }
}

const open = (server: TestMcpServer) => openRoute('tools', server)

const keyed = (key: StaticKey) => (server: TestMcpServer) =>
  `
  tools:
    upstream: ${server.url}
    auth: { type: api_key, in: ${key.in}, name: ${key.name}, value: "\${API_KEY}" }
`

/** What every MCP server needs to work behind the gateway, whatever it is shown. */
async function usesEverything({ session, server }: World): Promise<void> {
  assert.is(session.provider.signIns[0]?.pages.length, 1, 'one screen')
  const { tools } = await session.client.listTools()
  assert.ok(tools.some(({ name }) => name === 'countdown'))
  assert.is(await session.call('add', { a: 19, b: 23 }), '42')
  assert.equal(await session.countdown(4), ['3', '2', '1', '0'], 'progress streams in order')
  assert.ok(server.recorder.requests.every(({ headers }) => headers['mcp-protocol-version'] === '2026-07-28'))
  const token = session.provider.current?.access_token ?? ''
  assert.not.ok(server.recorder.saw(token), 'the token of the gateway stays here')
}

test('behind auth none: list, call, stream; the upstream sees mcp-* headers and neither token nor cookie', async (context) => {
  const met = await world(context, open)
  await usesEverything(met)
  const headers = JSON.parse(await met.session.call('echo-headers')) as Record<string, string>
  assert.is(headers['mcp-protocol-version'], '2026-07-28')
  assert.is(headers['mcp-method'], 'tools/call')
  assert.is(headers['mcp-name'], 'echo-headers')
  assert.is(headers.authorization, undefined)
  assert.is(headers.cookie, undefined)
  assert.is(headers.host, new URL(met.server.url).host)
  const names = Object.keys(headers).filter((name) => name.startsWith('x-forwarded') || name === 'forwarded')
  assert.equal(names, [])
})

test('behind a key in a header: it is sent with every request, under its name alone', async (context) => {
  const key = { in: 'header', name: 'X-Api-Key', value: 'key-canary' } as const
  const met = await world(context, keyed(key), key)
  await usesEverything(met)
  assert.ok(met.server.recorder.requests.every(({ headers }) => headers['x-api-key'] === 'key-canary'))
  assert.ok(met.server.recorder.requests.every(({ headers }) => headers.authorization === undefined))
})

test('behind a key in the query: it is added to the URL, and none of it reaches the client', async (context) => {
  const key = { in: 'query', name: 'api_key', value: 'key&canary +ü' } as const
  const met = await world(context, keyed(key), key)
  await usesEverything(met)
  assert.ok(met.server.recorder.requests.every(({ query }) => query.get('api_key') === 'key&canary +ü'))
  const shown = JSON.stringify([
    await met.session.call('echo-headers'),
    met.session.provider.signIns[0]?.pages[0]?.html,
  ])
  assert.not.match(shown, 'canary')
})

/** Resolves when the server has told this client that its tools changed. */
const toolsChanged = (client: Client) =>
  new Promise<void>((resolve) =>
    client.setNotificationHandler('notifications/tools/list_changed', () => resolve()),
  )

test('subscriptions/listen: a stream that stays open beside calls, delivers, and is closed by the client', async (context) => {
  const { session, server } = await world(context, open)
  const changed = toolsChanged(session.client)
  const subscription = await session.client.listen({ toolsListChanged: true })
  assert.equal(subscription.honoredFilter, { toolsListChanged: true })
  assert.is(await session.call('add', { a: 1, b: 1 }), '2', 'calls go on beside it')
  await server.endpoint.notify()
  await changed
  const listening = server.recorder.requests.find(
    ({ headers }) => headers['mcp-method'] === 'subscriptions/listen',
  )
  await subscription.close()
  assert.is(await listening?.outcome, 'aborted', 'the upstream hears of it')
  assert.is(await subscription.closed, 'local')
})

test('spec-P4: a call that the client gives up is given up at the upstream', async (context) => {
  const { session, server } = await world(context, open)
  const abort = new AbortController()
  const failed = session.client
    .callTool({ name: 'hold', arguments: {} }, { signal: abort.signal, onprogress: () => {} })
    .catch((error: unknown) => error)
  await server.held.opened()
  abort.abort('enough')
  assert.instance(await failed, Error)
  await server.held.allGone()
})

test('twenty streams of one client run side by side, each with its own answer', async (context) => {
  const { session, server } = await world(context, open)
  const held = Array.from({ length: 20 }, () => session.call('hold'))
  await server.held.opened(20)
  await server.held.push('still here')
  assert.is(await session.call('add', { a: 2, b: 2 }), '4')
  server.held.release('done')
  assert.equal(
    await Promise.all(held),
    Array.from({ length: 20 }, () => 'done'),
  )
})

test.run()
