// How properties are run: each failure names its seed, SEED=… runs the same cases again, and the cases are counted.
import fc from 'fast-check'
import * as assert from 'uvu/assert'

export interface Property {
  readonly name: string
  /** Throws with the seed and the simplest case that breaks it. */
  holds(runs: number): void | Promise<void>
}

/** SEED draws the same cases again, and so finds and shrinks the same one. */
export const settings = (): { seed?: number; includeErrorInReport: true } => ({
  includeErrorInReport: true,
  ...(process.env.SEED !== undefined && { seed: Number(process.env.SEED) }),
})

/** Its check awaits nothing: a million promises would cost more than the cases. */
export function property<T>(name: string, cases: fc.Arbitrary<T>, check: (value: T) => void): Property {
  return {
    name,
    holds(runs) {
      let checked = 0
      const counted = fc.property(cases, (value) => {
        checked += 1
        check(value)
      })
      fc.assert(counted, { numRuns: runs, ...settings() })
      assert.is(checked, runs)
    },
  }
}

export function asyncProperty<T>(
  name: string,
  cases: fc.Arbitrary<T>,
  check: (value: T) => Promise<void>,
): Property {
  return {
    name,
    async holds(runs) {
      let checked = 0
      const counted = fc.asyncProperty(cases, async (value) => {
        checked += 1
        await check(value)
      })
      await fc.assert(counted, { numRuns: runs, ...settings() })
      assert.is(checked, runs)
    },
  }
}

/** Case upon case is drawn from plain numbers: a million of them must take seconds. Zero is the simplest, so shrinking ends there. */
export const entropy = fc.integer({ min: 0, max: 0xffff_ffff })

/** Item of a list by any number. */
export function pick<T>(items: readonly [T, ...T[]], number: number): T {
  return items[number % items.length] ?? items[0]
}

export const thousands = (runs: number) => runs.toLocaleString('en')
