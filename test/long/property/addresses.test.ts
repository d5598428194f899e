// A million generated addresses for each property. SEED=… repeats a run that failed.

import { thousands } from '../../property/check.ts'
import { classifier, disguises, strictness } from '../../property/ip-properties.ts'
import { suite } from '../../support/suite.ts'

const test = suite('long/property/addresses')
const RUNS = 1_000_000

for (const { name, holds } of [classifier, strictness, disguises]) {
  test(`sec-F2: ${name} (${thousands(RUNS)} cases)`, () => holds(RUNS), { timeoutMs: 300_000 })
}

test.run()
