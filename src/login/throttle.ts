// Slows down password guessing, per account: five mistakes are free, then each one doubles the wait. In memory, bounded.
import { LoginRefused } from '../errors.ts'
import type { Throttle } from './users.ts'

const FREE_FAILURES = 5
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 15 * 60_000
const MAX_ACCOUNTS = 10_000

interface Account {
  readonly failures: number
  readonly waitUntilMs: number
}

export function createThrottle(now: () => number): Throttle {
  // Insertion order is age: the longest untouched account goes first when a spray fills the map.
  const accounts = new Map<string, Account>()

  /** The longest untouched account that is not waiting: made-up names must not wash out one that somebody is after. */
  function leastMissed(): string {
    const [oldest = ''] = accounts.keys()
    for (const [account, { waitUntilMs }] of accounts) if (waitUntilMs <= now()) return account
    return oldest
  }

  return {
    check(account) {
      const waitMs = (accounts.get(account)?.waitUntilMs ?? 0) - now()
      if (waitMs <= 0) return
      const seconds = Math.ceil(waitMs / 1000)
      throw new LoginRefused(`Too many wrong passwords. Try again in ${seconds} s.`, 429, seconds)
    },

    failed(account) {
      const failures = (accounts.get(account)?.failures ?? 0) + 1
      const waitMs =
        failures < FREE_FAILURES
          ? 0
          : Math.min(FIRST_WAIT_MS * 2 ** (failures - FREE_FAILURES), LONGEST_WAIT_MS)
      accounts.delete(account)
      accounts.set(account, { failures, waitUntilMs: now() + waitMs })
      if (accounts.size > MAX_ACCOUNTS) accounts.delete(leastMissed())
    },

    succeeded(account) {
      accounts.delete(account)
    },
  }
}
