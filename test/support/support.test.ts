// The test servers and clients, tried against each other without the gateway.
import * as assert from 'uvu/assert'
import { Browser } from './browser.ts'
import { connectOnceV1, connectOnceV2, connectV1, connectV2 } from './clients.ts'
import { startMcpServer } from './mcp-server.ts'
import { AuthorizationFailed } from './oauth-provider.ts'
import { startOidc } from './oidc.ts'
import { suite } from './suite.ts'

const test = suite('support/servers')

test('SDK v1 client: signs in at the demo upstream, calls tools, streams, refreshes', async ({ after }) => {
  const oidc = await startOidc()
  after(() => oidc.close())
  const alice = await connectV1(oidc.mcpUrl, { person: { upstreamName: 'alice' } })
  after(() => alice.close())
  const { tools } = await alice.client.listTools()
  assert.equal(tools.map(({ name }) => name).sort(), ['add', 'countdown', 'whoami'])
  assert.is(await alice.call('add', { a: 2, b: 40 }), '42')
  assert.match(await alice.call('whoami'), /You are alice/)
  assert.equal(await alice.countdown(3), ['2', '1', '0'])
  assert.is(alice.provider.signIns[0]?.pages.length, 1)
  const before = alice.provider.current
  await alice.refresh()
  assert.is.not(alice.provider.current?.access_token, before?.access_token)
  assert.is.not(alice.provider.current?.refresh_token, before?.refresh_token)
  assert.is(await alice.call('add', { a: 1, b: 1 }), '2')
  assert.is(alice.client.getServerVersion()?.name, 'demo-upstream')
})

test('the demo upstream refreshes an expired token, and can keep its refresh token', async ({ after }) => {
  const oidc = await startOidc({ accessTokenTtlSeconds: 1, rotateRefreshTokens: false })
  after(() => oidc.close())
  const { call, close, provider } = await connectV1(oidc.mcpUrl, { person: { upstreamName: 'bob' } })
  after(close)
  await new Promise((resolve) => setTimeout(resolve, 1100))
  assert.match(await call('whoami'), /You are bob/)
  assert.is(provider.signIns.length, 1)
  assert.ok(provider.received.length >= 2)
  assert.is(provider.received.at(-1)?.refresh_token, provider.received[0]?.refresh_token)
})

test('SDK v2 client: signs in at the demo upstream, which speaks the older revision', async ({ after }) => {
  const oidc = await startOidc()
  after(() => oidc.close())
  const carol = await connectV2(oidc.mcpUrl, { person: { upstreamName: 'carol' }, mode: 'auto' })
  after(() => carol.close())
  assert.match(await carol.call('whoami'), /You are carol/)
  assert.equal(await carol.countdown(2), ['1', '0'])
  await carol.refresh()
  assert.is(await carol.call('add', { a: 1, b: 2 }), '3')
})

test('denying at the demo upstream ends in access_denied', async ({ after }) => {
  const oidc = await startOidc()
  after(() => oidc.close())
  const person = { upstreamName: 'dan', denyAt: oidc.issuer }
  const error = await connectV1(oidc.mcpUrl, { person }).catch((failure: unknown) => failure)
  assert.ok(error instanceof AuthorizationFailed)
  assert.is(error.error, 'access_denied')
})

