// The ancestor's flags give the document that a person would have written.
import * as assert from 'uvu/assert'
import { type DocumentFlags, documentFromFlags, nameFlags } from '../../src/config/from-flags.ts'
import { ConfigError, loadConfig } from '../../src/config/load.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/from-flags')

const FLAGS: DocumentFlags = {
  'upstream-rs': 'https://api.example.com/mcp/',
  'upstream-authorize-endpoint': 'https://login.example.com/authorize',
  'upstream-token-endpoint': 'https://login.example.com/token',
  'upstream-client-id': 'client',
  'upstream-client-secret': 'hunter2',
}

function load(flags: DocumentFlags, environment = {}) {
  const { text, env } = documentFromFlags(flags, environment)
  return { text, config: loadConfig({ file: '(flags)', text, env, folder: '/' }).config }
}

test('one route at /mcp with an inline authorization server', () => {
  const { config } = load(FLAGS)
  assert.equal(Object.keys(config.routes), ['mcp'])
  assert.is(config.routes.mcp?.path, '/mcp')
  assert.is(config.routes.mcp?.upstream.url, 'https://api.example.com/mcp/')
  const { auth } = config.routes.mcp ?? {}
  assert.ok(auth?.type === 'authorization_code')
  assert.equal(plain(auth.authorization_server), {
    authorization_endpoint: 'https://login.example.com/authorize',
    token_endpoint: 'https://login.example.com/token',
    client_id: 'client',
    client_secret: 'hunter2',
    authorization_parameters: {},
    registration: ['cimd', 'dynamic'],
    endpoint_hosts: [],
    relink_parameters: {},
    callback: '/upstream/callback',
    token_endpoint_auth_method: 'client_secret_post',
  })
  assert.is(config.server.port, 8002)
  assert.is(config.server.host, 'localhost')
})

test('the secret is not in the text', () => {
  assert.not.match(load(FLAGS).text, 'hunter2')
})

test('variables stand in for flags, and flags win', () => {
  const { 'upstream-client-id': _, 'upstream-client-secret': __, ...flags } = FLAGS
  const environment = {
    MCP_GATEWAY_UPSTREAM_CLIENT_ID: 'from-env',
    MCP_GATEWAY_UPSTREAM_CLIENT_SECRET: 'secret-from-env',
    MCP_GATEWAY_UPSTREAM_TOKEN_ENDPOINT: 'https://ignored.example.com',
  }
  const { auth } = load(flags, environment).config.routes.mcp ?? {}
  const server = auth?.type === 'authorization_code' ? auth.authorization_server : undefined
  assert.ok(typeof server === 'object')
  assert.is(server.client_id, 'from-env')
  assert.is(server.client_secret, 'secret-from-env')
  assert.is(server.token_endpoint, 'https://login.example.com/token')
  const overridden = load(FLAGS, environment).config.routes.mcp?.auth
  assert.ok(overridden?.type === 'authorization_code' && typeof overridden.authorization_server === 'object')
  assert.is(overridden.authorization_server.client_secret, 'hunter2')
})

test('host, port and issuer are taken', () => {
  const { config } = load({
    ...FLAGS,
    host: '127.0.0.1',
    port: '9000',
    'upstream-as': 'https://login.example.com',
  })
  assert.is(config.server.host, '127.0.0.1')
  assert.is(config.server.port, 9000)
  const { auth } = config.routes.mcp ?? {}
  assert.ok(auth?.type === 'authorization_code' && typeof auth.authorization_server === 'object')
  assert.is(auth.authorization_server.issuer, 'https://login.example.com')
})

test('a public client has no secret', () => {
  const { 'upstream-client-secret': _, ...flags } = FLAGS
  const { auth } = load(flags, { MCP_GATEWAY_UPSTREAM_CLIENT_SECRET: '' }).config.routes.mcp ?? {}
  assert.ok(auth?.type === 'authorization_code' && typeof auth.authorization_server === 'object')
  assert.is(auth.authorization_server.client_secret, undefined)
})

test('a value cannot become YAML or a reference', () => {
  const { config } = load({ ...FLAGS, 'upstream-client-id': 'a"\nroutes: {}\n# ${HOME} $${x}' })
  const { auth } = config.routes.mcp ?? {}
  assert.ok(auth?.type === 'authorization_code' && typeof auth.authorization_server === 'object')
  assert.is(auth.authorization_server.client_id, 'a"\nroutes: {}\n# ${HOME} $${x}')
})

test('the upstream alone is enough: everything else is looked up', () => {
  const { config } = load({ 'upstream-rs': 'https://api.example.com/mcp/' })
  assert.equal(config.routes.mcp?.auth, { type: 'authorization_code', disconnect: 'never' })
})

test('an issuer is enough to look endpoints up', () => {
  const { auth } =
    load({ 'upstream-rs': 'https://api.example.com', 'upstream-as': 'https://login.example.com' }).config
      .routes.mcp ?? {}
  assert.ok(auth?.type === 'authorization_code')
  assert.equal(plain(auth.authorization_server), {
    issuer: 'https://login.example.com',
    authorization_parameters: {},
    registration: ['cimd', 'dynamic'],
    endpoint_hosts: [],
    relink_parameters: {},
    callback: '/upstream/callback',
  })
})

const incomplete: [given: (keyof DocumentFlags)[], missing: string[]][] = [
  [['port'], ['--upstream-rs']],
  [['upstream-rs', 'upstream-client-id'], ['--upstream-as']],
  [['upstream-rs', 'upstream-as', 'upstream-client-secret'], ['--upstream-client-id']],
  [
    ['upstream-rs', 'upstream-token-endpoint'],
    ['--upstream-authorize-endpoint', '--upstream-client-id'],
  ],
]

for (const [given, missing] of incomplete) {
  test(`with ${given.join(', ')} alone, ${missing.join(', ')} is asked for`, () => {
    const flags = Object.fromEntries(given.map((flag) => [flag, 'https://example.com']))
    const error = thrownBy(() => documentFromFlags(flags, {}))
    assert.ok(error instanceof ConfigError)
    assert.equal(
      error.problems.map(({ path }) => path),
      missing,
    )
    assert.ok(error.problems.every(({ hint, path }) => hint?.includes(path)))
  })
}

for (const [flag, value] of [
  ['port', 'http'],
  ['port', '99999'],
  ['upstream-rs', 'api.example.com'],
  ['upstream-token-endpoint', 'https://user:hunter2@example.com'],
] as const) {
  test(`--${flag}=${value} is refused by the name of the flag`, () => {
    const error = thrownBy(() => load({ ...FLAGS, [flag]: value }))
    assert.ok(error instanceof ConfigError)
    assert.equal(
      nameFlags(error.problems).map(({ path }) => path),
      [`--${flag}`],
    )
    assert.not.match(error.message, 'hunter2')
  })
}

/** Maps of a configuration have no prototype, which `equal` would notice. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

test.run()
