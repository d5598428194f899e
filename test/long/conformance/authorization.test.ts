// The official suite judges the gateway as an authorization server, with a person at the browser. What it does not
// cover (registration, refresh, redirect rules, challenges) has tests of its own elsewhere.
import * as assert from 'uvu/assert'
import { type Check, conformance, modernNode, run, WHY_SKIPPED } from '../../conformance/conformance.ts'
import { Browser } from '../../support/browser.ts'
import { startGateway, USER } from '../../support/gateway.ts'
import { startGithub } from '../../support/github.ts'
import { startMcpServer } from '../../support/mcp-server.ts'
import type { Page } from '../../support/page.ts'
import { decide, type Person } from '../../support/person.ts'
import { freePort } from '../../support/ports.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { document, githubEnv, githubRoute, openRoute } from '../../support/yaml.ts'

const SCENARIOS = ['authorization-code-grant', 'authorization-server-metadata-endpoint']
const REVISIONS = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28']

const ROUTES: { name: string; screens: number }[] = [
  { name: 'open', screens: 1 },
  { name: 'github', screens: 2 },
]

const suiteTest = suite('long/conformance/authorization')
const test = suiteTest.skipUnless(modernNode, WHY_SKIPPED)

for (const { name, screens } of ROUTES) {
  for (const revision of REVISIONS) {
    test(`${revision}: every check passes on the route ${name}, screens shown: ${screens}`, async (context) => {
      const gateway = await openGateway(context)
      const port = await freePort()
      const callback = `http://127.0.0.1:${port}/callback`
      const clientId = await registerPublicClient(gateway, callback)

      const seen: Page[] = []
      const { checks, exitCode, output } = await conformance(
        [
          ...['authorization', '--url', gateway, '--client-id', clientId, '--port', `${port}`],
          ...['--resource', `${gateway}/${name}`, '--spec-version', revision],
        ],
        { browse: async (url) => seen.push(...(await signInUntil(callback, url))) },
      )

      assert.equal(faults(checks), [], report(checks))
      assert.equal([...new Set(checks.map(({ scenario }) => scenario))].sort(), SCENARIOS, output)
      assert.is(exitCode, 0, output)
      assert.is(seen.length, screens)
    })
  }
}

test('these are all revisions and scenarios that the suite has for authorization servers', async () => {
  const { output } = await run(['list', '--authorization'])
  const listed = [...output.matchAll(/^ +- (\S+) \[(.*)\]$/gm)].map(([, name, revisions]) => [
    name,
    revisions,
  ])
  assert.equal(
    listed.sort(),
    SCENARIOS.map((name) => [name, REVISIONS.join(',')]),
  )
})

test('a fault is seen: an issuer that differs by a slash fails both scenarios', async (context) => {
  const gateway = await openGateway(context)
  const { checks, exitCode } = await conformance([
    ...['authorization', '--url', `${gateway}/`, '--client-id', 'any', '--spec-version', '2025-06-18'],
  ])
  assert.equal(faults(checks), [
    'authorization-code-grant: FAILURE',
    'authorization-server-metadata: FAILURE',
  ])
  assert.match(report(checks), `authorization-server-metadata: FAILURE (Invalid issuer: ${gateway})`)
  assert.is(exitCode, 1)
})

async function openGateway({ after }: TestContext): Promise<string> {
  const server = await startMcpServer()
  after(() => server.close())
  const github = await startGithub({ page: true })
  after(() => github.close())
  const yaml = document(openRoute('open', server), githubRoute('github', github))
  const gateway = await startGateway({ yaml, env: githubEnv(github) })
  after(() => gateway.close())
  return gateway.url
}

async function registerPublicClient(gateway: string, callback: string): Promise<string> {
  const answer = await fetch(`${gateway}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [callback], token_endpoint_auth_method: 'none' }),
  })
  assert.is(answer.status, 201)
  const { client_id: clientId } = (await answer.json()) as { client_id: string }
  return clientId
}

/** Both screens, and on to the suite's own callback page: unlike the other tests' clients it is really there. */
async function signInUntil(callback: string, url: string): Promise<Page[]> {
  const person: Person = { ...USER, upstreamName: 'octocat' }
  const browser = new Browser()
  const pages: Page[] = []
  let page = await browser.goto(url)
  while (!page.url.href.startsWith(callback)) {
    if (page.status !== 200 || pages.length > 2) throw new Error(`the sign-in is stuck at ${page}`)
    pages.push(page)
    page = await decide(browser, page, person)
  }
  return pages
}

const named = ({ id, status }: Check) => `${id}: ${status}`
const faults = (checks: readonly Check[]) =>
  checks
    .filter(({ status }) => status !== 'SUCCESS')
    .map(named)
    .sort()
const report = (checks: readonly Check[]) =>
  checks.map((check) => `${named(check)} (${check.errorMessage ?? ''})`).join('\n')

suiteTest.run()
