// `tests:` of a configuration: what the sentences say is what a running gateway does, and a reload keeps them true.
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import * as assert from 'uvu/assert'
import { judge } from '../../src/config/examples/judge.ts'
import { readSentence } from '../../src/config/examples/sentence.ts'
import { ConfigError, loadConfig } from '../../src/config/load.ts'
import { startGateway } from '../support/gateway.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/tests')

const HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$GUvH5s9uAIs5xZ6KvErB6A$oaCE6y8tmCpS5+iuS6E2xrTrbLLPlP66KktLG2pZAZ4'
const yaml = (access: string, ...sentences: string[]) => `version: 1
server: { port: 0 }
store: { type: memory }
login: { users: { alice: { password_hash: "\${H}", groups: [platform] }, bob: { password_hash: "\${H}" } } }
routes:
  github: { upstream: "http://127.0.0.1:9/mcp", auth: none, access: { groups: [${access}] } }
  docs: { path: /docs/mcp, upstream: "http://127.0.0.1:9/mcp", auth: none }
tests: ${JSON.stringify(sentences)}
`

const METHODS = ['GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'HEAD']
const PATHS = ['/github', '/docs/mcp', '/docs', '/github/', '/Github', '/nowhere', '/github?tools=all']

test('what is judged of a request without a token is what a running gateway answers', async ({ after }) => {
  const gateway = await startGateway({ yaml: yaml('platform'), env: { H: HASH } })
  after(gateway.close)
  const { routes } = loadConfig({ file: 'f', text: yaml('platform'), folder: '/', env: { H: HASH } }).config
  for (const method of METHODS) {
    for (const path of PATHS) {
      const said = readSentence(`${method} ${path} without token → 401`)
      assert.ok(said.kind !== 'unreadable')
      const [judged] = judge(said, { routes, profile: () => undefined })
      assert.is(judged?.found, await statusOf(method, gateway.url + path), `${method} ${path}`)
    }
  }
})

test('a reload that breaks a sentence is refused, and the next good one is not', async ({ after }) => {
  const sentences = ['user bob on github → 403', 'user alice on github → allowed']
  const gateway = await startGateway({ yaml: yaml('platform', ...sentences), env: { H: HASH } })
  after(gateway.close)
  const refused = await gateway.app.reload(yaml('', ...sentences)).catch((error: unknown) => error)
  assert.ok(refused instanceof ConfigError)
  assert.equal(
    refused.problems.map(({ rule, pointer, severity }) => [rule, pointer, severity]),
    [['tests/failed', '/tests/1', 'error']],
  )
  assert.is(gateway.app.current().generation, 1)
  assert.equal(gateway.app.current().routes.get('github')?.access, { groups: ['platform'] })
  assert.is((await gateway.app.reload(yaml('platform', ...sentences, 'GET /docs → 404'))).generation, 2)
})

test('every sentence of the documentation can be read', () => {
  const pages = ['README.md', 'docs/ci.md'].map((name) =>
    readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'),
  )
  const sentences = pages.flatMap(
    (page) => page.match(/(?<=^ {2}- |`)(?:[A-Z]+ \/|(?:user|client) [a-z])[^`\n]*(?:→|->)[^`\n]*/gm) ?? [],
  )
  assert.ok(sentences.length >= 8, sentences.join('\n'))
  for (const sentence of sentences) assert.is.not(readSentence(sentence).kind, 'unreadable', sentence)
})

/** By node:http: fetch would rewrite some of these. */
function statusOf(method: string, url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sent.on('error', reject).end()
  })
}

test.run()
