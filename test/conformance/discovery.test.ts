// What every MCP client decides by before it knows anybody: challenge, resource metadata, server metadata (spec-D…).
// How single clients go about it is elsewhere; here is what the documents owe to all of them.
import * as assert from 'uvu/assert'
import { loadConfig } from '../../src/config/load.ts'
import { Client, callMcp, send } from '../security/client.ts'
import {
  newBrowser,
  obtainCode,
  openConsent,
  startWorld,
  TWO_USERS,
  withoutUpstream,
} from '../security/world.ts'
import { startOidc } from '../support/oidc.ts'
import { sendRaw } from '../support/raw.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute, oidcRoute } from '../support/yaml.ts'

const test = suite('conformance/discovery')

const RESOURCE = '/.well-known/oauth-protected-resource'
const SERVER = '/.well-known/oauth-authorization-server'
const OPENID = '/.well-known/openid-configuration'

const threeRoutes = (github: Parameters<typeof githubRoute>[1]) =>
  document(
    githubRoute('github', github),
    githubRoute('deep', github, '    path: /team/deep/mcp\n'),
    githubRoute('third', github, '    path: /Mixed\n    title: Something else\n'),
  ) + TWO_USERS

test('spec-D1, spec-D2, spec-D3: each route has its own document, under its own URL, by header and by both addresses', async (context) => {
  const world = await startWorld(context, { yaml: threeRoutes })
  const urls = ['/github', '/team/deep/mcp', '/Mixed'].map((path) => world.url + path)
  for (const url of urls) {
    const { status, headers } = await callMcp(url, undefined)
    assert.is(status, 401)
    const named = /resource_metadata="([^"]+)"/.exec(headers.get('www-authenticate') ?? '')?.[1]
    assert.is(named, world.url + RESOURCE + new URL(url).pathname, 'inserted before the path, RFC 9728 §3.1')
    const { body, status: found } = await send(named ?? '')
    assert.is(found, 200)
    assert.is(body.resource, url, 'what a person enters, RFC 9728 §3.3')
    assert.not.match(String(body.resource), /\/$|#/)
    assert.equal(body.authorization_servers, [world.url])
    assert.equal(body.bearer_methods_supported, ['header'])
  }
  const root = await send(world.url + RESOURCE)
  assert.equal([root.status, root.body.authorization_servers], [200, [world.url]])
})

test('spec-D3: a resource is found by scheme and host in upper case, and with one slash more', async (context) => {
  const world = await startWorld(context, { yaml: threeRoutes })
  const client = await Client.register(world.url)
  const loud = world.mcpUrl.replace('http://localhost', 'HTTP://LOCALHOST')
  for (const resource of [world.mcpUrl, loud, `${world.mcpUrl}/`, `${loud}/`]) {
    const { page } = await openConsent(newBrowser(), client, { resource })
    assert.equal([resource, page.status], [resource, 200])
    assert.match(page.text, world.mcpUrl)
  }
})

test('spec-D4, spec-D5: no document and no challenge lists offline_access or what the upstream knows', async (context) => {
  const oidc = await startOidc()
  context.after(() => oidc.close())
  const world = await startWorld(context, { yaml: () => document(oidcRoute('oidc', oidc)) + TWO_USERS })
  const asked = await callMcp(`${world.url}/oidc`, undefined)
  const challenge = asked.headers.get('www-authenticate') ?? ''
  const said = [challenge]
  for (const path of [RESOURCE, `${RESOURCE}/oidc`, SERVER]) said.push((await send(world.url + path)).text)
  // The route asks its upstream for both of these.
  for (const text of said) assert.not.match(text, /offline_access|openid/)
  const { body } = await send(`${world.url}${RESOURCE}/oidc`)
  assert.equal(body.scopes_supported, ['mcp:oidc'])
  assert.match(challenge, 'scope="mcp:oidc"')
})

test('spec-D6, spec-D9, spec-D14: the server metadata holds all that clients decide by, and no scopes to ask for in bulk', async (context) => {
  const world = await startWorld(context)
  const { status, headers, body } = await send(world.url + SERVER)
  assert.is(status, 200)
  assert.match(headers.get('content-type') ?? '', /^application\/json/)
  const { url } = world
  const expected: Record<string, unknown> = {
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    registration_endpoint: `${url}/register`,
    revocation_endpoint: `${url}/revoke`,
    jwks_uri: `${url}/.well-known/jwks.json`,
    introspection_endpoint: `${url}/introspect`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
  }
  for (const [name, value] of Object.entries(expected)) assert.equal([name, body[name]], [name, value])
  const lists: Record<string, string[]> = {
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_post', 'client_secret_basic'],
  }
  for (const [name, least] of Object.entries(lists))
    for (const value of least) assert.ok((body[name] as string[]).includes(value), `${name}: ${value}`)
  // Several clients ask for everything that is listed here (spec-D14).
  assert.is(body.scopes_supported, undefined)
})

