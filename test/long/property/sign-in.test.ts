// Sign-ins that cross each other's way, in six hundred runs. RUNS=… for more; SEED=… repeats a run that failed.
import { assertDeep, run } from '../../property/sign-in-runs.ts'
import { suite } from '../../support/suite.ts'

const test = suite('long/property/sign-in')
const RUNS = Number(process.env.RUNS ?? 600)

test(
  `sec-C6: whatever two people and two clients do in three browsers, in any order, each gets what is theirs (${RUNS} runs)`,
  async (context) => assertDeep(await run(context, RUNS, 200, 540_000)),
  { timeoutMs: 570_000 },
)

test.run()
