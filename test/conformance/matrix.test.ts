// docs/conformance.md: every row has a test that names it, every name has a row, and the document says so.
// `UPDATE_DOCS=1` writes it.
import { readFile, writeFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'
import { faults, type Group, type Groups, REVISIONS, type Row, readGroups, render } from './matrix.ts'
import { type RegisteredTest, registeredTests } from './registered-tests.ts'

const test = suite('conformance/matrix')
const page = new URL('../../docs/conformance.md', import.meta.url)
const read = async (name: string) => readGroups(await readFile(new URL(name, import.meta.url), 'utf8'))

const INTRO = `# Conformance

What the MCP authorization specification, the RFCs behind it and known attacks ask of this gateway, and the tests that
prove each row. A test proves a row by naming it: \`spec-A3: …\`, \`sec-C2: …\`.

This file is generated from \`test/conformance/requirements.yaml\`, \`test/conformance/threats.yaml\` and the names that
the test files register: \`UPDATE_DOCS=1 node --import tsx test/conformance/matrix.test.ts\`. A row without a test, a
name without a row, or a document that is not current fails the tests.

Revisions of the specification: ${REVISIONS.join(', ')}. \`client MUST\` is asked
of clients, and the gateway has to play along. \`practice\` is asked by nobody, and clients break without it. The
official conformance suite runs besides (\`npm run test:long\`): as the judge of the authorization server, of the MCP
path and of the way to upstreams.
`

const requirements = await read('requirements.yaml')
const threats = await read('threats.yaml')

let listing: Promise<RegisteredTest[]> | undefined
/** Every test file is imported for it: once, and with time for a busy machine. */
const allTests = () => {
  listing ??= registeredTests()
  return listing
}
const PATIENCE = { timeoutMs: 90_000 }

test(
  'every row has a test, and every test that names a row has one',
  async () => assert.equal(faults([...requirements, ...threats], await allTests()), []),
  PATIENCE,
)

test(
  'the document is current',
  async () => {
    const current = render(INTRO, requirements, threats, await allTests())
    if (process.env.UPDATE_DOCS === '1') await writeFile(page, current)
    assert.is(
      await readFile(page, 'utf8'),
      current,
      'UPDATE_DOCS=1 node --import tsx test/conformance/matrix.test.ts',
    )
  },
  PATIENCE,
)

const LEVELS = ['MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT', 'MAY', 'client MUST', 'practice']
const ROLES = ['AS', 'RS', 'AS/RS', 'proxy', 'client']
const MEMBERS = ['level', 'role', 'since', 'until', 'text', 'source', 'open', 'note']

test('each requirement says at what level, of whom and since when', () => {
  for (const [id, row] of requirements.flatMap(({ rows }) => Object.entries(rows))) {
    assert.match(id, /^spec-[A-Z]\d+$/)
    assert.ok(LEVELS.includes(row.level ?? ''), id)
    assert.ok(ROLES.includes(row.role ?? ''), id)
    assert.ok(row.source, id)
    for (const revision of [row.since, row.until])
      if (revision !== undefined) assert.ok(REVISIONS.includes(revision), id)
  }
  for (const [id, row] of [...requirements, ...threats].flatMap(({ rows }) => Object.entries(rows))) {
    assert.match(row.text, /^[A-Z0-9`].*\.$/, id)
    for (const member of Object.keys(row)) assert.ok(MEMBERS.includes(member), `${id}: ${member}`)
  }
})

const row = (members: Partial<Row> = {}): Row => ({ text: 'It holds.', ...members })
const group = (rows: Group['rows']): Groups => [{ title: 'Some', rows }]
const named = (name: string, line = name): RegisteredTest => ({ name, line, file: 'some/file.test.ts' })

test('a row without a test, a test without a row and a row that is open no longer are faults', () => {
  const rows = group({ 'spec-D1': row(), 'sec-A1': row(), 'sec-A2': row({ open: 'later' }) })
  assert.equal(faults(rows, [named('spec-D1, sec-A1: both')]), [])
  assert.equal(faults(rows, [named('spec-D1: one')]), ['no test proves sec-A1'])
  assert.equal(faults(rows, [named('spec-D1, sec-A1: both'), named('sec-A2: done')]), [
    'sec-A2 has a test: it is not open any more',
  ])
  assert.equal(faults(rows, [named('spec-D1, sec-A1: both'), named('v1: spec-D11: another')]), [
    'some/file.test.ts: there is no row spec-D11',
  ])
})

test('the document names each test once for each row, tables of tests in one line, and names stay text', () => {
  const rows = group({
    'spec-D1': row({ level: 'MUST', role: 'AS', since: '2025-06-18', source: 'RFC 8414' }),
  })
  const text = render('# Title\n', rows, group({ 'sec-A1': row({ note: 'Mind this.' }) }), [
    named('spec-D1: a <b> | *c*'),
    named('spec-D1: 1 is one', 'line 7'),
    named('spec-D1: 2 is two', 'line 7'),
    named('nothing to prove'),
    named('sec-A1, spec-D1: both'),
  ])
  const link = '[some/file](../test/some/file.test.ts)'
  assert.match(
    text,
    `| **spec-D1** | It holds.<br><sub>MUST, AS, since 2025-06-18. RFC 8414</sub> | ${link}<br>`,
  )
  assert.match(text, '<br>• a &lt;b> \\| \\*c\\*<br>• 1 is one (and 1 more like it)<br>• both |\n')
  assert.match(text, `| **sec-A1** | It holds.<br>Mind this. | ${link}<br>• both |\n`)
  assert.match(text, '1 rows, proven by 4 tests; 0 are open.')
  assert.not.match(text, 'nothing to prove')
})

test(
  'the names are those that the files register, out of tables too',
  async () => {
    const tests = await allTests()
    const files = new Set(tests.map(({ file }) => file))
    for (const file of ['conformance/matrix.test.ts', 'security/consent.test.ts'])
      assert.ok(files.has(file), file)
    assert.ok([...files].some((file) => file.startsWith('long/')))
    const own = tests.filter(({ file }) => file === 'conformance/matrix.test.ts')
    assert.is(own.length, 6)
    const table = tests.filter(
      ({ name, file }) => file === 'upstream/guard.test.ts' && name.startsWith('sec-F9'),
    )
    assert.ok(table.length > 20)
    assert.is(new Set(table.map(({ line }) => line)).size, 1)
  },
  PATIENCE,
)

test.run()
