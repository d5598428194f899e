// GitHub's habits, as its look-alike has them: form answers, errors with status 200, tokens without an end, callback URLs
// fixed in an app's settings, and a token that is revoked at any time.
import * as assert from 'uvu/assert'
import { connectV1 } from '../support/clients.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { type Github, type GithubKnobs, startGithub } from '../support/github.ts'
import { AuthorizationFailed } from '../support/oauth-provider.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'
import { challengeOf, mcpRequest, registerClient } from './oauth-client.ts'

const test = suite('flow/github')

async function world(
  { after }: TestContext,
  options: Partial<GithubKnobs> = {},
  yaml = (github: Github) => document(githubRoute('github', github)),
) {
  const github = await startGithub(options)
  after(() => github.close())
  const gateway = await startGateway({ yaml: yaml(github), env: githubEnv(github) })
  after(() => gateway.close())
  return { github, gateway, url: `${gateway.url}/github` }
}

const exchanges = (github: Github) => github.recorder.to('POST /login/oauth/access_token')

test('spec-U8: answers in form encoding, though JSON was asked for', async (context) => {
  const { github, url } = await world(context, { alwaysForm: true })
  const session = await connectV1(url, { person: USER })
  context.after(() => session.close())
  assert.match(await session.call('whoami'), 'octocat')
  const [exchange] = exchanges(github)
  assert.match(exchange?.headers.accept ?? '', 'application/json')
})

test('sec-C14, spec-U3: what is asked of GitHub: the configured scope, PKCE, our callback, and a state that is not the client’s', async (context) => {
  const { github, gateway, url } = await world(context, { page: true })
  const session = await connectV1(url, { person: USER })
  context.after(() => session.close())
  const [asked] = github.recorder.to('GET /login/oauth/authorize')
  const query = Object.fromEntries(asked?.query ?? [])
  assert.is(query.response_type, 'code')
  assert.is(query.client_id, github.knobs.clientId)
  assert.is(query.scope, 'repo read:user')
  assert.is(query.redirect_uri, `${gateway.url}/upstream/callback/github`)
  assert.is(query.code_challenge_method, 'S256')
  assert.match(query.code_challenge ?? '', /^[\w-]{43}$/)
  const clientsOwn = session.provider.signIns[0]?.authorizationUrl.searchParams
  assert.is.not(query.state, clientsOwn?.get('state'))
  assert.is.not(query.code_challenge, clientsOwn?.get('code_challenge'))
  const [exchange] = exchanges(github)
  assert.is(exchange?.form.get('redirect_uri'), query.redirect_uri)
  assert.is(exchange?.form.get('client_secret'), github.knobs.clientSecret)
})

test('spec-U8: tokens that say nothing of their end are used until they are refused, and cost no further exchange', async (context) => {
  const { github, url } = await world(context)
  const session = await connectV1(url, { person: USER })
  context.after(() => session.close())
  for (let refreshes = 0; refreshes < 3; refreshes++) await session.refresh()
  assert.match(await session.call('whoami'), 'octocat')
  assert.is(exchanges(github).length, 1)
})

test('the MCP URL keeps its slash, whatever the path of the route', async (context) => {
  const { github, url } = await world(context)
  const session = await connectV1(url, { person: USER })
  context.after(() => session.close())
  await session.call('add', { a: 1, b: 1 })
  assert.is(github.recorder.count('/mcp'), 0)
  assert.ok(github.recorder.count('POST /mcp/') >= 2)
})

test('a token that was revoked at GitHub: 401 with our challenge, no refresh, and a new sign-in makes all good', async (context) => {
  const { github, gateway, url } = await world(context)
  const client = await registerClient(gateway.url)
  const browser = client.browser()
  const person = { username: USER.username, password: USER.password }
  const { body } = await client.redeem((await client.signIn(browser, person)).callback)
  const token = String(body.access_token)
  assert.is((await mcpRequest(url, token)).status, 200)
  github.revoke(github.tokens()[0]?.token ?? '')

  const { status, parameters } = await challengeOf(await mcpRequest(url, token))
  assert.equal([status, parameters.error], [401, 'invalid_token'])
  assert.is(parameters.resource_metadata, `${gateway.url}/.well-known/oauth-protected-resource/github`)
  assert.not.match(JSON.stringify(parameters), 'No valid access token', "GitHub's own challenge stays here")
  const refresh = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }
  assert.is((await client.token(refresh)).body.error, 'invalid_grant', 'a fresh token of ours would not help')

  const { callback } = await client.signIn(browser, {})
  assert.is(exchanges(github).length, 2, 'screen 2 was passed again')
  const again = await client.redeem(callback)
  assert.is((await mcpRequest(url, String(again.body.access_token))).status, 200)
  assert.is((await mcpRequest(url, token)).status, 200, 'the earlier family goes on as well')
  assert.is((await client.token(refresh)).status, 200)
})

