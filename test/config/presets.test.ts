// Presets keep their promises: every file fits its schema and says where each value is documented; the file wins.
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as assert from 'uvu/assert'
import { checkConfig, loadConfig } from '../../src/config/load.ts'
import { loadPreset, type Preset, presetNames } from '../../src/config/presets/preset.ts'
import { bundleSchema } from '../../src/config/schema.ts'
import { suite } from '../support/suite.ts'

const NAMES =
  'atlassian auth0 discord entra github gitlab google keycloak linear notion okta sentry slack supabase'.split(
    ' ',
  )

const test = suite('config/presets')
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const validate = new Ajv2020({ strict: true, strictRequired: false }).compile(
  JSON.parse(read('schema/preset.schema.json')),
)

function preset(name: string): Preset {
  const found = loadPreset(name)
  if (!found) throw new Error(`no preset ${name}`)
  return found
}

test('the folder, the schema and the list of the issue agree', () => {
  assert.equal(presetNames(), NAMES)
  assert.equal(bundleSchema().$defs?.authorization_server?.properties?.preset?.enum, NAMES)
})

test('no name leads out of the folder', () => {
  for (const name of ['../package', 'github.yaml', '', '__proto__', 'GitHub'])
    assert.is(loadPreset(name), undefined)
})

for (const name of NAMES) {
  test(`${name} fits the schema and is named like its file`, () => {
    assert.ok(validate(preset(name)), JSON.stringify(validate.errors))
    assert.is(preset(name).name, name)
    assert.match(
      read(`presets/${name}.yaml`),
      /^# yaml-language-server: \$schema=\.\.\/schema\/preset\.schema\.json\n/,
    )
  })

  test(`${name} says where each of its values is documented, and of nothing else`, () => {
    const { upstream, authorization_server, auth, quirks, facts } = preset(name)
    const values = [...leaves({ ...(upstream && { upstream }), authorization_server, auth, quirks })]
    assert.equal([...facts.flatMap(({ about }) => about)].sort(), values.sort())
  })

  test(`${name} uses the parameters it declares, and no others`, () => {
    const { parameters = {}, authorization_server, auth } = preset(name)
    const used = JSON.stringify([authorization_server, auth]).matchAll(/\{([a-z_]+)\}/g)
    const texts = new Set(Array.from(used, ([, parameter]) => parameter))
    assert.equal([...texts].sort(), Object.keys(parameters).sort())
    for (const { example, pattern = '.*' } of Object.values(parameters))
      assert.match(example, new RegExp(`^(?:${pattern})$`, 'u'))
  })

  test(`${name} works written inline, and in an entry of its own if it knows where the server is`, () => {
    const entry = JSON.stringify(entryFor(preset(name)))
    const { issuer, token_endpoint } = preset(name).authorization_server ?? {}
    const [named = '', inline = ''] = [
      `version: 1\nauthorization_servers: { it: ${entry} }\nroutes: { a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: it } } }\n`,
      `version: 1\nroutes: { a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: ${entry} } } }\n`,
    ]
    assert.equal(problems(inline), [])
    // Or all the routes that use it would find servers of their own, and share one callback (RFC 9700 §4.4).
    assert.equal(problems(named), issuer || token_endpoint ? [] : ['authorization-server/incomplete'])
  })
}

for (const name of NAMES.filter((name) => preset(name).parameters)) {
  test(`${name}: each parameter that cannot be had is told once, where it is written, and nothing else`, () => {
    const names = Object.keys(preset(name).parameters ?? {})
    const written = names.map((parameter) => `${parameter}: "\${${parameter.toUpperCase()}}"`).join(', ')
    const text = `version: 1
authorization_servers: { it: { preset: ${name}, preset_parameters: { ${written} }, client_id: a, client_secret: "\${SECRET}" } }
routes: { a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: it } } }
`
    const { problems } = checkConfig({ file: 'gateways.yaml', text, folder: '/', env: { SECRET: 's' } })
    assert.equal(
      problems.map(({ rule, path, message }) => [rule, path, message]),
      names.map((parameter) => [
        'variable/missing',
        `authorization_servers.it.preset_parameters.${parameter}`,
        `the environment variable ${parameter.toUpperCase()} is not set`,
      ]),
    )
  })
}

test('a preset that leaves the address to discovery takes no secret along', () => {
  const entry = '{ preset: notion, client_id: a, client_secret: "${SECRET}" }'
  const auth = (type: string) => `{ type: ${type}, authorization_server: ${entry} }`
  for (const type of ['authorization_code', 'client_credentials', 'token_exchange']) {
    const text = `version: 1\nroutes: { a: { upstream: "https://a.example.com", auth: ${auth(type)} } }\n`
    assert.equal(problems(text)[0], 'authorization-server/incomplete', type)
  }
})

test('a preset fills in what the file leaves out, and its values have an origin and a place', () => {
  const { config, source } = load(`version: 1
authorization_servers:
  google:
    preset: google
    client_id: id
    client_secret: \${SECRET}
    authorization_parameters: { prompt: select_account, hd: example.com }
routes: { a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: google } } }
`)
  const { google } = config.authorization_servers
  assert.is(google?.token_endpoint, 'https://oauth2.googleapis.com/token')
  assert.equal(
    { ...google?.authorization_parameters },
    {
      prompt: 'select_account',
      hd: 'example.com',
      access_type: 'offline',
    },
  )
  const at = '/authorization_servers/google'
  assert.is(source.origin(`${at}/token_endpoint`), 'preset')
  assert.is(source.origin(`${at}/authorization_parameters/access_type`), 'preset')
  assert.is(source.origin(`${at}/authorization_parameters/prompt`), 'file')
  assert.is(source.origin(`${at}/client_id`), 'file')
  assert.equal(source.locate(`${at}/token_endpoint`), { file: 'gateways.yaml', line: 4, column: 5 })
  assert.not.ok('preset_parameters' in (google ?? {}))
})

