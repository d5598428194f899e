// What a challenge says, and what only looks as if it said it (RFC 9110 §11.6.1, RFC 6750 §3).
import * as assert from 'uvu/assert'
import { parseBearerHints } from '../../src/upstream/well-known.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/well-known')

const METADATA = 'resource_metadata="https://mcp.test/prm"'
const HINTS: Readonly<
  Record<string, readonly [header: string | undefined, scope?: string | undefined, prm?: string]>
> = {
  'no header': [undefined],
  'an empty one': [''],
  'a scheme alone': ['Bearer'],
  'both, quoted': [`Bearer ${METADATA}, scope="read write"`, 'read write', 'https://mcp.test/prm'],
  'another order and spelling': [
    'bEARER SCOPE=read , Resource_Metadata = "https://mcp.test/prm"',
    'read',
    'https://mcp.test/prm',
  ],
  'spaces in place of commas': ['Bearer error="invalid_token" scope="read"', 'read'],
  'escaped quotes': ['Bearer realm="a \\" scope=\\"b\\"", scope="c"', 'c'],
  'one in a description before it': [
    'Bearer error_description="needs scope=admin, resource_metadata=x", scope="read"',
    'read',
  ],
  'one in a description, alone': ['Bearer error_description="needs scope=admin; see docs"'],
  'a challenge in a realm': ['Basic realm="x, Bearer scope=admin"'],
  'another scheme before it': ['Basic realm="x", Bearer scope="read"', 'read'],
  'another scheme with a token before it': ['Negotiate YII/a+b==, Bearer scope="read"', 'read'],
  'another scheme after it': [`Bearer ${METADATA}, DPoP scope="other"`, undefined, 'https://mcp.test/prm'],
  'a second one of its own': [`Bearer realm="x", Bearer ${METADATA}`, undefined, 'https://mcp.test/prm'],
  'one name twice': ['Bearer scope="first", scope="second"', 'first'],
  'a description that should be quoted': ['Bearer error_description=it has expired, scope="read"', 'read'],
  'such a description with commas': [
    'Bearer error_description=no token, sorry, scope="read", error=x',
    'read',
  ],
  'another scheme before it, without anything': ['Negotiate, Bearer scope="read"', 'read'],
  'an empty value': ['Bearer scope="", resource_metadata=""'],
  'a quote that never ends': ['Bearer error="x", scope="read'],
  'a parameter without a scheme': ['scope="read"'],
}

for (const [what, [header, scope, resourceMetadata]] of Object.entries(HINTS))
  test(`spec-U1, spec-U6: ${what}`, () => {
    assert.equal(parseBearerHints(header), { resourceMetadata, scope })
  })

test('a header of 16 KiB that fits nowhere is read at once', () => {
  for (const piece of [' ', ',', 'a', 'a ', 'a=', '"', '\\', 'a="\\']) {
    const started = process.cpuUsage()
    parseBearerHints(`Bearer ${piece.repeat(16_384 / piece.length)}`)
    assert.ok(process.cpuUsage(started).user < 1_000_000, piece)
  }
})

test.run()
