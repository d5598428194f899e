import * as assert from 'uvu/assert'
import { conversions, convertedName } from '../../src/config/convert.ts'
import type { ValueType } from '../../src/config/schema.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/convert')

const accepted: [type: ValueType, text: string, value: unknown][] = [
  ['duration', '500ms', 500],
  ['duration', '30s', 30_000],
  ['duration', '1h30m', 5_400_000],
  ['duration', '90d', 7_776_000_000],
  ['duration', '0s', 0],
  ['size', '4MiB', 4_194_304],
  ['size', '4MB', 4_000_000],
  ['size', '512KiB', 524_288],
  ['size', '10B', 10],
  ['integer', '8002', 8002],
  ['integer', '-1', -1],
  ['boolean', 'true', true],
  ['boolean', 'false', false],
  ['url', 'https://api.example.com/mcp/', 'https://api.example.com/mcp/'],
  ['url', 'http://[::1]:3000', 'http://[::1]:3000'],
  ['url', 'HTTPS://Example.com/a?b=c', 'HTTPS://Example.com/a?b=c'],
  ['origin', 'https://mcp.example.com/', 'https://mcp.example.com'],
  ['origin', 'https://MCP.example.com:443', 'https://mcp.example.com'],
  ['origin', 'http://localhost:8002', 'http://localhost:8002'],
]

for (const [type, text, value] of accepted) {
  test(`${type} ${text} is ${value}`, () => {
    assert.equal(conversions[type].convert(text), { value })
  })
}

const refused: [type: ValueType, text: string][] = [
  ['duration', '30'],
  ['duration', '30 s'],
  ['duration', '-1s'],
  ['duration', '1.5h'],
  ['duration', ''],
  ['duration', '99999999d'],
  ['size', '4M'],
  ['size', '4'],
  ['size', '99999999999GiB'],
  ['integer', '8002x'],
  ['integer', '1e3'],
  ['integer', '0x10'],
  ['integer', ''],
  ['integer', '99999999999999999999'],
  ['boolean', 'yes'],
  ['boolean', 'TRUE'],
  ['url', 'ftp://example.com'],
  ['url', 'https://'],
  ['url', 'https:///path'],
  ['url', 'https:/example.com'],
  ['url', 'https://exa mple.com'],
  ['url', 'https://example.com\\@evil.example'],
  ['url', 'https://user@example.com'],
  ['url', 'https://:pw@example.com'],
  ['url', 'https://example.com/#'],
  ['url', 'https://example.com\n'],
  ['origin', 'https://example.com/path'],
  ['origin', 'https://example.com?x'],
  ['origin', 'https://example.com//'],
]

for (const [type, text] of refused) {
  test(`${type} ${JSON.stringify(text)} is refused without being repeated`, () => {
    const outcome = conversions[type].convert(text)
    assert.ok('message' in outcome)
    assert.ok(outcome.hint)
    if (text.length > 8) assert.not.ok((outcome.message + outcome.hint).includes(text))
  })
}

test('the unit goes into the name', () => {
  assert.is(convertedName('ttl', 'duration'), 'ttl_ms')
  assert.is(convertedName('max_body', 'size'), 'max_body_bytes')
  assert.is(convertedName('port', 'integer'), 'port')
  assert.is(convertedName('title', undefined), 'title')
})

test.run()
