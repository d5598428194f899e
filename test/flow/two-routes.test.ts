// Several routes behind one gateway: one sign-in each, no token of one good on another, and how a request finds its route.
import * as assert from 'uvu/assert'
import { connectV1, connectV2 } from '../support/clients.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { startOidc } from '../support/oidc.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute, oidcRoute, openRoute } from '../support/yaml.ts'
import { challengeOf, HELLO, mcpRequest, registerClient } from './oauth-client.ts'

const test = suite('flow/two-routes')

async function githubAndOidc({ after }: TestContext) {
  const [github, oidc] = await Promise.all([startGithub(), startOidc()])
  after(() => Promise.all([github.close(), oidc.close()]))
  const yaml = document(githubRoute('a', github), oidcRoute('b', oidc))
  const gateway = await startGateway({ yaml, env: githubEnv(github) })
  after(() => gateway.close())
  const person = { ...USER, upstreamName: 'ann' }
  const atGithub = await connectV1(`${gateway.url}/a`, { person })
  after(() => atGithub.close())
  const atOidc = await connectV2(`${gateway.url}/b`, { person, mode: 'auto' })
  after(() => atOidc.close())
  return { github, oidc, gateway, atGithub, atOidc }
}

test('two clients on two routes stream at the same time, each as the account that its user connected there', async (context) => {
  const { github, oidc, atGithub, atOidc } = await githubAndOidc(context)
  const streams = await Promise.all([atGithub.countdown(20), atOidc.countdown(20)])
  const down = Array.from({ length: 20 }, (_, step) => String(19 - step))
  assert.equal(streams, [down, down])
  assert.match(await atGithub.call('whoami'), 'octocat')
  assert.match(await atOidc.call('whoami'), 'ann')

  const [githubToken = '-'] = github.tokens().map(({ token }) => token)
  assert.not.ok(oidc.recorder.saw(githubToken), "one upstream's token never reaches the other")
  for (const { provider } of [atGithub, atOidc]) {
    const ours = provider.current?.access_token ?? '-'
    assert.not.ok(github.recorder.saw(ours) || oidc.recorder.saw(ours))
  }
})

test('sec-T9, spec-T1: a token of one route is 401 on the other, which says where to get one of its own', async (context) => {
  const { github, oidc, gateway, atGithub, atOidc } = await githubAndOidc(context)
  for (const [own, other] of [
    [atGithub, 'b'],
    [atOidc, 'a'],
  ] as const) {
    const answer = await mcpRequest(`${gateway.url}/${other}`, own.provider.current?.access_token)
    assert.equal(await challengeOf(answer), {
      status: 401,
      parameters: {
        error: 'invalid_token',
        error_description: 'the token is not valid here or has expired',
        scope: `mcp:${other}`,
        resource_metadata: `${gateway.url}/.well-known/oauth-protected-resource/${other}`,
      },
    })
  }
  assert.not.ok(github.recorder.saw(HELLO.id) || oidc.recorder.saw(HELLO.id), 'neither request went through')
  assert.match(await atGithub.call('add', { a: 1, b: 1 }), '2', 'and both go on')
  assert.match(await atOidc.call('add', { a: 1, b: 1 }), '2')
})

/** Three routes without accounts: what is asked here is which one a request means. */
async function threeOpen({ after }: TestContext) {
  const server = await startMcpServer()
  after(() => server.close())
  const more = (title: string, path = '') => `    title: ${title}\n${path}`
  const yaml = document(
    openRoute('alpha', server, more('First')),
    openRoute('beta', server, more('Second', '    path: /deep/beta\n')),
    openRoute('gamma', server, more('Third')),
  )
  const gateway = await startGateway({ yaml })
  after(() => gateway.close())
  return { gateway, client: await registerClient(gateway.url) }
}

test('spec-A9: a client that names no route gets a page to choose from, and then the one that was chosen', async (context) => {
  const { gateway, client } = await threeOpen(context)
  const browser = client.browser()
  for (const resource of [undefined, gateway.url, `${gateway.url}/`]) {
    const page = await client.open(browser, { resource })
    assert.is(page.status, 200)
    assert.equal(
      page.root.querySelectorAll('.choices a').map((link) => link.querySelector('code')?.textContent),
      [`${gateway.url}/alpha`, `${gateway.url}/deep/beta`, `${gateway.url}/gamma`],
    )
  }
  const consent = await browser.follow('.choices a:nth-child(2)')
  assert.is(consent.title, 'By hand wants to use Second · MCP gateway')
  const done = await browser.submit(consent.form(), { username: USER.username, password: USER.password })
  assert.is(done.sentTo?.searchParams.get('state'), 'state of the client')
  const { body } = await client.redeem(done.sentTo ?? new URL('about:blank'))
  assert.is(body.scope, 'mcp:beta')
  assert.is((await mcpRequest(`${gateway.url}/deep/beta`, String(body.access_token))).status, 200)
  assert.is((await mcpRequest(`${gateway.url}/alpha`, String(body.access_token))).status, 401)
})

test('spec-A9: a route is found by its resource, else by its scope, and the resource wins', async (context) => {
  const { gateway, client } = await threeOpen(context)
  const found: [Record<string, string>, string][] = [
    [{ resource: `${gateway.url}/alpha` }, 'First'],
    [{ resource: `${gateway.url}/alpha/` }, 'First'],
    [{ resource: `${gateway.url}/deep/beta`, scope: 'mcp:gamma' }, 'Second'],
    [{ scope: 'mcp:gamma' }, 'Third'],
    [{ scope: 'openid mcp:gamma profile' }, 'Third'],
    [{ scope: 'mcp:gamma', resource: gateway.url }, 'Third'],
  ]
  for (const [asked, title] of found) {
    const page = await client.open(client.browser(), asked)
    assert.match(page.title, `wants to use ${title} `, JSON.stringify(asked))
  }
  for (const scope of ['mcp:delta', 'mcp:alpha mcp:beta', 'alpha']) {
    const page = await client.open(client.browser(), { scope })
    assert.match(page.title, 'Choose a server', scope)
  }
})

test('spec-A9: a resource that no route has is invalid_target at the client, not a page to choose from', async (context) => {
  const { gateway, client } = await threeOpen(context)
  for (const resource of [
    `${gateway.url}/delta`,
    `${gateway.url}/deep`,
    'https://elsewhere.example/alpha',
    'alpha',
  ]) {
    const { sentTo } = await client.open(client.browser(), { resource })
    assert.is(sentTo?.searchParams.get('error'), 'invalid_target', resource)
    assert.is(sentTo?.searchParams.get('state'), 'state of the client')
    assert.is(sentTo?.searchParams.get('iss'), gateway.url)
  }
})

test.run()
