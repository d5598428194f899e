// What people see in an editor: the published schema in the real yaml-language-server, over its protocol.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { bundleSchema } from '../../src/config/schema.ts'
import { suite } from '../support/suite.ts'
import { CURSOR, type Editor, startEditor } from './language-server.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const examples = readdirSync(join(root, 'examples')).filter((name) => !/demo|\./.test(name))
const shown = ['gateways.yaml', ...examples.map((name) => `examples/${name}/gateways.yaml`)]
const presets = readdirSync(join(root, 'presets')).map((file) => `presets/${file}`)

const test = suite('editor')
let editor: Editor
let folder: string
let documents = 0
test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-editor-'))
  writeFileSync(join(folder, 'gateways.schema.json'), JSON.stringify(bundleSchema()))
  editor = await startEditor(root)
})
test.after(async () => {
  await editor.close()
  rmSync(folder, { recursive: true })
})

/** Each schema as people get it: the folder of this repository, and the one document that `schema` prints. */
const schemas = {
  'the schema folder': () => join(root, 'schema/gateways.schema.json'),
  'the bundled schema': () => join(folder, 'gateways.schema.json'),
}

for (const [kind, schema] of Object.entries(schemas)) {
  const open = async (text: string) => {
    const path = join(folder, `${documents++}.yaml`)
    const modeline = `# yaml-language-server: $schema=${schema()}\n`
    const opened = await editor.open(path, `${modeline}${text}`)
    return { path, ...opened }
  }
  const hover = async (text: string) => {
    const { path, cursor } = await open(text)
    return editor.hover(path, cursor)
  }
  const complete = async (text: string) => {
    const { path, cursor } = await open(text)
    return (await editor.complete(path, cursor)).map(({ label }) => label)
  }

  test(`${kind}: hover shows what a setting is for, its own words and not those of its shape`, async () => {
    assert.match(await hover(`version: 1\nserver: { po${CURSOR}rt: 8002 }\n`), 'TCP port to listen on')
    assert.match(await hover(`tokens: { access_${CURSOR}ttl: 1h }\n`), 'Lifetime of an access token')
    assert.match(
      await hover(`authorization_servers:\n  a:\n    client_${CURSOR}secret: \${X}\n`),
      "The gateway's client secret",
    )
    assert.match(
      await hover(`routes:\n  a:\n    upst${CURSOR}ream: https://a.example.com\n`),
      'URL of the MCP server',
    )
  })

  test(`${kind}: completion offers the settings of a route`, async () => {
    const labels = await complete(
      `version: 1\nroutes:\n  a:\n    upstream: https://a.example.com\n    ${CURSOR}\n`,
    )
    for (const name of ['path', 'title', 'auth', 'access', 'limits', 'timeouts'])
      assert.ok(labels.includes(name), name)
    assert.not.ok(labels.includes('upstream'), 'what is there already')
  })

  test(`${kind}: completion offers the types of auth`, async () => {
    const route = 'version: 1\nroutes:\n  a:\n    upstream: https://a.example.com\n    auth:'
    assert.equal((await complete(`${route} ${CURSOR}\n`)).sort(), [
      'authorization_code',
      'none',
      'user_api_key',
    ])
    assert.equal((await complete(`${route}\n      type: ${CURSOR}\n`)).sort(), [
      'api_key',
      'authorization_code',
      'client_credentials',
      'none',
      'token_exchange',
      'user_api_key',
    ])
    const inside = await complete(`${route}\n      ${CURSOR}\n`)
    for (const name of ['type', 'value', 'scope', 'authorization_server'])
      assert.ok(inside.includes(name), name)
    const keyed = await complete(`${route}\n      type: api_key\n      ${CURSOR}\n`)
    assert.ok(keyed.includes('value'))
    assert.not.ok(keyed.includes('scope'), 'another type')
  })

  test(`${kind}: completion offers the presets`, async () => {
    const labels = await complete(`version: 1\nauthorization_servers:\n  a:\n    preset: ${CURSOR}\n`)
    for (const name of ['github', 'entra', 'slack']) assert.ok(labels.includes(name), name)
  })

  test(`${kind}: a literal secret, an unknown name and a wrong word are underlined`, async () => {
    const { diagnostics } = await open(`version: 1
routes:
  a:
    upstream: https://a.example.com
    acess: anyone
    auth: { type: api_key, value: hunter2 }
  b:
    upstream: https://b.example.com
    auth: nne
`)
    const found = diagnostics.map(({ message, range }) => `${range.start.line} ${message}`)
    assert.ok(
      found.some((text) => /^5 .*acess/.test(text)),
      found.join('\n'),
    )
    assert.ok(
      found.some((text) => /^6 A secret is never written/.test(text)),
      found.join('\n'),
    )
    assert.ok(
      found.some((text) => /^9 /.test(text)),
      found.join('\n'),
    )
    assert.is(found.length, 3, found.join('\n'))
  })

  test(`${kind}: references where texts, numbers and switches are expected are no mistakes`, async () => {
    const { diagnostics } = await open(`version: 1
server: { port: "\${PORT:-8002}", public_url: "\${URL}" }
clients: { registration: { enabled: "\${OPEN}" } }
routes:
  a: { upstream: "\${UPSTREAM}", auth: { type: api_key, value: "Bearer \${KEY}" } }
`)
    assert.equal(diagnostics, [])
  })
}

test('every configuration and preset of this repository finds its schema by its first line', async () => {
  await Promise.all(
    [...shown, ...presets].map(async (file) => {
      const path = join(root, file)
      const text = readFileSync(path, 'utf8').replace(/^(version|title)/m, `${CURSOR}$1`)
      const { cursor, diagnostics } = await editor.open(path, text)
      assert.equal(diagnostics, [], file)
      assert.match(await editor.hover(path, cursor), /Version of this file's format|as people know it/, file)
    }),
  )
})

test.run()
