// How problems look, and that a broken file never shows what it holds.
import { stripVTControlCharacters } from 'node:util'
import * as assert from 'uvu/assert'
import { checkConfig, formatProblems } from '../../src/config/load.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/format')
const FILE = 'my gateways.yaml'

const render = (text: string, color = false, env?: Record<string, string>) => {
  const { problems } = checkConfig({ file: FILE, text, env, folder: '/', readFile: () => 'hunter2' })
  return formatProblems(problems, new Map([[FILE, text]]), { color })
}

test('a problem has a place, a path, what is wrong, what to do, and a frame', () => {
  assert.is(
    render('version: 1\nserver:\n  port: 80020\nroutes: { a: { upstream: "https://a", auth: none } }\n'),
    `my gateways.yaml:3:9  server.port: 80020 is too large. The largest is 65535.
    1 | version: 1
    2 | server:
    3 |   port: 80020
      |         ^^^^^`,
  )
})

test('colour changes nothing but colour', () => {
  const text = 'version: 2\nroutes: {}\n'
  assert.not.match(render(text), '\u001b')
  assert.match(render(text, true), '\u001b[31m')
  assert.is(stripVTControlCharacters(render(text, true)), render(text))
})

test('errors come before warnings, and at most a hundred problems', () => {
  const server = 'authorization_endpoint: "https://a/a", token_endpoint: "https://a/t", client_id: a'
  const routes = Array.from(
    { length: 120 },
    (_, index) => `  r${index}: { upstream: "https://a", auth: nne }`,
  )
  const text = `version: 1\nauthorization_servers: { unused: { ${server} } }\nroutes:\n${routes.join('\n')}\n`
  const shown = render(text)
  assert.match(shown, /… and \d+ more$/)
  assert.is(shown.match(/Did you mean "none"/g)?.length, 100)
  assert.not.match(shown, 'warning')
})

test('a problem in a text that is not at hand is told without a frame', () => {
  const { problems } = checkConfig({ file: FILE, text: 'version: 2\n', folder: '/' })
  const shown = formatProblems(problems, new Map(), { color: false })
  assert.is(shown.split('\n').length, problems.length)
})

test('a very long line is shown around the mistake', () => {
  const text = `version: 1\nroutes: { a: { title: "${'x'.repeat(90)}", upstrem: "https://a", auth: none${' '.repeat(5000)}} }\n`
  const [, , line = '', caret = ''] = render(text).split('\n')
  assert.ok(line.length < 140)
  assert.is(line.slice(caret.indexOf('^'), caret.lastIndexOf('^') + 1), 'upstrem')
})

const SECRETS = `version: 1
server:
  public_url: https://mcp.example.com/
  tls: { cert: "\${file:/run/tls.crt}", key: "hunter2" } # hunter2
login:
  users:
    alice: { password_hash: "hunter2", email: alice@example.com, groups: [eng] }
authorization_servers:
  github: &server
    authorization_endpoint: https://github.com/login/oauth/authorize?key=hunter2
    token_endpoint: https://hunter2:hunter2@github.com/login/oauth/access_token
    client_id: abc
    client_secret: hunter2
    authorization_parameters: { prompt: hunter2 }
  gitlab:
    <<: *server
    client_secret: 'hunter2'
routes:
  github:
    title: GitHub
    upstream:
      url: https://api.githubcopilot.com/mcp/
      headers: { X-MCP-Readonly: "hunter2" }
    auth: { type: authorization_code, authorization_server: github, resource: none }
  tavily:
    upstream: https://mcp.tavily.com/mcp/
    auth: { type: api_key, value: "Bearer hunter2" }
store: { type: embedded, keys: [hunter2, "hunter2"] }
x-note: { a: hunter2, b: |
  hunter2
  }
`
const SPLINTERS = [...'"\'{}[]:\n\t#|>&*!\\@%,?\r', '', '', '- ', '  ', '${', '---\n', '\u2028', '🦆']

test('sec-G1: six hundred damaged files show none of their secrets', () => {
  const random = sequence(7)
  for (let round = 0; round < 600; round++) {
    const text = damage(SECRETS, 1 + random(3), random)
    const shown = render(text, false, random(2) === 0 ? {} : undefined)
    assert.ok(shown !== '', text)
    assert.not.match(shown, 'hunter2', `round ${round}:\n${shown}`)
  }
})

function damage(text: string, times: number, random: (below: number) => number): string {
  if (times === 0) return text
  const at = random(text.length)
  const broken = text.slice(0, at) + SPLINTERS[random(SPLINTERS.length)] + text.slice(at + random(4))
  return damage(broken, times - 1, random)
}

/** The same numbers in every run. */
function sequence(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1103515245 + 12345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
}

test.run()
