// Every client that we know of, from the URL that a person enters to a tool call and on after an hour: on a route whose
// upstream has the endpoints that the configuration names.

import { addWalks } from '../../personas/add-tests.ts'
import { suite } from '../../support/suite.ts'

const test = suite('long/personas/fixed-upstream')
addWalks(test, 'github')
test.run()
