// When a token is due, and what one refresh does for everybody who waits for it. Real upstreams are in test/flow.
import * as assert from 'uvu/assert'
import { isDue, isExpired, refreshSpread } from '../../src/auth/refresh.ts'
import type { Subject } from '../../src/slots.ts'
import { suite } from '../support/suite.ts'

const test = suite('auth/refresh')
const MINUTE_MS = 60_000
const token = (lifetimeMs: number | undefined) => ({
  accessToken: 'a',
  refreshToken: 'r',
  obtainedAtMs: 1_000_000,
  expiresAtMs: lifetimeMs === undefined ? undefined : 1_000_000 + lifetimeMs,
  scope: undefined,
})

test('a token is due in the last tenth of its life, at most a minute before its end', () => {
  const cases: [name: string, lifetimeMs: number, dueAfterMs: number][] = [
    ['an hour', 60 * MINUTE_MS, 59 * MINUTE_MS],
    ['ten minutes', 10 * MINUTE_MS, 9 * MINUTE_MS],
    ['a minute', MINUTE_MS, 54_000],
    ['five seconds', 5_000, 4_500],
  ]
  for (const [name, lifetimeMs, dueAfterMs] of cases) {
    assert.not.ok(isDue(token(lifetimeMs), 1_000_000 + dueAfterMs - 1), name)
    assert.ok(isDue(token(lifetimeMs), 1_000_000 + dueAfterMs), name)
    assert.not.ok(isExpired(token(lifetimeMs), 1_000_000 + lifetimeMs - 1), name)
    assert.ok(isExpired(token(lifetimeMs), 1_000_000 + lifetimeMs), name)
  }
})

test('links that were made in one second are not all due in one; each keeps its own moment', () => {
  const LINKS = 10_000
  const dueInSecond = new Map<number, number>()
  for (let index = 0; index < LINKS; index++) {
    const spread = refreshSpread(`users/${index}` as Subject, 'fingerprint')
    assert.ok(spread >= 0.8 && spread <= 1.2, `${spread}`)
    assert.is(refreshSpread(`users/${index}` as Subject, 'fingerprint'), spread)
    const second = Math.floor((60 * MINUTE_MS - spread * MINUTE_MS) / 1000)
    dueInSecond.set(second, (dueInSecond.get(second) ?? 0) + 1)
  }
  assert.ok(dueInSecond.size >= 24, `${dueInSecond.size} seconds`)
  // Evenly over 24 seconds there would be 417 in each.
  assert.ok(Math.max(...dueInSecond.values()) < 520, `${Math.max(...dueInSecond.values())} in one second`)
  assert.is.not(refreshSpread('users/a' as Subject, 'one'), refreshSpread('users/a' as Subject, 'two'))
})

test('the spread widens and narrows the time before the end, and never reaches the end itself', () => {
  const dueAt = (spread: number) => 1_000_000 + 60 * MINUTE_MS - spread * MINUTE_MS
  for (const spread of [0.8, 1, 1.2]) {
    assert.not.ok(isDue(token(60 * MINUTE_MS), dueAt(spread) - 1, spread))
    assert.ok(isDue(token(60 * MINUTE_MS), dueAt(spread), spread))
  }
})

test('a token that says nothing of its end is never due', () => {
  assert.not.ok(isDue(token(undefined), Number.MAX_SAFE_INTEGER))
  assert.not.ok(isExpired(token(undefined), Number.MAX_SAFE_INTEGER))
})

test.run()
