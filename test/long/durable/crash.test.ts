// `kill -9` in the middle of everything, a hundred times.
import { crashWalk } from '../../durable/crash-walk.ts'
import { suite } from '../../support/suite.ts'

const test = suite('long/durable/crash')

test(
  'after a kill at any of a hundred points what was acknowledged is there, nothing works twice, and all goes on',
  (context) => crashWalk(context, 100),
  { timeoutMs: 8 * 60_000 },
)

test.run()
