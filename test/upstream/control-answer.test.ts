// What an answer on the control plane comes to.
import * as assert from 'uvu/assert'
import { isPassing, jsonObject } from '../../src/upstream/control-answer.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/control-answer')

test('an object is read with or without a byte order mark; nothing else is an object', () => {
  assert.equal(jsonObject(Buffer.from('{"a":"é"}')), { a: 'é' })
  assert.equal(jsonObject(Buffer.from('\ufeff {"a":1}\n')), { a: 1 })
  for (const text of ['', '\ufeff', '[]', 'null', '"a"', '1', '{', '<html>', '\ufeff\ufeff{}'])
    assert.is(jsonObject(Buffer.from(text)), undefined, text)
})

test('a status of the moment says nothing about what was asked for', () => {
  assert.equal([408, 425, 429, 500, 502, 503, 504, 999].filter(isPassing).length, 8)
  assert.equal([200, 201, 302, 400, 401, 403, 404, 405, 410].filter(isPassing), [])
})

test.run()
