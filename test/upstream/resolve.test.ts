// Names into addresses, a few at a time.
import * as assert from 'uvu/assert'
import { createResolve, type Lookup } from '../../src/upstream/resolve.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/resolve')
const address = { address: '192.0.2.1', family: 4 }

test('sec-F5: a lookup that is over makes room for the next, however it ended', async () => {
  let underway = 0
  let most = 0
  const lookup: Lookup = (hostname, _options, callback) => {
    underway += 1
    most = Math.max(most, underway)
    setImmediate(() => {
      underway -= 1
      callback(hostname === 'bad.test' ? new Error('no such name') : null, [address])
    })
  }
  const resolve = createResolve(lookup, 2)
  const outcome = (name: string) =>
    resolve(name, AbortSignal.timeout(5_000)).then(
      () => 'found',
      (error: Error) => error.message,
    )
  for (let round = 0; round < 3; round += 1) {
    assert.is(await outcome('good.test'), 'found')
    assert.is(await outcome('bad.test'), 'no such name')
  }
  const names = Array.from({ length: 6 }, (_, index) => `${index}.test`)
  assert.equal([...new Set(await Promise.all(names.map(outcome)))], ['found'])
  assert.is(most, 2)
  assert.is(await outcome('good.test'), 'found')
})

test.run()
