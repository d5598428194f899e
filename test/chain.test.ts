// A route's chain in words, as `explain`, logs and traces print it.
import * as assert from 'uvu/assert'
import { requestChain } from '../src/chain.ts'
import { loadConfig } from '../src/config/load.ts'
import { suite } from './support/suite.ts'

const test = suite('chain')

const YAML = `version: 1
authorization_servers:
  as: { token_endpoint: "https://as.example/token", client_id: a, client_secret: "\${SECRET}" }
  idp: { token_endpoint: "https://idp.example/token", client_id: a, client_secret: "\${SECRET}" }
routes:
  exchange:
    upstream: https://a.example/mcp
    auth: { type: token_exchange, authorization_server: as, identity_provider: idp }
  static:
    upstream: https://a.example/mcp
    auth: { type: token_exchange, authorization_server: as, subject_token: "\${SECRET}" }
  machine:
    upstream: https://b.example/mcp
    auth: { type: client_credentials, authorization_server: as }
  pasted:
    upstream: https://c.example/mcp
    auth: { type: user_api_key, name: X-Key }
    identity: { headers: { X-User: subject }, assertion: { audience: "https://c.example" } }
  open:
    upstream: https://d.example/mcp
    auth: none
    timeouts: { response: 90s }
  asked:
    upstream: https://e.example/mcp
  signed:
    upstream: https://f.example/mcp
    auth: { type: authorization_code, authorization_server: { client_id: a, token_endpoint_auth_method: private_key_jwt } }
  hosted:
    upstream: https://g.example/mcp
    auth:
      type: authorization_code
      authorization_server: { issuer: "https://as.example", client_id_metadata_url: "https://www.example/c.json" }
  registered:
    upstream: https://h.example/mcp
    auth: { type: authorization_code, authorization_server: { issuer: "https://as.example", registration: [dynamic] } }
`

const { config } = loadConfig({ file: 'gateways.yaml', folder: '/', text: YAML, env: { SECRET: 'hunter2' } })

function chainOf(name: string) {
  const route = config.routes[name]
  if (route === undefined) throw new Error(name)
  return requestChain(name, route, `https://gw.example/${name}`, config.authorization_servers)
}
const detail = (name: string, step: string) => chainOf(name).find((one) => one.name === step)?.detail

test('durations and sizes are written as a file writes them', () => {
  const forward = 'https://d.example/mcp, connect within 10s, answer within 1m30s, bodies up to 4MiB'
  assert.is(detail('open', 'forward'), forward)
})

test('every way to the upstream is said in a sentence that holds no secret', () => {
  const expected = {
    exchange:
      'token_exchange: a token from as by an ID-JAG of idp, in exchange for one that the gateway signs about the caller; it identifies itself as a, by its client secret',
    static:
      'token_exchange: a token from as, in exchange for the one that is configured; it identifies itself as a, by its client secret',
    machine:
      'client_credentials: one token for everyone from as, renewed before it ends; it identifies itself as a, by its client secret',
    pasted: "user_api_key: the person's own key, in the header X-Key",
    open: 'none: nothing: the upstream asks for none',
  }
  for (const [name, sentence] of Object.entries(expected)) assert.is(detail(name, 'attach'), sentence)
})

test('as whom the gateway appears at an authorization server is said too', () => {
  const expected = {
    asked: 'its metadata document where that is taken, else as a client that it registers there',
    signed: 'a, by private_key_jwt with its own key',
    hosted: 'https://www.example/c.json where that is taken, else as a client that it registers there',
    registered: 'a client that it registers there',
  }
  for (const [name, client] of Object.entries(expected))
    assert.is(detail(name, 'attach')?.split('; it identifies itself as ')[1], client, name)
  assert.match(detail('signed', 'attach') ?? '', 'from the authorization server that the upstream names')
})

test('what the upstream is told of the caller is a step of its own, where it is told anything', () => {
  const names = (route: string) => chainOf(route).map(({ name }) => name)
  assert.equal(names('open'), ['authenticate', 'authorize', 'attach', 'forward'])
  assert.equal(names('pasted'), ['authenticate', 'authorize', 'attach', 'identify', 'forward'])
  assert.is(
    detail('pasted', 'identify'),
    'subject in X-User, a JWT that the gateway signs in X-Gateway-Identity',
  )
  assert.is(chainOf('pasted').find(({ name }) => name === 'identify')?.pointer, '/routes/pasted/identity')
})

const ISSUERS = `version: 1
trusted_issuers: { okta: { issuer: "https://example.okta.com" } }
routes:
  theirs:
    upstream: https://a.example/mcp
    auth: none
    token_issuer: { name: okta, audience: "api://a", scopes: [mcp.read] }
    scopes: { required: [team] }
    access:
      groups: [staff]
      email_domains: [example.com, example.org]
      claims: { department: [research, sales], tier: 1 }
      deny: { claims: { left: true }, clients: [batch] }
  short: { upstream: "https://b.example/mcp", auth: none, token_issuer: okta }
`

test('another issuer, and access by what is known of people, are said in a sentence', () => {
  const { config } = loadConfig({ file: 'gateways.yaml', folder: '/', text: ISSUERS, env: {} })
  const said = Object.entries(config.routes).map(([name, route]) => {
    const chain = requestChain(name, route, `https://gw.example/${name}`, {})
    return chain.slice(0, 2).map(({ detail, pointer }) => `${pointer}: ${detail}`)
  })
  assert.equal(said, [
    [
      '/routes/theirs/token_issuer: an access token (JWT) of okta for api://a, else 401 with resource_metadata, and with the scope mcp.read team, else 403',
      '/routes/theirs/access: group staff or whoever has an address at example.com, example.org or whoever has department: research or sales, tier: 1, but not whoever has left: true or client batch',
    ],
    [
      '/routes/short/token_issuer: an access token (JWT) of okta for https://gw.example/short, else 401 with resource_metadata',
      '/routes/short/access: anyone who signed in',
    ],
  ])
})

test.run()
