// Sign-ins that cross each other's way, in two dozen runs; hundreds of them under test/long.
import { suite } from '../support/suite.ts'
import { assertDeep, run } from './sign-in-runs.ts'

const test = suite('property/sign-in')

test(
  'sec-C6: whatever two people and two clients do in three browsers, in any order, each gets what is theirs (24 runs)',
  async (context) => assertDeep(await run(context, 24, 120, 45_000)),
  { timeoutMs: 60_000 },
)

test.run()