test('the demo upstream refuses tokens of another one, and sessions of another user', async ({ after }) => {
  const [one, two] = await Promise.all([startOidc(), startOidc()])
  after(() => Promise.all([one.close(), two.close()]))
  const alice = await connectV1(one.mcpUrl, { person: { upstreamName: 'alice' } })
  after(() => alice.close())
  const headers = { authorization: `Bearer ${alice.provider.current?.access_token}` }
  const elsewhere = await fetch(two.mcpUrl, { method: 'POST', headers })
  assert.is(elsewhere.status, 401)
  assert.match(elsewhere.headers.get('www-authenticate') ?? '', /resource_metadata=.*error="invalid_token"/)
  const mallory = await connectV1(one.mcpUrl, { person: { upstreamName: 'mallory' } })
  after(() => mallory.close())
  const stolen = await fetch(one.mcpUrl, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${mallory.provider.current?.access_token}`,
      'mcp-session-id': alice.transport.sessionId ?? '',
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
  })
  assert.is(stolen.status, 404)
})

test('a second sign-in at the demo upstream needs no name: the browser is known', async ({ after }) => {
  const oidc = await startOidc()
  after(() => oidc.close())
  const browser = new Browser()
  const first = await connectV1(oidc.mcpUrl, { browser, person: { upstreamName: 'erin' } })
  after(() => first.close())
  const second = await connectV1(oidc.mcpUrl, { browser, person: {} })
  after(() => second.close())
  assert.match(await second.call('whoami'), /You are erin/)
})

test('SDK v1 server: sessions, headers, notifications on GET, long streams', async ({ after }) => {
  const server = await startMcpServer()
  after(() => server.close())
  const one = await connectOnceV1(server.url, { requestInit: { headers: { 'x-test': 'yes' } } })
  assert.is(JSON.parse(await one.call('echo-headers'))['x-test'], 'yes')
  assert.is(server.endpoint.sessions(), 1)
  assert.equal(await one.countdown(2), ['1', '0'])
  await server.recorder.arrival('GET /mcp')
  const seen: string[] = []
  const held = one.client.callTool({ name: 'hold', arguments: {} }, undefined, {
    onprogress: ({ message }) => seen.push(message ?? ''),
  })
  await server.held.opened()
  await server.held.push('still here')
  server.held.release('done')
  assert.equal((await held).content, [{ type: 'text', text: 'done' }])
  assert.equal(seen, ['held', 'still here'])
  await one.close()
  assert.is(server.endpoint.sessions(), 0)
  assert.is(server.recorder.count('DELETE /mcp'), 1)
})

test('SDK v2 server and client: 2026-07-28, stateless, streaming, cancelled when the peer hangs up', async ({
  after,
}) => {
  const server = await startMcpServer({ sdk: 'v2' })
  after(() => server.close())
  const one = await connectOnceV2(server.url)
  after(() => one.close())
  assert.is(await one.call('add', { a: 3, b: 4 }), '7')
  assert.equal(await one.countdown(3), ['2', '1', '0'])
  assert.is(one.transport.sessionId, undefined)
  assert.match(server.recorder.requests[0]?.body ?? '', /2026-07-28/)
  const abort = new AbortController()
  const held = one.client.callTool(
    { name: 'hold', arguments: {} },
    { signal: abort.signal, onprogress: () => {} },
  )
  const failed = held.catch((error: unknown) => error)
  await server.held.opened()
  abort.abort('enough')
  assert.instance(await failed, Error)
  await server.held.allGone()
  assert.instance(await connectOnceV1(server.url).catch((error: unknown) => error), Error)
})

test('SDK v1 server can answer in JSON, SDK v2 server can serve older clients', async ({ after }) => {
  const json = await startMcpServer({ jsonResponses: true })
  const both = await startMcpServer({ sdk: 'v2', legacy: 'stateless' })
  after(() => Promise.all([json.close(), both.close()]))
  const types: (string | null)[] = []
  const spy: typeof fetch = async (...input) => {
    const answer = await fetch(...input)
    types.push(answer.headers.get('content-type'))
    return answer
  }
  const one = await connectOnceV1(json.url, { fetch: spy })
  assert.is(await one.call('add', { a: 1, b: 1 }), '2')
  await one.close()
  assert.is(types[0], 'application/json')
  const two = await connectOnceV1(both.url)
  assert.is(await two.call('add', { a: 1, b: 1 }), '2')
  await two.close()
})

test('a static key opens a server, in a header or in the query', async ({ after }) => {
  const header = await startMcpServer({ key: { in: 'header', name: 'X-Api-Key', value: 'k' } })
  const query = await startMcpServer({ key: { in: 'query', name: 'key', value: 'k' } })
  after(() => Promise.all([header.close(), query.close()]))
  assert.is((await fetch(header.url, { method: 'POST' })).status, 401)
  assert.is((await fetch(`${query.url}?key=x`, { method: 'POST' })).status, 401)
  const one = await connectOnceV1(header.url, { requestInit: { headers: { 'x-api-key': 'k' } } })
  await one.close()
  const two = await connectOnceV1(`${query.url}?key=k`)
  await two.close()
})

test.run()