test('what belongs to a provider comes along: where tokens are revoked, whose they are, how to choose another account', () => {
  const { config, source } = load(`version: 1
authorization_servers:
  google: { preset: google, client_id: id, client_secret: "\${SECRET}", relink_parameters: { hd: example.com } }
  github: { preset: github, client_id: id, client_secret: "\${SECRET}" }
routes:
  a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: google } }
  b: { upstream: "https://b.example.com", auth: { type: authorization_code, authorization_server: github } }
`)
  const { google, github } = config.authorization_servers
  assert.is(google?.revocation_endpoint, 'https://oauth2.googleapis.com/revoke')
  assert.equal({ ...google?.relink_parameters }, { prompt: 'consent select_account', hd: 'example.com' })
  assert.equal([github?.account_endpoint, github?.account_claim], ['https://api.github.com/user', 'login'])
  assert.is(source.origin('/authorization_servers/google/relink_parameters/prompt'), 'preset')
})

test('what a preset knows about routes goes to every route that uses it, and the route wins', () => {
  const { config, source } = load(`version: 1
authorization_servers:
  entra: { preset: entra, preset_parameters: { tenant: "\${TENANT}" }, client_id: id, client_secret: "\${SECRET}" }
routes:
  a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: entra } }
  b: { upstream: "https://b.example.com", auth: { type: authorization_code, authorization_server: entra, resource: "https://b.example.com" } }
`)
  assert.is(resourceOf(config.routes.a?.auth), 'none')
  assert.is(resourceOf(config.routes.b?.auth), 'https://b.example.com')
  assert.is(source.origin('/routes/a/auth/resource'), 'preset')
  assert.is(
    config.authorization_servers.entra?.token_endpoint,
    'https://login.microsoftonline.com/contoso/oauth2/v2.0/token',
  )
})

test('the audience of a preset is for tokens of the gateway’s own, and the route wins', () => {
  const { config, source } = load(`version: 1
authorization_servers:
  auth0: { preset: auth0, preset_parameters: { domain: acme.eu.auth0.com, audience: "https://api.example.com" }, client_id: id, client_secret: "\${SECRET}" }
routes:
  a: { upstream: "https://a.example.com", auth: { type: client_credentials, authorization_server: auth0 } }
  b: { upstream: "https://b.example.com", auth: { type: client_credentials, authorization_server: auth0, audience: "https://b.example.com" } }
  c: { upstream: "https://c.example.com", auth: { type: authorization_code, authorization_server: auth0 } }
  d: { upstream: "https://d.example.com", auth: { type: token_exchange, authorization_server: auth0 } }
`)
  const audienceOf = (route: string) => ({ ...config.routes[route]?.auth }) as { audience?: string }
  assert.equal(
    ['a', 'b', 'c', 'd'].map((route) => audienceOf(route).audience),
    ['https://api.example.com', 'https://b.example.com', undefined, undefined],
  )
  assert.is(source.origin('/routes/a/auth/audience'), 'preset')
})

test('issuer and endpoints come from one place: the file or the preset, never both', () => {
  const { config } = load(`version: 1
authorization_servers:
  enterprise:
    preset: github
    authorization_endpoint: https://github.example.com/login/oauth/authorize
    token_endpoint: https://github.example.com/login/oauth/access_token
    client_id: id
    client_secret: \${SECRET}
routes: { a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: enterprise } } }
`)
  const server = config.authorization_servers.enterprise
  assert.is(server?.token_endpoint, 'https://github.example.com/login/oauth/access_token')
  assert.is(server?.token_endpoint_auth_method, 'client_secret_post')
  assert.is(server?.account_endpoint, undefined, "its tokens are none of github.com's business")
  assert.is(server?.account_claim, undefined)
  assert.equal({ ...server?.relink_parameters }, { prompt: 'select_account' })
  const half = problems(
    'version: 1\nroutes: { a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: { preset: github, client_id: i, token_endpoint: "https://x.example.com/t", client_secret: "${S}" } } } }\n',
  )
  assert.equal(half, ['authorization-server/incomplete'])
})

function* leaves(value: unknown, path = ''): Iterable<string> {
  if (typeof value !== 'object' || value === null) {
    if (value !== undefined) yield path
    return
  }
  for (const [key, inner] of Object.entries(value)) yield* leaves(inner, path === '' ? key : `${path}.${key}`)
}

function entryFor({ name, parameters = {}, quirks }: Preset): object {
  const needed = Object.entries(parameters).filter(([, { default: fallback }]) => fallback === undefined)
  return {
    preset: name,
    ...(quirks.registration === 'dynamic' ? {} : { client_id: 'id', client_secret: '${SECRET}' }),
    ...(needed.length > 0 && {
      preset_parameters: Object.fromEntries(needed.map(([key, { example }]) => [key, example])),
    }),
  }
}

function problems(text: string): string[] {
  return checkConfig({ file: 'gateways.yaml', text, folder: '/' }).problems.map(({ rule }) => rule)
}

function load(text: string) {
  const env = { SECRET: 's', TENANT: 'contoso' }
  return loadConfig({ file: 'gateways.yaml', text, folder: '/', env })
}

function resourceOf(auth: object | undefined): unknown {
  return auth && 'resource' in auth ? auth.resource : undefined
}

test.run()
