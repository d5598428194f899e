// Every configuration we show to newcomers is valid, as it stands and with its variables set.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { checkConfig, loadConfig } from '../../src/config/load.ts'
import { hashPassword } from '../../src/login/password.ts'
import { suite } from '../support/suite.ts'

const root = new URL('../../', import.meta.url)
const read = (file: string) => readFileSync(new URL(file, root), 'utf8')
const folders = readdirSync(new URL('examples/', root)).filter((name) => !/demo|\./.test(name))
const files = ['gateways.yaml', ...folders.map((folder) => `examples/${folder}/gateways.yaml`)]

const test = suite('examples')
let hash: string
test.before(async () => {
  hash = await hashPassword('correct horse')
})

const folderOf = (file: string) => fileURLToPath(new URL('.', new URL(file, root)))

const load = (file: string, text: string) =>
  loadConfig({
    file,
    text,
    folder: folderOf(file),
    env: {
      GITHUB_CLIENT_ID: 'id',
      GITHUB_CLIENT_SECRET: 'secret',
      TAVILY_API_KEY: 'key',
      ALICE_PASSWORD_HASH: hash,
      BOB_PASSWORD_HASH: hash,
    },
    readFile: (path) => (path.endsWith('.hash') ? `${hash}\n` : 'secret\n'),
  })

test('there are examples to check', () => {
  assert.equal([...folders].sort(), ['api-key', 'basic', 'github', 'two-routes'])
})

for (const file of files) {
  test(`${file} is valid without and with its environment, and names its schema`, () => {
    const text = read(file)
    assert.equal(checkConfig({ file, text, folder: folderOf(file) }).problems, [])
    assert.equal(load(file, text).warnings, [])
    const schema = /^# yaml-language-server: \$schema=(\S+)/.exec(text)?.[1] ?? ''
    const path = new URL(schema, new URL(file, root))
    assert.is(path.href, new URL('schema/gateways.schema.json', root).href)
  })
}

test('the GitHub part of gateways.yaml is valid once uncommented', () => {
  const text = read('gateways.yaml').replace(/^ {2}# (github:| {2} *\S.*)$/gm, (line, content) =>
    /callback\/github/.test(line) ? line : `  ${content}`,
  )
  const { config, warnings } = load('gateways.yaml', text)
  assert.equal(warnings, [])
  assert.equal(Object.keys(config.routes), ['demo', 'github'])
  assert.is(config.routes.github?.auth.type, 'authorization_code')
})

for (const folder of folders) {
  test(`examples/${folder}/README.md starts the gateway with its own file`, () => {
    const text = read(`examples/${folder}/README.md`)
    assert.match(text, `--config examples/${folder}/gateways.yaml`)
    const lines = text.trimEnd().split('\n').length
    assert.ok(lines >= 5 && lines <= 20, `${lines} lines`)
  })
}

test('a DEMO_PORT that is no port is told in a sentence', async () => {
  for (const port of ['abc', '1.5', '99999']) {
    const child = spawn(process.execPath, [fileURLToPath(new URL('examples/start.mjs', root))], {
      env: { ...process.env, DEMO_PORT: port },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const ended = once(child, 'exit')
    const said = await text(child.stderr)
    assert.is(said, 'DEMO_PORT is no port: write a number from 0 to 65535, or unset it for 9010.\n')
    assert.equal(await ended, [1, null])
  }
})

test.run()
