// What a client is told when something is wrong with the upstream, with its request or with its address.
import { once } from 'node:events'
import { connect } from 'node:net'
import * as assert from 'uvu/assert'
import { connectV1 } from '../support/clients.ts'
import { startGateway, type TestGateway, USER } from '../support/gateway.ts'
import { listen } from '../support/http.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { freePort } from '../support/ports.ts'
import { sendRaw } from '../support/raw.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'
import { HELLO, mcpRequest, registerClient } from './oauth-client.ts'

const test = suite('flow/faults')

const route = (name: string, upstream: string, more = '') => `
  ${name}:
    upstream: ${upstream}
    auth: none
${more}`

async function gatewayTo(
  { after }: TestContext,
  yaml: string,
): Promise<{ gateway: TestGateway; token: string }> {
  const gateway = await startGateway({ yaml })
  after(() => gateway.close())
  return { gateway, token: await tokenFor(gateway, 'tools') }
}

async function tokenFor(gateway: TestGateway, name: string): Promise<string> {
  const client = await registerClient(gateway.url)
  const person = { username: USER.username, password: USER.password }
  const { callback } = await client.signIn(client.browser(), person, { resource: `${gateway.url}/${name}` })
  return String((await client.redeem(callback)).body.access_token)
}

interface RpcError {
  jsonrpc: string
  id?: unknown
  error: { code: number; message: string }
}

async function rpcError(answer: Response): Promise<RpcError> {
  assert.match(answer.headers.get('content-type') ?? '', 'application/json')
  return (await answer.json()) as RpcError
}

test('spec-P6: an upstream that is down: 502 at once, a JSON-RPC error that carries the id of the request', async (context) => {
  const { gateway, token } = await gatewayTo(
    context,
    document(route('tools', `http://127.0.0.1:${await freePort()}/mcp`)),
  )
  for (const id of ['text-id', 7]) {
    const answer = await mcpRequest(`${gateway.url}/tools`, token, { message: { ...HELLO, id } })
    assert.is(answer.status, 502)
    const { jsonrpc, id: answered, error } = await rpcError(answer)
    assert.equal([jsonrpc, answered, error.code], ['2.0', id, -32603])
    assert.not.match(error.message, /127\.0\.0\.1|ECONNREFUSED/, 'where it is, is nobody’s business')
  }
  assert.is((await mcpRequest(`${gateway.url}/tools`, token, { method: 'GET' })).status, 502)
})

test('an upstream that never answers: 504 after the time the route allows', async (context) => {
  const silent = await listen(() => {})
  context.after(silent.close)
  const yaml = document(route('tools', `${silent.origin}/mcp`, '    timeouts: { response: 200ms }\n'))
  const { gateway, token } = await gatewayTo(context, yaml)
  const answer = await mcpRequest(`${gateway.url}/tools`, token)
  assert.is(answer.status, 504)
  assert.is((await rpcError(answer)).id, HELLO.id)
})

test('an upstream that hangs up on us: 502', async (context) => {
  const rude = await listen((request) => request.socket.destroy())
  context.after(rude.close)
  const { gateway, token } = await gatewayTo(context, document(route('tools', `${rude.origin}/mcp`)))
  const answer = await mcpRequest(`${gateway.url}/tools`, token)
  assert.is(answer.status, 502)
  assert.is((await rpcError(answer)).id, HELLO.id)
})

test('an upstream that was down and is back is used again, by a client that stayed', async ({ after }) => {
  const first = await startMcpServer({ sdk: 'v2', legacy: 'stateless', port: await freePort() })
  const gateway = await startGateway({ yaml: document(openRoute('tools', first)) })
  after(() => gateway.close())
  const session = await connectV1(`${gateway.url}/tools`, { person: USER })
  after(() => session.close())
  await first.close()
  const error = await session.call('add', { a: 1, b: 1 }).catch((failure: unknown) => failure)
  assert.match(String(error), 'could not be reached')
  const second = await startMcpServer({ sdk: 'v2', legacy: 'stateless', port: first.port })
  after(() => second.close())
  assert.is(await session.call('add', { a: 1, b: 1 }), '2')
})

test('one route is down, the other goes on', async (context) => {
  const server = await startMcpServer()
  context.after(() => server.close())
  const yaml = document(route('down', `http://127.0.0.1:${await freePort()}/mcp`), openRoute('tools', server))
  const { gateway, token } = await gatewayTo(context, yaml)
  const [down, up] = await Promise.all([
    mcpRequest(`${gateway.url}/down`, await tokenFor(gateway, 'down')),
    mcpRequest(`${gateway.url}/tools`, token),
  ])
  assert.equal([down.status, up.status], [502, 200])
})

