// The short form of bench/reload.mjs: 100 reloads in a row under load.
import { existsSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { reloadUnderLoad } from '../../reload/under-load.ts'
import { suite } from '../../support/suite.ts'

const test = suite('long/reload/load')

test.skipUnless(existsSync('/proc/self/status'), 'memory is read from /proc')(
  '100 reloads in a row, each with other pools: no request fails, and nothing is left open',
  async (context) => {
    const { requests, failures, descriptors } = await reloadUnderLoad(context, 100)
    assert.equal(failures, [])
    assert.ok(requests > 100, `${requests}`)
    assert.ok(
      descriptors.after <= descriptors.before,
      `${descriptors.before} → ${descriptors.after} descriptors`,
    )
  },
  { timeoutMs: 60_000 },
)

test.run()
