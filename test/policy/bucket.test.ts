import * as assert from 'uvu/assert'
import { createBucket, createBuckets } from '../../src/policy/bucket.ts'
import { suite } from '../support/suite.ts'

const test = suite('policy/bucket')

function clocked() {
  let nowMs = 1_000_000
  return {
    now: () => nowMs,
    pass(ms: number) {
      nowMs += ms
    },
  }
}

test('what is in it goes out at once; then it fills again, as fast as it should and no higher than its rim', () => {
  const clock = clocked()
  const bucket = createBucket({ size: 3, perSecond: 2, now: clock.now })
  const take = (times: number) => Array.from({ length: times }, () => bucket.take())
  assert.equal(take(5), ['taken', 'taken', 'taken', 'empty_now', 'empty'])
  clock.pass(499)
  assert.equal(take(1), ['empty'])
  clock.pass(1)
  assert.equal(take(2), ['taken', 'empty_now'])
  clock.pass(3_600_000)
  assert.equal(take(4), ['taken', 'taken', 'taken', 'empty_now'])
})

test('a clock that is set back neither fills nor empties it', () => {
  const clock = clocked()
  const bucket = createBucket({ size: 1, perSecond: 1, now: clock.now })
  assert.is(bucket.take(), 'taken')
  clock.pass(-3_600_000)
  assert.is(bucket.take(), 'empty_now')
  clock.pass(1_000)
  assert.is(bucket.take(), 'taken')
})

test('each owner has one; with too many of them, who has not come for longest begins anew', () => {
  const buckets = createBuckets({ size: 1, perSecond: 1, most: 2, now: clocked().now })
  const take = (owners: string) => [...owners].map((owner) => buckets.take(owner))
  assert.equal(take('aabb'), ['taken', 'empty_now', 'taken', 'empty_now'])
  assert.equal(take('ac'), ['empty', 'taken'], 'b is forgotten')
  assert.equal(take('ab'), ['empty', 'taken'])
})

test.run()