test('a body over the limit: 413, and nothing of it at the upstream, whether its size was told or not', async (context) => {
  const server = await startMcpServer()
  context.after(() => server.close())
  const yaml = document(openRoute('tools', server, '    limits: { max_body: 1KiB }\n'))
  const { gateway, token } = await gatewayTo(context, yaml)
  const large = JSON.stringify({ ...HELLO, padding: 'x'.repeat(2048) })
  const told = await mcpRequest(`${gateway.url}/tools`, token, { message: large })
  assert.is(told.status, 413)
  assert.is((await rpcError(told)).error.code, -32600)

  const chunked = await sendRaw(gateway.url, {
    method: 'POST',
    target: '/tools',
    headers: [
      ['Authorization', `Bearer ${token}`],
      ['Content-Type', 'application/json'],
      ['Transfer-Encoding', 'chunked'],
    ],
    body: `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`,
  })
  assert.is(chunked.status, 413)
  assert.is(server.recorder.count(), 0)
  assert.is((await mcpRequest(`${gateway.url}/tools`, token)).status, 200, 'the next one is fine')
})

test('a method that MCP does not use: 405 with those that it does', async (context) => {
  const server = await startMcpServer()
  context.after(() => server.close())
  const { gateway, token } = await gatewayTo(context, document(openRoute('tools', server)))
  for (const method of ['PUT', 'PATCH']) {
    const answer = await fetch(`${gateway.url}/tools`, {
      method,
      headers: { authorization: `Bearer ${token}` },
    })
    assert.is(answer.status, 405, method)
    assert.is(answer.headers.get('allow'), 'POST, GET, DELETE', method)
    assert.is((await rpcError(answer)).error.code, -32600, method)
  }
  assert.is(server.recorder.count(), 0)
})

test('sec-M2: every other address is the same JSON 404, for people and programs, with and without a token', async (context) => {
  const server = await startMcpServer()
  context.after(() => server.close())
  const { gateway, token } = await gatewayTo(context, document(openRoute('tools', server)))
  const addresses: [method: string, path: string][] = [
    ['GET', '/nowhere'],
    ['POST', '/nowhere'],
    ['GET', '/tools/'],
    ['GET', '/tools/deeper'],
    ['GET', '/Tools'],
    ['GET', '/token'],
    ['GET', '/register'],
    ['GET', '/login'],
    ['POST', '/authorize'],
    ['DELETE', '/upstream/callback'],
    ['GET', '/.well-known/security.txt'],
    ['GET', '/favicon.ico'],
  ]
  const bodies = new Set<string>()
  for (const [method, path] of addresses) {
    const headers = { accept: 'text/html', authorization: `Bearer ${token}` }
    const answer = await fetch(gateway.url + path, { method, headers })
    assert.is(answer.status, 404, `${method} ${path}`)
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/, `${method} ${path}`)
    bodies.add(await answer.text())
  }
  assert.is(bodies.size, 1)
})

test('a client that leaves while its answer streams: the upstream hears of it', async (context) => {
  const server = await startMcpServer()
  context.after(() => server.close())
  const { gateway, token } = await gatewayTo(context, document(openRoute('tools', server)))
  const { port } = new URL(gateway.url)
  const socket = connect(Number(port), '127.0.0.1')
  const head = [
    'GET /tools HTTP/1.1',
    `Host: localhost:${port}`,
    `Authorization: Bearer ${token}`,
    'Accept: text/event-stream',
  ]
  const opened = await mcpRequest(`${gateway.url}/tools`, token)
  socket.write([...head, `Mcp-Session-Id: ${opened.headers.get('mcp-session-id')}`, '', ''].join('\r\n'))
  const stream = await server.recorder.arrival('GET /mcp')
  await once(socket, 'data')
  socket.destroy()
  assert.is(await stream.outcome, 'aborted')
})

test('the gateway ends in time although somebody holds a connection that never asked for anything', async () => {
  const server = await startMcpServer()
  const gateway = await startGateway({ yaml: document(openRoute('tools', server)) })
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
  await once(socket, 'connect')
  const gone = once(socket, 'close')
  await gateway.close()
  await gone
  await server.close()
})

test.run()
