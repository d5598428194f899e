// What `--fix` does to a text: only what can be meant one way only, and nothing else in the file moves.
import * as assert from 'uvu/assert'
import { mend } from '../../src/config/fix.ts'
import { checkConfig } from '../../src/config/load.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/fix')
const check = (text: string) => checkConfig({ file: 'gateways.yaml', text, folder: '/' }).problems
const fix = (text: string) => mend(text, check).text

const ROUTE = 'upstream: "https://a.example.com", auth: none'

const cases: readonly (readonly [what: string, before: string, after: string])[] = [
  [
    'a mistyped property',
    `version: 1\nroutes:\n  a: { ${ROUTE}, acess: anyone } # why\n`,
    `version: 1\nroutes:\n  a: { ${ROUTE}, access: anyone } # why\n`,
  ],
  [
    'a property in camel case, quoted',
    `version: 1\nserver: { "publicUrl": "https://a.example.com" }\nroutes: { a: { ${ROUTE} } }\n`,
    `version: 1\nserver: { public_url: "https://a.example.com" }\nroutes: { a: { ${ROUTE} } }\n`,
  ],
  [
    'a mistyped type',
    'version: 1\nroutes:\n  a:\n    upstream: https://a.example.com\n    auth: { type: "api-key", value: "${K}" }\n',
    'version: 1\nroutes:\n  a:\n    upstream: https://a.example.com\n    auth: { type: api_key, value: "${K}" }\n',
  ],
  [
    'a mistyped word',
    `version: 1\nroutes: { a: { upstream: "https://a.example.com", auth: nne } }\n`,
    `version: 1\nroutes: { a: { ${ROUTE} } }\n`,
  ],
  [
    'a mistyped reference',
    `version: 1\nauthorization_servers: { github: { issuer: "https://g.example.com" } }\nroutes:\n  a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: githb } }\n`,
    `version: 1\nauthorization_servers: { github: { issuer: "https://g.example.com" } }\nroutes:\n  a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: github } }\n`,
  ],
  [
    'a number that YAML would mangle',
    `version: 1\nroutes:\n  a: { ${ROUTE}, title: 0123456 }\n  b: { ${ROUTE}, title: 1.10 }\n`,
    `version: 1\nroutes:\n  a: { ${ROUTE}, title: "0123456" }\n  b: { ${ROUTE}, title: "1.10" }\n`,
  ],
  [
    'variables without quotes inside braces, one behind the other',
    'version: 1\nserver: { port: ${PORT:-8002}, host: ${HOST} }  # two\nroutes: { a: { upstream: http://${H}/mcp, auth: none } }\n',
    'version: 1\nserver: { port: "${PORT:-8002}", host: "${HOST}" }  # two\nroutes: { a: { upstream: "http://${H}/mcp", auth: none } }\n',
  ],
  [
    'a value with a word before its variable',
    'version: 1\nroutes: { a: { upstream: "https://a.example.com", auth: { type: api_key, value: Bearer ${K} } } }\n',
    'version: 1\nroutes: { a: { upstream: "https://a.example.com", auth: { type: api_key, value: "Bearer ${K}" } } }\n',
  ],
  [
    'a slash at the end of a path',
    `version: 1\nroutes: { a: { ${ROUTE}, path: /a/mcp// } }\n`,
    `version: 1\nroutes: { a: { ${ROUTE}, path: /a/mcp// } }\n`,
  ],
  [
    'one slash at the end of a path',
    `version: 1\nroutes: { a: { ${ROUTE}, path: /a/mcp/ } }\n`,
    `version: 1\nroutes: { a: { ${ROUTE}, path: /a/mcp } }\n`,
  ],
  [
    'Windows line endings and a byte order mark',
    `\ufeffversion: 1\r\nroutes:\r\n  a: { ${ROUTE}, acess: anyone } # c\r\n`,
    `\ufeffversion: 1\r\nroutes:\r\n  a: { ${ROUTE}, access: anyone } # c\r\n`,
  ],
]

for (const [what, before, after] of cases) test(`fixes ${what}`, () => assert.is(fix(before), after))

const untouched: readonly (readonly [what: string, text: string])[] = [
  ['a good file', `version: 1\nroutes: { a: { ${ROUTE} } }\n`],
  [
    'a literal secret',
    'version: 1\nroutes: { a: { upstream: "https://a.example.com", auth: { type: api_key, value: hunter2 } } }\n',
  ],
  [
    'a reference that may mean two',
    'version: 1\nauthorization_servers: { prod-a: { issuer: "https://a.example.com" }, prod-b: { issuer: "https://b.example.com" } }\nroutes: { a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: prod-c } } }\n',
  ],
  [
    'who has access',
    `version: 1\nlogin: { users: { alice: { password_hash: "\${H}" } } }\nroutes: { a: { ${ROUTE}, access: { users: [alcie] } } }\n`,
  ],
  [
    'a name that is there already',
    `version: 1\nroutes: { a: { ${ROUTE}, access: anyone, acess: { users: [a] } } }\n`,
  ],
  [
    'two names that mean the same one',
    `version: 1\nroutes: { a: { ${ROUTE}, acess: anyone, accss: anyone } }\n`,
  ],
  [
    'what an alias brings in',
    'version: 1\nx-a: &a { type: nne }\nroutes: { a: { upstream: "https://a.example.com", auth: *a } }\n',
  ],
  ['a duration without its unit', `version: 1\ntokens: { access_ttl: 30 }\nroutes: { a: { ${ROUTE} } }\n`],
  [
    'a name that needs more than itself',
    'version: 1\nroutes: { a: { upstream: "https://a.example.com", auth: api-key } }\n',
  ],
  [
    'a quote that is never closed',
    'version: 1\nroutes: { a: { upstream: "https://a.example.com, auth: ${A} } }\n',
  ],
]

for (const [what, text] of untouched) test(`leaves ${what}`, () => assert.is(fix(text), text))

test('what it tells and what reports may show never holds a value that may be secret', () => {
  const text =
    'version: 1\nauthorization_servers:\n  g: { issuer: "https://g.example.com", authorization_parameters: { audience: 0123456 } }\nroutes: { a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: g } } }\n'
  const { text: mended, fixed } = mend(text, check)
  assert.match(mended, 'audience: "0123456"')
  assert.equal(
    fixed.map(({ fix }) => fix?.isPrivate),
    [true],
  )
  assert.not.match(
    fixed.map(({ message, hint, fix }) => `${message} ${hint} ${fix?.title}`).join(),
    '0123456',
  )
})

test('what was fixed stays fixed: a second run finds nothing to do', () => {
  for (const [, before] of cases) {
    const once = mend(before, check)
    assert.equal(mend(once.text, check).fixed, [])
  }
})

test.run()
