// Twenty thousand generated addresses for each property; a million under test/long.
import { suite } from '../support/suite.ts'
import { thousands } from './check.ts'
import { classifier, disguises, strictness } from './ip-properties.ts'

const test = suite('property/addresses')
const RUNS = 20_000

for (const { name, holds } of [classifier, strictness, disguises]) {
  test(`sec-F2: ${name} (${thousands(RUNS)} cases)`, () => holds(RUNS))
}

test.run()
