// The official suite judges a server with every feature, and its twin through the gateway. Between the two it may
// see one difference only: the gateway refuses a foreign Host and Origin.
import * as assert from 'uvu/assert'
import { addBearer } from '../../conformance/bearer.ts'
import { type Check, conformance, modernNode, WHY_SKIPPED } from '../../conformance/conformance.ts'
import { startEverythingV1 } from '../../conformance/everything-v1.ts'
import { startEverythingV2 } from '../../conformance/everything-v2.ts'
import { connectV1, connectV2 } from '../../support/clients.ts'
import { startGateway, USER } from '../../support/gateway.ts'
import { suite } from '../../support/suite.ts'
import { document, openRoute } from '../../support/yaml.ts'

const ERAS = [
  { revision: '2025-11-25', start: startEverythingV1, connect: connectV1, leastChecks: 80 },
  { revision: '2026-07-28', start: startEverythingV2, connect: connectV2, leastChecks: 150 },
]
const GUARD = 'dns-rebinding-protection localhost-host-rebinding-rejected'

const suiteTest = suite('long/conformance/server')
const test = suiteTest.skipUnless(modernNode, WHY_SKIPPED)

for (const { revision, start, connect, leastChecks } of ERAS) {
  test(
    `${revision}: every scenario passes through the gateway as it does without`,
    async ({ after }) => {
      const [alone, upstream] = [await start(), await start()]
      after(() => alone.close())
      after(() => upstream.close())
      const gateway = await startGateway({ yaml: document(openRoute('open', upstream)) })
      after(() => gateway.close())
      const session = await connect(`${gateway.url}/open`, { person: USER })
      await session.close()
      const shim = await addBearer(gateway.url, session.provider.current?.access_token ?? '')
      after(() => shim.close())

      const urls = [alone.url, `${shim.origin}/open`]
      const [direct = [], through = []] = await Promise.all(urls.map((url) => judge(url, revision)))

      assert.equal(faults(direct), [`${GUARD}: FAILURE`], report(direct))
      assert.equal(faults(through), [], report(through))
      const guarded = results(direct).map((line) => line.replace(`${GUARD}: FAILURE`, `${GUARD}: SUCCESS`))
      assert.equal(results(through), guarded)
      assert.ok(guarded.length >= leastChecks, `${guarded.length} checks, ${leastChecks} were expected`)
    },
    { timeoutMs: 60_000 },
  )
}

async function judge(url: string, revision: string): Promise<readonly Check[]> {
  const parameters = ['server', '--url', url, '--suite', 'all', '--spec-version', revision]
  const { checks } = await conformance(parameters, { limitMs: 28_000 })
  return checks.filter(({ status }) => status !== 'INFO')
}

const named = ({ scenario, id, status }: Check) => `${scenario} ${id}: ${status}`
const results = (checks: readonly Check[]) => checks.map(named)
const faults = (checks: readonly Check[]) => checks.filter(({ status }) => status !== 'SUCCESS').map(named)
const report = (checks: readonly Check[]) =>
  checks
    .filter(({ status }) => status !== 'SUCCESS')
    .map((check) => `${named(check)} (${check.errorMessage ?? ''})`)
    .join('\n')

suiteTest.run()
