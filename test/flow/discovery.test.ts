// What clients find at the well-known addresses, which they probe in many ways.
import * as assert from 'uvu/assert'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'
import { challengeOf, mcpRequest } from './oauth-client.ts'

const test = suite('flow/discovery')

async function gatewayWith(
  { after }: TestContext,
  names: readonly string[],
  more = '',
): Promise<TestGateway> {
  const server = await startMcpServer()
  after(() => server.close())
  const gateway = await startGateway({
    yaml: document(...names.map((name) => openRoute(name, server))) + more,
  })
  after(() => gateway.close())
  return gateway
}

interface Found {
  status: number
  type: string
  body: Record<string, unknown>
}
async function find(gateway: TestGateway, path: string, init: RequestInit = {}): Promise<Found> {
  const answer = await fetch(gateway.url + path, init)
  const body = (await answer.json()) as Found['body']
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', body }
}

const RESOURCE = '/.well-known/oauth-protected-resource'
const SERVER = '/.well-known/oauth-authorization-server'

test('spec-D1, spec-D2, spec-D8: the challenge of a route leads to its document, that to the server, and that to the endpoints', async (context) => {
  const gateway = await gatewayWith(context, ['a', 'b'])
  const { status, parameters } = await challengeOf(await mcpRequest(`${gateway.url}/b`, undefined))
  assert.is(status, 401)
  assert.equal(parameters, { scope: 'mcp:b', resource_metadata: `${gateway.url}${RESOURCE}/b` })
  const resource = await find(gateway, `${RESOURCE}/b`)
  assert.equal(
    [resource.status, resource.body.resource, resource.body.authorization_servers],
    [200, `${gateway.url}/b`, [gateway.url]],
  )
  const server = await find(gateway, SERVER)
  assert.is(server.body.issuer, gateway.url, 'byte for byte what the other document calls it (spec-D8)')
  for (const member of ['authorization_endpoint', 'token_endpoint', 'registration_endpoint']) {
    const endpoint = String(server.body[member])
    assert.ok(endpoint.startsWith(`${gateway.url}/`), member)
    const { status: reached } = await fetch(endpoint, {
      method: member === 'authorization_endpoint' ? 'GET' : 'POST',
    })
    assert.ok(reached === 400 || reached === 401, `${member} is there: ${reached}`)
  }
})

test('spec-D2: with one route the document at the root is that route’s; with several it is the gateway’s own', async (context) => {
  const one = await gatewayWith(context, ['only'])
  assert.equal(await find(one, RESOURCE), await find(one, `${RESOURCE}/only`))
  const two = await gatewayWith(context, ['a', 'b'])
  const root = await find(two, RESOURCE)
  assert.equal([root.status, root.body.resource, root.body.authorization_servers], [200, two.url, [two.url]])
  assert.is.not((await find(two, `${RESOURCE}/a`)).body.resource, root.body.resource)
})

test('spec-D2, spec-D3: a path of several segments is found under all of them', async (context) => {
  const server = await startMcpServer()
  context.after(() => server.close())
  const gateway = await startGateway({
    yaml: document(openRoute('deep', server, '    path: /team/deep/mcp\n')),
  })
  context.after(() => gateway.close())
  assert.is((await find(gateway, `${RESOURCE}/team/deep/mcp`)).body.resource, `${gateway.url}/team/deep/mcp`)
  assert.is((await find(gateway, `${RESOURCE}/team/deep`)).status, 404)
})

test('spec-D12: documents are JSON, may be cached for a while and need no permission', async (context) => {
  const gateway = await gatewayWith(context, ['a'])
  for (const path of [RESOURCE, `${RESOURCE}/a`, SERVER, `${SERVER}?x=1`]) {
    const answer = await fetch(gateway.url + path)
    assert.is(answer.status, 200, path)
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/, path)
    assert.match(answer.headers.get('cache-control') ?? '', /max-age=\d+/, path)
    await answer.arrayBuffer()
  }
})

test('spec-D12: every other probe is answered 404 in JSON, so that clients go on to the next', async (context) => {
  const gateway = await gatewayWith(context, ['a', 'b'])
  const probes = [
    `${SERVER}/a`,
    `${SERVER}/a/b`,
    `/a${SERVER}`,
    `${SERVER}/`,
    '/.well-known/openid-configuration',
    '/.well-known/openid-configuration/a',
    '/a/.well-known/openid-configuration',
    `${RESOURCE}/`,
    `${RESOURCE}/c`,
    `${RESOURCE}/a/mcp`,
    `/a${RESOURCE}`,
    '/.well-known/',
    '/.well-known/oauth-client',
  ]
  for (const path of probes) {
    const { status, type, body } = await find(gateway, path)
    assert.is(status, 404, path)
    assert.match(type, /^application\/json/, path)
    assert.is(body.error, 'not_found', path)
  }
  assert.is(
    (await find(gateway, SERVER, { method: 'POST' })).status,
    404,
    'documents are read, not posted to',
  )
})

test('without registration the server has no endpoint for it, and says so to whom tries', async (context) => {
  const gateway = await gatewayWith(context, ['a'], 'clients: { registration: { enabled: false } }\n')
  assert.not.ok('registration_endpoint' in (await find(gateway, SERVER)).body)
  const body = JSON.stringify({ redirect_uris: ['http://localhost/cb'] })
  const headers = { 'content-type': 'application/json' }
  const { status } = await find(gateway, '/register', { method: 'POST', headers, body })
  assert.ok(status >= 400)
})

test('spec-D8, sec-P5: public_url is what everything is called, whatever address was asked', async (context) => {
  const server = await startMcpServer()
  context.after(() => server.close())
  const yaml = document(openRoute('a', server)).replace(
    'port: 0',
    'port: 0, public_url: "https://gw.example"',
  )
  const gateway = await startGateway({ yaml })
  context.after(() => gateway.close())
  const origin = `http://127.0.0.1:${gateway.app.port}`
  const { parameters } = await challengeOf(await mcpRequest(`${origin}/a`, undefined))
  assert.is(parameters.resource_metadata, `https://gw.example${RESOURCE}/a`)
  const documents = await Promise.all(
    [RESOURCE, `${RESOURCE}/a`, SERVER].map(async (path) => (await fetch(origin + path)).text()),
  )
  for (const text of documents) assert.not.match(text, /127\.0\.0\.1|localhost/)
})

test.run()