test('spec-D7, spec-D12: the first address that clients try has the document, the others are a JSON 404', async (context) => {
  const world = await startWorld(context)
  const { pathname } = new URL(world.mcpUrl)
  // In the order of the specification for an issuer without a path, then what clients try that take the MCP URL for it.
  const probes: [path: string, status: number][] = [
    [SERVER, 200],
    [OPENID, 404],
    [SERVER + pathname, 404],
    [OPENID + pathname, 404],
    [pathname + OPENID, 404],
    [pathname + SERVER, 404],
    [pathname + RESOURCE, 404],
    [`${RESOURCE}/nothing`, 404],
    ['/.well-known/mcp', 404],
    ['/.well-known/mcp.json', 404],
    ['/.well-known/agent-card.json', 404],
    ['/.well-known/jwks', 404],
    ['/.well-known/', 404],
    ['/.well-known', 404],
    ['/favicon.ico', 404],
  ]
  await withoutUpstream(world, async () => {
    for (const [path, status] of probes) {
      for (const headers of [
        {},
        { accept: 'text/html' },
        { authorization: 'Bearer wrong' },
        { 'mcp-protocol-version': '2025-06-18', origin: 'https://inspector.example' },
      ]) {
        const answer = await send(world.url + path, { headers })
        assert.equal([path, answer.status], [path, status])
        assert.match(answer.headers.get('content-type') ?? '', /^application\/json/, path)
        assert.is(answer.headers.get('www-authenticate'), null, path)
        if (path.startsWith('/.well-known/'))
          assert.is(answer.headers.get('access-control-allow-origin'), '*', path)
        if (status === 404) assert.is(answer.body.error, 'not_found', path)
      }
    }
  })
})

test('spec-D12, spec-R7: a browser may ask for any well-known address, also for one that is not there', async (context) => {
  const world = await startWorld(context)
  for (const path of [SERVER, OPENID, `${SERVER}/github`, `${RESOURCE}/github`, `${RESOURCE}/nothing`]) {
    const answer = await send(world.url + path, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://inspector.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'mcp-protocol-version',
      },
    })
    assert.equal([path, answer.status], [path, 204])
    assert.is(answer.headers.get('access-control-allow-origin'), '*', path)
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', 'mcp-protocol-version', path)
  }
})

test('spec-D8, spec-D10: the issuer is the same bytes in all documents and in every answer to a client', async (context) => {
  const world = await startWorld(context)
  const server = await send(world.url + SERVER)
  const issuer = server.body.issuer as string
  for (const path of [RESOURCE, `${RESOURCE}/github`])
    assert.equal((await send(world.url + path)).body.authorization_servers, [issuer])
  assert.not.match(issuer, /\/$/, 'a slash at the end breaks half of the clients')
  assert.is(server.body.authorization_response_iss_parameter_supported, true)
  const client = await Client.register(world.url)
  const { callback } = await obtainCode({ client })
  assert.equal(callback.searchParams.getAll('iss'), [issuer])
  for (const overrides of [
    { response_type: 'token' },
    { code_challenge: undefined },
    { resource: 'https://evil.test' },
  ]) {
    const { page } = await openConsent(newBrowser(), client, overrides)
    assert.equal(page.sentTo?.searchParams.getAll('iss'), [issuer])
  }
})

const load = (server: string) => () =>
  loadConfig({
    file: 'gateways.yaml',
    folder: '/nowhere',
    text: `version: 1\nserver: ${server}\nroutes:\n  a: { upstream: "https://mcp.test/mcp", auth: none }\n`,
    env: { MCP_GATEWAY_PASSWORD: 'correct horse' },
  })

test('spec-D11: a gateway is on https, or on loopback', async (context) => {
  for (const url of [
    'http://gw.example',
    'http://10.0.0.1:8080',
    'http://localhost.gw.example',
    'ftp://gw.example',
  ])
    assert.throws(load(`{ public_url: "${url}" }`), /./, url)
  for (const url of [
    'https://gw.example',
    'http://localhost:8080',
    'http://127.0.0.1:8080',
    'http://[::1]:8080',
  ])
    assert.not.throws(load(`{ public_url: "${url}" }`))
  const world = await startWorld(context, {
    yaml: (github) =>
      document(githubRoute('github', github)).replace(
        'port: 0',
        'port: 0, public_url: "https://gw.example"',
      ) + TWO_USERS,
  })
  const { body } = await send(`http://127.0.0.1:${world.gateway.app.port}${SERVER}`)
  const addresses = Object.values(body).filter((value) => String(value).includes('//'))
  assert.ok(addresses.length >= 6)
  for (const address of addresses) assert.match(String(address), /^https:\/\/gw\.example/)
})

test('spec-D13: a client of 2025-03-26 finds all of it at the root of the origin, with metadata and without', async (context) => {
  const world = await startWorld(context)
  const origin = new URL(world.mcpUrl).origin
  const { body } = await send(`${origin}${SERVER}`, { headers: { 'mcp-protocol-version': '2025-03-26' } })
  assert.equal(
    [body.authorization_endpoint, body.token_endpoint, body.registration_endpoint],
    [`${origin}/authorize`, `${origin}/token`, `${origin}/register`],
  )
  // Without metadata: the default paths, no resource, no scope.
  const client = await Client.register(origin)
  const { code, trip } = await obtainCode({ client })
  const answer = await client.redeem(code, trip.verifier)
  assert.is(answer.status, 200)
  assert.match(String(answer.body.scope), /^mcp:github\b/)
  assert.is((await callMcp(world.mcpUrl, String(answer.body.access_token))).status, 200)
})

test('spec-D12: a probe that is no proper request is answered in JSON too', async (context) => {
  const world = await startWorld(context)
  for (const [method, target, status] of [
    ['POST', SERVER, 404],
    ['HEAD', '/.well-known/nothing', 404],
    ['GET', `${SERVER}/../x`, 404],
    ['GET', '//.well-known/x', 404],
  ] as const) {
    const answer = await sendRaw(world.url, { method, target })
    assert.equal([target, answer.status], [target, status])
    assert.match(answer.header('content-type') ?? '', /^application\/json/)
  }
})

test.run()
