// Every client that we know of, from the URL that a person enters to a tool call and on after an hour: on a route whose
// upstream is a URL and nothing else.

import { addWalks } from '../../personas/add-tests.ts'
import { suite } from '../../support/suite.ts'

const test = suite('long/personas/discovered-upstream')
addWalks(test, 'demo')
test.run()
