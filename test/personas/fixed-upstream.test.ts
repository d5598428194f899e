// Every client that we know of, from the URL that a person enters to a tool call and on after an hour: on a route whose
// upstream has the endpoints that the configuration names.
import { suite } from '../support/suite.ts'
import { addWalks } from './add-tests.ts'

const test = suite('personas/fixed-upstream')
addWalks(test, 'github')
test.run()
