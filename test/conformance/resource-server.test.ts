// The MCP path towards clients: who gets in, what everybody else is told, and from where a browser may ask (spec-R…).

import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import * as assert from 'uvu/assert'
import { Client, callMcp, callTool, INITIALIZE, send } from '../security/client.ts'
import {
  ATTACKER,
  assertAccess,
  newBrowser,
  obtainTokens,
  startWorld,
  withoutUpstream,
} from '../security/world.ts'
import { startGateway } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { sendRaw } from '../support/raw.ts'
import { suite } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'

const test = suite('conformance/resource-server')

test('spec-R1, spec-R3: every method needs a token, with a session or without; each 401 says where to get one', async (context) => {
  const world = await startWorld(context)
  const { tokens } = await obtainTokens({ client: await Client.register(world.url) })
  const opened = await callMcp(world.mcpUrl, tokens.access)
  const session = opened.headers.get('mcp-session-id') ?? ''
  const metadata = `${world.url}/.well-known/oauth-protected-resource/github`
  await withoutUpstream(world, async () => {
    for (const method of ['POST', 'GET', 'DELETE']) {
      for (const headers of [
        {},
        { 'mcp-session-id': session },
        { 'mcp-session-id': session, 'last-event-id': '1' },
      ]) {
        const body = method === 'POST' ? JSON.stringify(INITIALIZE) : null
        const type = { 'content-type': 'application/json' }
        for (const accept of ['application/json', 'text/event-stream']) {
          const answer = await send(world.mcpUrl, { method, body, headers: { ...type, accept, ...headers } })
          assert.is(answer.status, 401, method)
          assert.is(
            answer.headers.get('www-authenticate'),
            `Bearer scope="mcp:github", resource_metadata="${metadata}"`,
            'nothing was presented, so nothing was wrong with it',
          )
        }
      }
    }
    const preflight = await send(world.mcpUrl, {
      method: 'OPTIONS',
      headers: { origin: world.url, 'access-control-request-method': 'POST' },
    })
    assert.is(preflight.status, 204)
  })
  await assertAccess(world, tokens.access)
})

test('spec-R3, spec-R2: a token that is not good is named so, in one challenge on one line, Bearer first', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const { tokens } = await obtainTokens({ client: await Client.register(world.url) })
  const refused = async (bearer: string) => {
    const answer = await withoutUpstream(world, () =>
      sendRaw(world.url, {
        method: 'POST',
        target: '/github',
        headers: [['Authorization', bearer]],
        body: JSON.stringify(INITIALIZE),
      }),
    )
    assert.is(answer.status, 401, bearer)
    const [challenge = '', ...others] = answer.all('www-authenticate')
    assert.equal(others, [])
    assert.match(challenge, /^Bearer error="invalid_token"(?:, [a-z_]+="[^"\\]*")+$/)
    for (const name of ['error_description', 'scope', 'resource_metadata'])
      assert.is(challenge.split(`${name}="`).length, 2, name)
    assert.is(answer.header('cache-control'), 'no-store')
  }
  for (const bearer of [
    'Bearer unknown',
    `Bearer ${tokens.refresh}`,
    `Bearer ${tokens.access}x`,
    'Bearer',
    'Basic eDp5',
    tokens.access,
  ])
    await refused(bearer)
  clock.now += 60 * 60_000 + 1
  await refused(`Bearer ${tokens.access}`)
})

test('spec-R2: 401 without a good token, 403 without the right, 400 for what is no proper request', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client })
  const bearer: [string, string] = ['Authorization', `Bearer ${tokens.access}`]
  const body = JSON.stringify(INITIALIZE)
  const cases: [status: number, headers: [string, string][]][] = [
    [401, []],
    [401, [['Authorization', 'Bearer wrong']]],
    [403, [bearer, ['Origin', 'https://evil.test']]],
    [400, [bearer, bearer]],
    [400, [bearer, ['Mcp-Session-Id', 'a'], ['Mcp-Session-Id', 'b']]],
  ]
  await withoutUpstream(world, async () => {
    for (const [status, headers] of cases) {
      const answer = await sendRaw(world.url, { method: 'POST', target: '/github', headers, body })
      assert.is(answer.status, status, JSON.stringify(headers))
      assert.ok('error' in JSON.parse(answer.body))
    }
    const { app } = world.gateway
    const text = app.running().text
    await app.reload(text.replace('    auth:', '    access: { users: [attacker] }\n    auth:'))
    assert.is((await callMcp(world.mcpUrl, tokens.access)).status, 403)
    await app.reload(text)
  })
  await assertAccess(world, tokens.access)
})

test('spec-R8, sec-P17: a session opens nothing by itself, and nothing to anybody but its own person', async (context) => {
  const world = await startWorld(context, { upstream: { login: 'victim-account' } })
  const victim = await obtainTokens({ client: await Client.register(world.url) })
  const opened = await callMcp(world.mcpUrl, victim.tokens.access)
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
  const whoami = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'whoami', arguments: {} } }
  world.github.knobs.login = 'attacker-account'
  const thief = await obtainTokens({
    client: await Client.register(world.url),
    browser: newBrowser(),
    person: ATTACKER,
  })
  await withoutUpstream(world, async () => {
    assert.is((await callMcp(world.mcpUrl, undefined, whoami, session)).status, 401)
    assert.is((await callMcp(world.mcpUrl, thief.tokens.access, whoami, session)).status, 404)
  })
  assert.is(await callTool(world.mcpUrl, thief.tokens.access, 'whoami'), 'attacker-account')
  assert.match((await callMcp(world.mcpUrl, victim.tokens.access, whoami, session)).text, 'victim-account')
})

test('spec-R6: without a word in the configuration only this machine is listened to', async (context) => {
  const upstream = await startMcpServer()
  context.after(() => upstream.close())
  const gateway = await startGateway({ yaml: document(openRoute('open', upstream)) })
  context.after(() => gateway.close())
  const outside = Object.values(networkInterfaces())
    .flat()
    .filter((address) => address?.family === 'IPv4' && !address.internal)
  for (const address of outside)
    assert.is(await connects(gateway.app.port, address?.address ?? ''), false, address?.address)
  assert.is(await connects(gateway.app.port, '127.0.0.1'), true)
})

function connects(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 2_000 })
    const over = (connected: boolean) => {
      socket.destroy()
      resolve(connected)
    }
    socket
      .on('connect', () => over(true))
      .on('error', () => over(false))
      .on('timeout', () => over(false))
  })
}

test.run()
