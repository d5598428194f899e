// The machine formats: each one parses by its own rules, has exact positions, escapes what it must, and holds no secret.
import * as assert from 'uvu/assert'
import { checkConfig } from '../../src/config/load.ts'
import { type Format, reports } from '../../src/config/report/index.ts'
import type { FileReport, ReportOptions } from '../../src/config/report/report.ts'
import { ruleDoc } from '../../src/config/rule-docs.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/report')

const OPTIONS: ReportOptions = {
  color: false,
  strict: false,
  env: { KEY: 'hunter2' },
  pathOf: (file) => file,
}
const BAD = `version: 1
routes:
  c: { upstream: "http://c.example.com", auth: { type: api_key, value: "\${OTHER}" } }
  a: { upstream: "https://a.example.com", auth: nne }
  b: { upstream: "https://b.example.com", auth: { type: api_key, value: hunter2 } }
`
const GOOD = `version: 1
server: { public_url: "https://mcp.example.com" }
authorization_servers:
  github:
    authorization_endpoint: https://github.com/login/oauth/authorize
    token_endpoint: https://github.com/login/oauth/access_token
    client_id: "\${ID}"
    client_secret: "\${KEY}"
routes:
  a: { upstream: "https://a.example.com", auth: { type: authorization_code, authorization_server: github } }
  b: { upstream: "https://b.example.com", auth: { type: authorization_code, authorization_server: github } }
`

const OTHER = { name: 'OTHER', kind: 'env', required: true, set: false }

function fileReport(text: string, file = 'gateways.yaml'): FileReport {
  return { file, text, checked: checkConfig({ file, text, folder: '/' }), unreadable: undefined }
}

const unreadable: FileReport = {
  file: 'gone.yaml',
  text: '',
  checked: undefined,
  unreadable: 'cannot read it',
}

async function render(format: Format, files: readonly FileReport[], options: Partial<ReportOptions> = {}) {
  return (await reports[format]())(files, { ...OPTIONS, ...options })
}

const everyFormat = Object.keys(reports) as Format[]

for (const format of everyFormat) {
  test(`${format} shows the rules of what is wrong, and never a secret`, async () => {
    const text = await render(format, [fileReport(BAD)])
    for (const rule of ['schema/discriminator', 'schema/literal-secret', 'upstream/plain-http']) {
      assert.match(text, rule)
    }
    assert.not.match(text, 'hunter2')
    assert.not.match(text, '\u001b')
  })

  test(`${format} survives names that are made to break it`, async () => {
    const text = `version: 1\nroutes:\n  "a%0A::error::\\u001b]0;x\\u0007 <b> & 'q' \\"w\\"\\r\\nnext,x:y\\u202e": { upstream: "https://a.example.com", auth: none }\n`
    const shown = await render(format, [fileReport(text, 'odd, name: 100%.yaml')])
    assert.not.match(shown.replaceAll('\n', ''), /[\p{Cc}\u202e]/u)
  })
}

test('line: one line per problem, with its place and rule', async () => {
  assert.is(
    await render('line', [fileReport(BAD), unreadable]),
    `gateways.yaml:3:18: warning: routes.c.upstream.url: credentials cross the network unencrypted. Use https. [upstream/plain-http]
gateways.yaml:4:49: error: routes.a.auth: "nne" is not possible here. Did you mean "none"? [schema/discriminator]
gateways.yaml:5:73: error: routes.b.auth.value: is a literal secret. A secret is never written into this file: write \${NAME} or \${file:/path}. [schema/literal-secret]
gone.yaml:1:1: error: cannot read it [file/unreadable]
`,
  )
})

