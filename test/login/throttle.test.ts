// Password guessing slowed down, with a clock of its own.
import * as assert from 'uvu/assert'
import { LoginRefused } from '../../src/errors.ts'
import { createThrottle } from '../../src/login/throttle.ts'
import { suite } from '../support/suite.ts'

const test = suite('login/throttle')

function world() {
  const clock = { nowMs: 1_700_000_000_000 }
  const throttle = createThrottle(() => clock.nowMs)
  /** Seconds to wait, 0 for none. */
  const waits = (account: string): number => {
    try {
      throttle.check(account)
      return 0
    } catch (error) {
      if (!(error instanceof LoginRefused)) throw error
      assert.is(error.status, 429)
      return error.retryAfterSeconds ?? -1
    }
  }
  const fail = (account: string, times = 1) => {
    for (let n = 0; n < times; n++) throttle.failed(account)
  }
  return { clock, throttle, waits, fail }
}

test('sec-L1: four mistakes are free; from the fifth on each one doubles the wait', () => {
  const { waits, fail } = world()
  fail('alice', 4)
  assert.is(waits('alice'), 0)
  const seen = Array.from({ length: 6 }, () => {
    fail('alice')
    return waits('alice')
  })
  assert.equal(seen, [1, 2, 4, 8, 16, 32])
})

test('a wait ends when its time is over, to the millisecond', () => {
  const { clock, waits, fail } = world()
  fail('alice', 6)
  clock.nowMs += 1_999
  assert.is(waits('alice'), 1)
  clock.nowMs += 1
  assert.is(waits('alice'), 0)
})

test('sec-L1: no wait is longer than a quarter of an hour, after any number of mistakes', () => {
  const { waits, fail } = world()
  fail('alice', 2_000)
  assert.is(waits('alice'), 15 * 60)
})

test('the right password forgets the mistakes', () => {
  const { throttle, waits, fail } = world()
  fail('alice', 4)
  throttle.succeeded('alice')
  fail('alice', 4)
  assert.is(waits('alice'), 0)
})

test('nobody waits for the mistakes made on another account', () => {
  const { waits, fail } = world()
  fail('alice', 10)
  assert.is(waits('Alice'), 0)
  assert.is(waits('bob'), 0)
  assert.is(waits('__proto__'), 0)
})

test('a spray over many names costs bounded memory, and does not lift the wait of a name that is under attack', () => {
  const { waits, fail } = world()
  fail('victim', 10)
  for (let n = 0; n < 9_000; n++) fail(`name ${n}`)
  assert.ok(waits('victim') > 0)
  fail('victim')
  for (let n = 0; n < 9_000; n++) fail(`other ${n}`)
  assert.ok(waits('victim') > 0, 'each new mistake keeps it')
})

test.run()
