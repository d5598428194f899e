// Every client that we know of, from the URL that a person enters to a tool call and on after an hour: on a route whose
// upstream is a URL and nothing else.
import { suite } from '../support/suite.ts'
import { addWalks } from './add-tests.ts'

const test = suite('personas/discovered-upstream')
addWalks(test, 'demo')
test.run()
