// The official suite judges the gateway as a client of upstream authorization servers: discovery, registration, sign-in,
// scopes, and what it refuses.
import * as assert from 'uvu/assert'
import { type Check, conformance, modernNode, run, WHY_SKIPPED } from '../../conformance/conformance.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { startWrapper, type Wrapper } from './wrapper.ts'

/** The suites, with the scenarios that each has for a revision. Together they are all that the suite has for clients. */
const SUITES: [suite: string, revision: string, scenarios: number][] = [
  ['auth', '2025-11-25', 14],
  ['auth', '2026-07-28', 14],
  ['draft', '2026-07-28', 17],
  ['backcompat', '2025-03-26', 2],
]
/** Extensions belong to no revision: they are named one by one, and run as either. */
const EXTENSIONS = [
  'auth/client-credentials-jwt',
  'auth/client-credentials-basic',
  'auth/enterprise-managed-authorization',
]

/** Neither DPoP (SEP-1932) nor workload identities (SEP-1933) are released: the gateway does not have them. */
const NOT_BUILT = ['auth/dpop', 'auth/dpop-nonce', 'auth/wif-jwt-bearer']

/** Here a client that goes on is the fault: the sign-in ends at the gateway, or the upstream never grants what it wants. */
const ENDS_IN_REFUSAL = [
  'auth/iss-normalized',
  'auth/iss-supported-missing',
  'auth/iss-unexpected',
  'auth/iss-wrong-issuer',
  'auth/metadata-issuer-mismatch',
  'auth/resource-mismatch',
  'auth/scope-retry-limit',
]

const OPTIONAL = "the wrapper's MCP client declares no capabilities"
const ANSWERS = "the wrapper's MCP client has no person to answer questions of a server"

/** What is not a fault of the gateway, each with its reason. */
const EXPECTED: Readonly<Record<string, string>> = {
  'http-standard-headers sep-2243-client-includes-standard-headers: SKIPPED':
    'initialize and initialized are not sent at this revision',
  'request-metadata sep-2575-client-declares-roots-capability: SKIPPED': OPTIONAL,
  'request-metadata sep-2575-client-declares-sampling-capability: SKIPPED': OPTIONAL,
  'request-metadata sep-2575-client-declares-elicitation-capability: SKIPPED': OPTIONAL,
  'sep-2322-client-request-state sep-2322-client-request-state-echoed: FAILURE': ANSWERS,
  'sep-2322-client-request-state sep-2322-client-jsonrpc-id-different: FAILURE': ANSWERS,
  'sep-2322-client-request-state sep-2322-client-no-state-omitted: FAILURE': ANSWERS,
}

const suiteTest = suite('long/conformance/client')
const test = suiteTest.skipUnless(modernNode, WHY_SKIPPED)

for (const [name, revision, count] of SUITES) {
  test(
    `${revision}: every scenario of ${name} passes through the gateway`,
    async (context) => {
      const judged = await judge(context, ['--suite', name, '--spec-version', revision])
      assertPassed(judged, count)
    },
    { timeoutMs: 240_000 },
  )
}

for (const scenario of EXTENSIONS) {
  for (const revision of ['2025-11-25', '2026-07-28']) {
    test(
      `${revision}: ${scenario} passes through the gateway`,
      async (context) => {
        const judged = await judge(context, [
          ...['--scenario', scenario, '--spec-version', revision],
          '--force',
        ])
        assertPassed(judged, 1)
      },
      { timeoutMs: 60_000 },
    )
  }
}

test('these are all scenarios that the suite has for clients of authorization servers', async () => {
  const { output } = await run(['list', '--client'])
  const listed = [...output.matchAll(/^ +- (auth\/\S+) \[(.*)\]$/gm)].map(([, name, revisions]) => ({
    name: name ?? '',
    revisions: revisions?.split(',') ?? [],
  }))
  const extensions = listed.filter(({ revisions }) => revisions.includes('extension'))
  assert.equal(
    extensions.map(({ name }) => name),
    [...EXTENSIONS, ...NOT_BUILT],
  )
  const dated = listed.filter((entry) => !extensions.includes(entry))
  assert.is(dated.length, 14 + 11 + 2)
})

interface Judged {
  readonly checks: readonly Check[]
  readonly ends: Wrapper['ends']
}

async function judge({ after }: TestContext, parameters: readonly string[]): Promise<Judged> {
  const wrapper = await startWrapper()
  after(() => wrapper.close())
  const { checks } = await conformance(
    ['client', '--command', wrapper.command, '--timeout', '90000', ...parameters],
    { limitMs: 230_000, env: { WRAPPER_URL: wrapper.origin } },
  )
  return { checks, ends: wrapper.ends }
}

function assertPassed({ checks, ends }: Judged, count: number): void {
  assert.is(ends.size, count, 'scenarios')
  const faults = checks.filter(({ status }) => !['SUCCESS', 'INFO'].includes(status))
  assert.equal(
    faults.map(named).filter((name) => EXPECTED[name] === undefined),
    [],
    report(faults),
  )
  const failed = [...ends].filter(([, failure]) => failure !== undefined)
  assert.equal(
    failed.filter(([scenario]) => !ENDS_IN_REFUSAL.includes(scenario)),
    [],
  )
}

const named = ({ scenario, id, status }: Check) => `${scenario} ${id}: ${status}`
const report = (checks: readonly Check[]) =>
  checks.map((check) => `${named(check)} (${check.errorMessage ?? ''})`).join('\n')

suiteTest.run()
