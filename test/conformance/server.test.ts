// The official suite judges an MCP server twice, directly and through the gateway: between the two it may see no
// difference, save that the gateway guards against DNS rebinding.
import * as assert from 'uvu/assert'
import { connectOnceV1 } from '../support/clients.ts'
import { suite } from '../support/suite.ts'
import { conformance, modernNode, WHY_SKIPPED } from './conformance.ts'
import { startEverythingV1 } from './everything-v1.ts'
import { startEverythingV2 } from './everything-v2.ts'

const t = suite('x')
t(
  'x',
  async ({ after }) => {
    for (const [v, start] of [
      ['2025-11-25', startEverythingV1],
      ['2026-07-28', startEverythingV2],
    ] as const) {
      const e = await start()
      const b = performance.now()
      const f = await conformance(['server', '--url', e.url, '--suite', 'all', '--spec-version', v])
      console.log(
        v,
        performance.now() - b,
        f.checks.filter((c) => c.status === 'SUCCESS').length,
        f.output.slice(f.output.indexOf('=== SUMMARY')),
      )
      for (const c of f.checks)
        if (!['SUCCESS', 'INFO'].includes(c.status))
          console.log(c.scenario, c.id, c.status, c.errorMessage?.slice(0, 300))
      await e.close()
    }
  },
  { timeoutMs: 60000 },
)
t.run()
