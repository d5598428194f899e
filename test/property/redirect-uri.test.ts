// Twenty thousand generated redirect URIs for each property; a million under test/long.
import { suite } from '../support/suite.ts'
import { thousands } from './check.ts'
import { location, matcher, registrable } from './redirect-properties.ts'

const test = suite('property/redirect-uri')
const RUNS = 20_000

for (const { name, holds } of [registrable, matcher, location]) {
  test(`sec-A2: ${name} (${thousands(RUNS)} cases)`, () => holds(RUNS))
}

test.run()
