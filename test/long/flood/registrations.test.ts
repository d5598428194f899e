// A hundred thousand registrations cost nothing that lasts, and lock nobody out.
import * as assert from 'uvu/assert'
import { suite } from '../../support/suite.ts'
import { describeFlood, flood, VICTIMS } from './flood.ts'

const test = suite('long/flood/registrations')
const REGISTRATIONS = 100_000
/** A flow of seven requests on a busy machine; a client gives up after far longer. */
const LONGEST_MS = 5_000

test(
  'sec-R1, sec-R2: a hundred thousand registrations leave no row, hardly any memory, and every other client at work',
  async (context) => {
    const report = await flood(context, REGISTRATIONS)
    console.log(describeFlood(report))
    const { before, after, end, statuses, failures, flooded } = report
    const answered = (status: number) => statuses.get(status) ?? 0
    assert.is(answered(201) + answered(429), REGISTRATIONS)
    assert.ok(answered(201) > 0 && answered(429) > 0)
    assert.ok(after.rows <= before.rows, `${before.rows} rows → ${after.rows}`)
    assert.ok(after.dataMiB - before.dataMiB < 1, 'the data file has grown')
    for (const { rssMiB } of [after, end]) assert.ok(rssMiB - before.rssMiB <= 64, 'memory has grown')
    assert.equal(failures, [])
    for (const victim of VICTIMS) {
      const { flows, p99Ms } = flooded[victim]
      assert.ok(flows >= 20, `${victim}: ${flows} flows`)
      assert.ok(p99Ms < LONGEST_MS, `${victim}: ${p99Ms} ms`)
    }
  },
  { timeoutMs: 300_000 },
)

test.run()