test('json: errors first, each with range, pointer, docs and the fix there is', async () => {
  const report = JSON.parse(await render('json', [fileReport(BAD), unreadable]))
  assert.is(report.formatVersion, '1.0')
  assert.equal(report.files, [
    { file: 'gateways.yaml', routes: 3, errors: 2, warnings: 1, needs: [OTHER] },
    { file: 'gone.yaml', unreadable: 'cannot read it' },
  ])
  assert.equal(
    report.problems.map(({ severity }: { severity: string }) => severity),
    ['error', 'error', 'warning'],
  )
  const range = {
    start: { line: 4, column: 49, offset: BAD.indexOf('nne') },
    end: { line: 4, column: 52, offset: BAD.indexOf('nne') + 3 },
  }
  assert.equal(report.problems[0], {
    rule: 'schema/discriminator',
    severity: 'error',
    file: 'gateways.yaml',
    ...range,
    pointer: '/routes/a/auth',
    path: 'routes.a.auth',
    message: '"nne" is not possible here',
    hint: 'Did you mean "none"?',
    docs: 'docs/rules.md#schemadiscriminator',
    fix: { range, text: 'none', title: 'write none' },
  })
})

test('json: what a good file needs from elsewhere, and whether it is set, never what it holds', async () => {
  const text = await render('json', [fileReport(GOOD)])
  const report = JSON.parse(text)
  assert.equal(report.files[0].needs, [
    { name: 'ID', kind: 'env', required: true, set: false },
    { name: 'KEY', kind: 'env', required: true, set: true },
  ])
  assert.equal(report.notes, [
    {
      kind: 'redirect-uri',
      file: 'gateways.yaml',
      line: 4,
      column: 3,
      message: 'register the redirect URI https://mcp.example.com/upstream/callback/github at github',
      redirectUri: 'https://mcp.example.com/upstream/callback/github',
    },
  ])
  assert.not.match(text, 'hunter2')
})

test('a note names a variable without its default', async () => {
  const text = GOOD.replace('"https://mcp.example.com"', '"${URL:-https://hunter2.example.com}"')
  const { notes } = JSON.parse(await render('json', [fileReport(text)]))
  assert.equal(
    notes.map(({ redirectUri }: { redirectUri: string }) => redirectUri),
    ['${URL}/upstream/callback/github'],
  )
})

test('github: one command per problem, errors first, escaped as its toolkit does', async () => {
  const lines = (await render('github', [fileReport(BAD, 'a,b: 100%.yaml')])).split('\n')
  assert.is(
    lines[0],
    '::error file=a%2Cb%3A 100%25.yaml,line=4,col=49,endLine=4,endColumn=52,title=schema/discriminator::routes.a.auth: "nne" is not possible here. Did you mean "none"?',
  )
  assert.match(
    lines[2] ?? '',
    /^::warning file=.*line=3,col=18,endLine=3,endColumn=40,title=upstream\/plain-http::/,
  )
  assert.is(lines.filter((line) => line.startsWith('::')).length, 3)
  assert.is(lines.at(-2), 'a,b: 100%25.yaml: 2 errors, 1 warnings')
})

test('github: paths are those of the repository', async () => {
  const shown = await render('github', [fileReport(GOOD)], { pathOf: (file) => `deploy/${file}` })
  assert.match(
    shown,
    '::notice file=deploy/gateways.yaml,line=4,col=3,title=to do outside::register the redirect URI',
  )
})

test('junit: a suite per file, a failure per error, warnings beside them, and what cannot be read', async () => {
  const xml = await render('junit', [fileReport(BAD), fileReport(GOOD, 'good.yaml'), unreadable])
  assert.match(xml, '<testsuites name="mcp-oauth-gateway validate" tests="5" failures="2" errors="1">')
  assert.match(xml, '<testsuite name="gateways.yaml" tests="3" failures="2" errors="0" skipped="0">')
  assert.match(xml, '<testcase classname="good.yaml" name="valid"/>')
  assert.match(
    xml,
    'message="routes.a.auth: &quot;nne&quot; is not possible here. Did you mean &quot;none&quot;?"',
  )
  assert.match(xml, '<error message="cannot read it"/>')
  assert.is(xml.match(/<failure /g)?.length, 2)
  assert.equal(unbalanced(xml), [])
})

