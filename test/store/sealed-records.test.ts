// What is kept open of sealed records: as long as its sealed text, and not without end.
import * as assert from 'uvu/assert'
import { randomKeyring } from '../../src/store/keyring.ts'
import { createSealer } from '../../src/store/seal.ts'
import { sealedRecords } from '../../src/store/sealed-records.ts'
import { suite } from '../support/suite.ts'

const test = suite('store/sealed-records')

function world(most: number) {
  const sealer = createSealer(randomKeyring())
  const opened: string[] = []
  const counting: typeof sealer = {
    ...sealer,
    open(purpose, identity, sealed) {
      opened.push(identity)
      return sealer.open(purpose, identity, sealed)
    },
  }
  return { records: sealedRecords<string>(counting, 'purpose', most), opened }
}

test('one that was opened is not opened again, unless it is sealed anew or dropped', () => {
  const { records, opened } = world(10)
  const [first, second] = [records.seal('a', 'one'), records.seal('a', 'two')]
  assert.equal([records.open('a', first), records.open('a', first)], ['one', 'one'])
  assert.is(opened.length, 1)
  assert.is(records.open('a', second), 'two')
  assert.is(opened.length, 2)
  records.drop('a')
  assert.is(records.open('a', second), 'two')
  assert.is(opened.length, 3)
})

test('no more are kept open than were asked for', () => {
  const { records, opened } = world(2)
  const sealed = (name: string) => records.seal(name, name)
  const first = sealed('a')
  records.open('a', first)
  records.open('b', sealed('b'))
  records.open('c', sealed('c'))
  assert.is(records.open('a', first), 'a')
  assert.equal(opened, ['a', 'b', 'c', 'a'])
})

test.run()
