// Who may call from a browser: everybody the OAuth endpoints, allowed origins the routes, nobody the pages.
import * as assert from 'uvu/assert'
import { startGateway } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { openRoute } from '../support/yaml.ts'

const test = suite('security/cors')

async function scene({ after }: TestContext) {
  const upstream = await startMcpServer()
  after(() => upstream.close())
  const gateway = await startGateway({
    yaml: `version: 1\nserver: { port: 0, allowed_origins: [https://tool.example] }\nroutes:${openRoute('open', upstream)}`,
  })
  after(() => gateway.close())
  return { url: gateway.url, upstream }
}

const preflight = (url: string, origin: string, headers = 'authorization, mcp-param-region') =>
  fetch(url, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': headers },
  })

test('spec-R7: a preflight of a route needs no token and answers allowed origins only', async (context) => {
  const { url, upstream } = await scene(context)
  const allowed = await preflight(`${url}/open`, 'https://tool.example')
  assert.is(allowed.status, 204)
  assert.is(allowed.headers.get('access-control-allow-origin'), 'https://tool.example')
  assert.is(allowed.headers.get('access-control-allow-headers'), 'authorization, mcp-param-region')
  assert.match(allowed.headers.get('access-control-allow-methods') ?? '', 'DELETE')
  assert.is(allowed.headers.get('access-control-allow-credentials'), null)
  const foreign = await preflight(`${url}/open`, 'https://evil.example')
  assert.equal(
    [...foreign.headers.keys()].filter((name) => name.startsWith('access-control-')),
    [],
    'and tells others nothing',
  )
  assert.is(upstream.recorder.count(), 0)
})

test('spec-R7: a preflight reflects names of headers, and nothing else', async (context) => {
  const { url } = await scene(context)
  for (const path of ['/open', '/token']) {
    const allowed = async (headers: string) =>
      (await preflight(url + path, 'https://tool.example', headers)).headers.get(
        'access-control-allow-headers',
      )
    assert.is(await allowed('X-A , x-b'), 'X-A , x-b')
    for (const odd of ['*', 'a b', 'a;b', '<b>', 'a,', ''])
      assert.is(await allowed(odd), 'Authorization, Content-Type', odd)
  }
})

test('spec-R7: a 401 of a route can be read by an allowed origin, challenge included', async (context) => {
  const { url } = await scene(context)
  const answer = await fetch(`${url}/open`, { method: 'POST', headers: { origin: 'https://tool.example' } })
  assert.is(answer.status, 401)
  assert.is(answer.headers.get('access-control-allow-origin'), 'https://tool.example')
  assert.match(answer.headers.get('access-control-expose-headers') ?? '', 'WWW-Authenticate')
  assert.is(answer.headers.get('vary'), 'Origin')
  const foreign = await fetch(`${url}/open`, { method: 'POST', headers: { origin: 'https://evil.example' } })
  assert.is(foreign.status, 403)
  assert.is(foreign.headers.get('access-control-allow-origin'), null)
})

test('spec-R7: metadata, registration and the token endpoints are open to every origin, errors too', async (context) => {
  const { url } = await scene(context)
  const origin = 'https://anywhere.example'
  for (const path of [
    '/.well-known/oauth-authorization-server',
    '/.well-known/oauth-protected-resource/open',
    '/.well-known/openid-configuration',
    '/.well-known/jwks.json',
  ]) {
    const answer = await fetch(url + path, { headers: { origin } })
    assert.is(answer.headers.get('access-control-allow-origin'), '*', path)
  }
  for (const path of ['/token', '/register', '/revoke', '/introspect']) {
    assert.is((await preflight(url + path, origin)).status, 204, path)
    const answer = await fetch(url + path, { method: 'POST', headers: { origin } })
    assert.ok(answer.status >= 400, path)
    assert.is(answer.headers.get('access-control-allow-origin'), '*', path)
    assert.is(answer.headers.get('access-control-allow-credentials'), null, path)
  }
})

test('sec-A9, spec-R7: pages for people are for no other origin', async (context) => {
  const { url } = await scene(context)
  for (const path of ['/authorize', '/login', '/consent', '/upstream/callback/open']) {
    for (const origin of ['https://evil.example', 'https://tool.example']) {
      const answers = [
        await preflight(url + path, origin),
        await fetch(url + path, { headers: { origin } }),
        await fetch(url + path, { method: 'POST', headers: { origin } }),
      ]
      for (const { headers } of answers) assert.is(headers.get('access-control-allow-origin'), null, path)
    }
  }
})

test.run()
