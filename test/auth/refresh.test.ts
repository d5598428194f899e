// When a token is due, and what one refresh does for everybody who waits for it. Real upstreams are in test/flow.
import * as assert from 'uvu/assert'
import { isDue, isExpired } from '../../src/auth/refresh.ts'
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

test('a token that says nothing of its end is never due', () => {
  assert.not.ok(isDue(token(undefined), Number.MAX_SAFE_INTEGER))
  assert.not.ok(isExpired(token(undefined), Number.MAX_SAFE_INTEGER))
})

test.run()
