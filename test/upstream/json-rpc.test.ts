import * as assert from 'uvu/assert'
import { JSON_RPC_CODE, jsonRpcError, requestId } from '../../src/upstream/json-rpc.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/json-rpc')
const idOf = (text: string) => requestId(Buffer.from(text))

test('finds the id of a request, whatever its type and place', () => {
  assert.is(idOf('{"jsonrpc":"2.0","id":7,"method":"ping"}'), 7)
  assert.is(idOf('{"id":"a-1","jsonrpc":"2.0"}'), 'a-1')
  assert.is(idOf('{"params":{"id":9},"id":0}'), 0)
  assert.is(idOf(' {"id":""}\n'), '')
})

test('a message without one usable id has none', () => {
  const without = [
    '',
    '{',
    'null',
    '7',
    '"id"',
    '{}',
    '{"id":null}',
    '{"id":{"id":1}}',
    '{"id":[1]}',
    '{"id":true}',
  ]
  for (const body of without) assert.is(idOf(body), null, body)
})

test('a batch has no one id', () => {
  assert.is(idOf('[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":2,"method":"b"}]'), null)
})

test('reads only its own part of a shared buffer', () => {
  const shared = Buffer.from('garbage{"id":3}garbage')
  assert.is(requestId(shared.subarray(7, 15)), 3)
})

test('writes an error with the id, and without one when it is not known', () => {
  assert.equal(JSON.parse(jsonRpcError('a', JSON_RPC_CODE.internal_error, 'no "luck"')), {
    jsonrpc: '2.0',
    id: 'a',
    error: { code: -32603, message: 'no "luck"' },
  })
  assert.equal(JSON.parse(jsonRpcError(null, JSON_RPC_CODE.invalid_request, 'x')), {
    jsonrpc: '2.0',
    error: { code: -32600, message: 'x' },
  })
})

test('spec-P6: no code comes from the range that belongs to MCP and its servers', () => {
  for (const code of Object.values(JSON_RPC_CODE))
    assert.not.ok(code >= -32099 && code <= -32000, String(code))
})

test.run()