test('junit: with --strict a warning is a failure', async () => {
  assert.match(
    await render('junit', [fileReport(BAD)], { strict: true }),
    'tests="3" failures="3" errors="0">',
  )
})

interface SarifRule {
  readonly id: string
  readonly helpUri: string
  readonly shortDescription: { readonly text: string }
}

test('sarif: the members that the 2.1.0 schema requires, rules explained, exact regions, fixes', async () => {
  const sarif = JSON.parse(await render('sarif', [fileReport(BAD, 'deploy/my file#1.yaml')]))
  assert.is(sarif.version, '2.1.0')
  const [run] = sarif.runs
  assert.is(run.tool.driver.name, 'mcp-oauth-gateway')
  for (const { id, helpUri, shortDescription } of run.tool.driver.rules as SarifRule[]) {
    assert.is(shortDescription.text, ruleDoc(id)?.summary)
    assert.match(helpUri, `docs/rules.md#${id.replace('/', '')}`)
    assert.ok(URL.canParse(helpUri), helpUri)
  }
  const [first, , last] = run.results
  const artifactLocation = { uri: 'deploy/my%20file%231.yaml' }
  const offset = BAD.indexOf('nne')
  const region = {
    startLine: 4,
    startColumn: 49,
    endLine: 4,
    endColumn: 52,
    charOffset: offset,
    charLength: 3,
  }
  assert.is(first.ruleId, 'schema/discriminator')
  assert.is(run.tool.driver.rules[first.ruleIndex].id, first.ruleId)
  assert.is(first.level, 'error')
  assert.is(last.level, 'warning')
  assert.equal(first.locations, [{ physicalLocation: { artifactLocation, region } }])
  assert.equal(first.fixes, [
    {
      description: { text: 'write none' },
      artifactChanges: [
        { artifactLocation, replacements: [{ deletedRegion: region, insertedContent: { text: 'none' } }] },
      ],
    },
  ])
})

test('sarif: a run that could not read a file says so', async () => {
  const [run] = JSON.parse(await render('sarif', [unreadable])).runs
  assert.is(run.invocations[0].executionSuccessful, false)
  assert.is(run.invocations[0].toolExecutionNotifications[0].message.text, 'cannot read it')
  assert.equal(run.results, [])
})

test('no report shows the text of a fix that repeats a value which may be secret', async () => {
  const text = GOOD.replace('client_id:', 'authorization_parameters: { audience: 0777123 }\n    client_id:')
  for (const format of ['json', 'sarif'] as const) {
    const shown = await render(format, [fileReport(text)])
    assert.match(shown, 'schema/type')
    assert.not.match(shown, '0777123')
  }
})

test('pretty: frames with their rule, then what is needed and what is to be done elsewhere', async () => {
  const shown = await render('pretty', [fileReport(BAD), fileReport(GOOD, 'good.yaml')])
  assert.match(
    shown,
    'routes.a.auth: "nne" is not possible here. Did you mean "none"?  [schema/discriminator]\n',
  )
  assert.match(
    shown,
    `gateways.yaml: 2 errors, 1 warning
needs:
  OTHER  unset
good.yaml: ok, 2 routes
needs:
  ID   unset
  KEY  set
outside this file:
  register the redirect URI https://mcp.example.com/upstream/callback/github at github  (line 4)
`,
  )
})

test('pretty: on a terminal the rule is dim', async () => {
  assert.match(
    await render('pretty', [fileReport(BAD)], { color: true }),
    '\u001b[2m  [schema/discriminator]\u001b[22m',
  )
})

/** Tags that are not closed in order: enough of XML for a report of our own. */
function unbalanced(xml: string): string[] {
  const open: string[] = []
  for (const [, closing, name = '', rest = ''] of xml.matchAll(/<(\/?)([a-z-]+)((?:[^">]|"[^"<]*")*)>/g)) {
    if (closing) {
      if (open.pop() !== name) return [name]
    } else if (!rest.endsWith('/')) open.push(name)
  }
  return open
}

test.run()
