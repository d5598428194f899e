// A million generated redirect URIs for each property. SEED=… repeats a run that failed.

import { thousands } from '../../property/check.ts'
import { location, matcher, registrable } from '../../property/redirect-properties.ts'
import { suite } from '../../support/suite.ts'

const test = suite('long/property/redirect-uri')
const RUNS = 1_000_000

for (const { name, holds } of [registrable, matcher, location]) {
  test(`sec-A2: ${name} (${thousands(RUNS)} cases)`, () => holds(RUNS), { timeoutMs: 300_000 })
}

test.run()