const refusals: Record<string, [knobs: Partial<GithubKnobs>, error: string]> = {
  'an error with status 200, as JSON': [
    {
      tokenReply: {
        status: 200,
        type: 'application/json',
        body: '{"error":"bad_verification_code","error_description":"canary"}',
      },
    },
    'server_error',
  ],
  'an error with status 200, as a form': [
    {
      tokenReply: {
        status: 200,
        type: 'application/x-www-form-urlencoded',
        body: 'error=bad_verification_code&error_description=canary',
      },
    },
    'server_error',
  ],
  'a page instead of an answer': [
    { tokenReply: { status: 200, type: 'text/html', body: '<h1>canary</h1>' } },
    'temporarily_unavailable',
  ],
  'a server error': [
    { tokenReply: { status: 503, type: 'text/html', body: 'canary' } },
    'temporarily_unavailable',
  ],
  'an answer without a token': [
    { tokenReply: { status: 200, type: 'application/json', body: '{"scope":"canary"}' } },
    'temporarily_unavailable',
  ],
  'another type of token than Bearer': [
    {
      tokenReply: {
        status: 200,
        type: 'application/json',
        body: '{"access_token":"canary","token_type":"mac"}',
      },
    },
    'server_error',
  ],
}

for (const [name, [knobs, expected]] of Object.entries(refusals)) {
  test(`${name}: the client is told with state and iss, in our words, and the next try may succeed`, async (context) => {
    const { github, gateway, url } = await world(context, knobs)
    const error = await connectV1(url, { person: USER }).catch((failure: unknown) => failure)
    assert.instance(error, AuthorizationFailed)
    const { searchParams } = (error as AuthorizationFailed).callback
    assert.is(searchParams.get('error'), expected)
    assert.is(searchParams.get('iss'), gateway.url)
    assert.not.match([...searchParams.values()].join(' '), 'canary')
    assert.not.match(JSON.stringify(gateway.log), 'canary')
    github.knobs.tokenReply = undefined
    const session = await connectV1(url, { person: USER })
    context.after(() => session.close())
    assert.match(await session.call('whoami'), 'octocat')
  })
}

test('a client secret that is wrong here is told to the operator in the log, by its error alone', async (context) => {
  const { gateway, url, github } = await world(context)
  github.knobs.clientSecret = 'rotated at GitHub'
  const error = await connectV1(url, { person: USER }).catch((failure: unknown) => failure)
  assert.instance(error, AuthorizationFailed)
  const { level, fields } = await gateway.logged('upstream sign-in failed')
  assert.equal([level, fields.upstreamError, fields.route], ['warn', 'invalid_client', 'github'])
  assert.not.match(JSON.stringify(gateway.log), 'github-client-secret')
})

const named = (callback: string) => (github: Github) =>
  `version: 1
server: { port: 0 }
authorization_servers:
  hub:
    authorization_endpoint: ${github.authorizationEndpoint}
    token_endpoint: ${github.tokenEndpoint}
    client_id: ${github.knobs.clientId}
    client_secret: "\${GITHUB_SECRET}"
${callback}
routes:
  github:
    upstream: ${github.mcpUrl}
    auth: { type: authorization_code, authorization_server: hub, scope: repo }
  second:
    upstream: ${github.mcpUrl}
    auth: { type: authorization_code, authorization_server: hub, scope: repo }
`

const redirectUris = (github: Github) =>
  new Set(github.recorder.to('GET /login/oauth/authorize').map(({ query }) => query.get('redirect_uri')))

test('a named server has one callback URL, with its name in it, for all routes that use it', async (context) => {
  const { github, gateway, url } = await world(context, {}, named(''))
  const session = await connectV1(url, { person: USER })
  context.after(() => session.close())
  assert.match(await session.call('whoami'), 'octocat')
  assert.equal([...redirectUris(github)], [`${gateway.url}/upstream/callback/hub`])
})

test('routes that send the same to the same upstream share a link: the second is asked for consent only', async (context) => {
  const { github, gateway, url } = await world(context, { page: true }, named(''))
  const first = await connectV1(url, { person: USER })
  context.after(() => first.close())
  const second = await connectV1(`${gateway.url}/second`, { person: USER })
  context.after(() => second.close())
  assert.is(second.provider.signIns[0]?.pages.length, 1)
  assert.match(await second.call('whoami'), 'octocat')
  assert.is(exchanges(github).length, 1)
})

test('callback: /upstream/callback, for an app that is registered with the bare path', async (context) => {
  const { github, gateway, url } = await world(context, {}, named('    callback: /upstream/callback'))
  const session = await connectV1(url, { person: USER })
  context.after(() => session.close())
  assert.match(await session.call('whoami'), 'octocat')
  assert.equal([...redirectUris(github)], [`${gateway.url}/upstream/callback`])
})

test('sec-C10: an answer that comes in at another callback than its own is not taken', async (context) => {
  const yaml = (github: Github) => document(githubRoute('github', github), githubRoute('other', github))
  const { github, gateway, url } = await world(context, { page: true }, yaml)
  const client = await registerClient(gateway.url)
  for (const path of ['/upstream/callback/other', '/upstream/callback', '/upstream/callback/nobody']) {
    const browser = client.browser()
    browser.stopAt.push(`${gateway.url}/upstream/callback`)
    const page = await client.open(browser, { resource: url })
    const screen2 = await browser.submit(page.form(), { username: USER.username, password: USER.password })
    const { sentTo } = await browser.submit(screen2.form(), {}, { button: 'Authorize' })
    assert.is(sentTo?.pathname, '/upstream/callback/github')
    const { status, sentTo: elsewhere } = await browser.goto(`${gateway.url}${path}${sentTo?.search}`)
    assert.is(elsewhere, undefined, path)
    assert.ok(status >= 400, path)
  }
  assert.is(exchanges(github).length, 0)
})

test.run()
