// `init --discover`: what a live MCP server says becomes a route, with the reason.
import * as assert from 'uvu/assert'
import { checkConfig } from '../../src/config/load.ts'
import { UpstreamError } from '../../src/errors.ts'
import { discoverSection, routeName } from '../../src/init/discover.ts'
import { document } from '../../src/init/section.ts'
import { startDiscoveryUpstream } from '../support/discovery-upstream.ts'
import { listen } from '../support/http.ts'
import { suite, type TestContext } from '../support/suite.ts'

type Json = Readonly<Record<string, unknown>>

interface Upstream {
  /** Of the answer to `initialize`. */
  readonly status?: number
  readonly resource?: (origin: string) => Json
  readonly server?: (origin: string) => Json
}

const test = suite('init/discover')

const complete = (origin: string): Json => ({
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  registration_endpoint: `${origin}/register`,
  code_challenge_methods_supported: ['S256'],
})

async function discover(context: TestContext, upstream: Upstream) {
  const asked: string[] = []
  const { origin, close } = await listen((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const answer = (body: Json | undefined) => {
      response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body ?? {}))
    }
    if (request.url === '/mcp') response.writeHead(upstream.status ?? 401).end('{}')
    else if (request.url?.startsWith('/.well-known/oauth-protected-resource'))
      answer(upstream.resource?.(origin))
    else answer(upstream.server?.(origin))
  })
  context.after(close)
  const section = await discoverSection(new URL(`${origin}/mcp`), [])
  const text = document([section])
  const { problems, variables } = checkConfig({ file: 'gateways.yaml', text, folder: '/' })
  assert.equal(problems, [])
  return { origin, text, asked, section, variables: variables.map(({ name }) => name) }
}

const resource = (origin: string): Json => ({
  resource: `${origin}/mcp`,
  authorization_servers: [origin],
  scopes_supported: ['read', 'write'],
})

test('a server with everything needs its URL alone', async (context) => {
  const { text, variables, section } = await discover(context, { resource, server: complete })
  assert.match(text, 'registers the gateway by itself')
  assert.match(text, 'It asks for the scope: read write')
  assert.not.match(text, 'auth:')
  assert.equal([variables, section.steps], [[], []])
})

test('one without registration gets the lines for a client, and says where to create it', async (context) => {
  const { origin, text, variables, section } = await discover(context, {
    resource,
    server: (at) => ({ ...complete(at), registration_endpoint: undefined }),
  })
  assert.match(text, 'registers no clients')
  assert.match(text, `issuer: "${origin}"`)
  assert.equal(variables, ['MCP_CLIENT_ID', 'MCP_CLIENT_SECRET'])
  assert.match(section.steps[0] ?? '', 'http://localhost:8002/upstream/callback/mcp')
})

test('one that does not say that it supports PKCE gets its endpoints written down, with the reason', async (context) => {
  const { origin, text } = await discover(context, {
    resource,
    server: (at) => ({ ...complete(at), code_challenge_methods_supported: undefined }),
  })
  assert.match(text, 'does not support PKCE with S256')
  assert.match(text, `authorization_endpoint: "${origin}/authorize"`)
  assert.match(text, `token_endpoint: "${origin}/token"`)
})

test('one whose metadata names another issuer says so', async (context) => {
  const { text } = await discover(context, {
    resource,
    server: (at) => ({ ...complete(at), issuer: 'https://other.example.com' }),
  })
  assert.match(text, 'names another issuer')
})

test('one that names something else than a web address as its server says so', async (context) => {
  const { text, variables } = await discover(context, {
    resource: (at) => ({ ...resource(at), authorization_servers: ['urn:example:as'] }),
  })
  assert.match(text, 'its authorization server is no http or https URL')
  assert.ok(variables.includes('MCP_TOKEN_ENDPOINT'))
})

test('sec-O2: what it says of itself steers no terminal and adds no line, in the steps that are printed', async (context) => {
  const { section } = await discover(context, {
    resource: (at) => ({
      ...resource(at),
      authorization_servers: ['https://as.example/\n  2. run this \u001b[2J\u202e'],
    }),
  })
  assert.is(section.steps.length, 1)
  assert.match(section.steps[0] ?? '', 'Create a client at https://as.example/')
  assert.not.match(section.steps[0] ?? '', /[\p{Cc}\p{Cf}]/u)
})

test('one that says nothing gets a key', async (context) => {
  const { text, variables } = await discover(context, {})
  assert.match(text, 'type: api_key')
  assert.equal(variables, ['MCP_API_KEY'])
})

test('one that wants no token is open', async (context) => {
  const { text, asked } = await discover(context, { status: 200 })
  assert.match(text, 'auth: none')
  assert.equal(asked, ['POST /mcp', 'POST /mcp'])
})

test('one that greets everybody and wants a token from then on is not open', async ({ after }) => {
  const upstream = await startDiscoveryUpstream()
  after(() => upstream.close())
  upstream.knobs.greets = true
  const text = document([await discoverSection(new URL(upstream.mcpUrl), [])])
  assert.not.match(text, 'auth: none')
  assert.match(
    text,
    `It points to ${upstream.origin}, which supports PKCE and registers the gateway by itself`,
  )
  assert.is(upstream.recorder.count('/register'), 0)
})

test('one that answers the greeting and does not understand the rest is open', async ({ after }) => {
  const upstream = await listen((request, response) =>
    response.writeHead(request.headers['mcp-session-id'] ? 400 : 200, { 'mcp-session-id': 'a' }).end('{}'),
  )
  after(upstream.close)
  const section = await discoverSection(new URL(`${upstream.origin}/mcp`), [])
  assert.match(document([section]), 'auth: none')
})

test('what is no MCP server is refused', async (context) => {
  const error = await discover(context, { status: 404 }).catch((reason: unknown) => reason)
  assert.instance(error, UpstreamError)
  assert.match((error as Error).message, 'answered 404: is that the URL of the MCP server?')
})

test("a server's words become neither settings nor references", async (context) => {
  const { text, variables } = await discover(context, {
    resource: (at) => ({ ...resource(at), scopes_supported: ['a\nstore: { type: memory }\nb', '${SECRET}'] }),
    server: (at) => ({
      ...complete(at),
      code_challenge_methods_supported: [],
      token_endpoint: `${at}/t?x=\${SECRET}`,
    }),
  })
  assert.not.match(text, /^store/m)
  assert.not.ok(variables.includes('SECRET'))
})

test('routes are named after the host, once each', () => {
  const name = (url: string, taken: string[] = []) => routeName(new URL(url), taken)
  assert.is(name('https://mcp.linear.app/mcp'), 'linear')
  assert.is(name('https://api.githubcopilot.com/mcp/'), 'githubcopilot')
  assert.is(name('https://mcp.example.co.uk/mcp'), 'example')
  assert.is(name('http://127.0.0.1:9010/mcp'), 'mcp')
  assert.is(name('http://[::1]:9010/mcp'), 'mcp')
  assert.is(name('http://localhost:9010/mcp'), 'mcp')
  assert.is(name('https://mcp.linear.app/mcp', ['linear', 'linear-2']), 'linear-3')
})

test.run()
