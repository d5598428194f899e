// An upstream that wants more scopes than were asked for: the client that met it is told, signs in again, and gets on.
// The person's other clients are left alone.
import * as assert from 'uvu/assert'
import { Client, callMcp, tokensOf } from '../security/client.ts'
import { Browser } from '../support/browser.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { type Github, startGithub } from '../support/github.ts'
import { intercept } from '../support/intercept.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'

const test = suite('flow/step-up')
const LIST = { jsonrpc: '2.0', id: 7, method: 'tools/list' }

/** Answers the MCP endpoint's requests with 403 until a token with the scope comes. What it demands may be changed. */
function demand(github: Github, scope: string): { scope: string } {
  const demanded = { scope }
  intercept(github.server, (request, response) => {
    const token = request.headers.authorization?.slice('Bearer '.length)
    const granted = github.tokens().find((known) => known.token === token)?.scope ?? ''
    if (request.url !== '/mcp/' || granted.split(/[ ,]/).includes(demanded.scope)) return false
    const challenge = `Bearer error="insufficient_scope", scope="${demanded.scope}", resource_metadata="${github.origin}/meta"`
    response.writeHead(403, { 'www-authenticate': challenge }).end()
    return true
  })
  return demanded
}

async function scene({ after }: TestContext, more = '') {
  const github = await startGithub()
  after(() => github.close())
  const gateway = await startGateway({
    yaml: document(githubRoute('github', github, more)),
    env: githubEnv(github),
  })
  after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const browser = new Browser({ stopAt: ['https://'] })
  const connect = async (overrides = {}, who = client) => {
    const trip = who.trip(overrides)
    const { callback, pages } = await signIn(browser, trip.url, USER)
    const answer = await who.redeem(callback.searchParams.get('code') ?? '', trip.verifier)
    return { tokens: tokensOf(answer), scope: String(answer.body.scope), pages }
  }
  const asked = () => github.recorder.to('/login/oauth/authorize').at(-1)?.query.get('scope')
  return { github, gateway, client, connect, asked, url: `${gateway.url}/github` }
}

const challengeOf = ({ headers }: { headers: Headers }) => headers.get('www-authenticate') ?? ''

test('spec-P8, spec-R4: the 403 becomes ours with all scopes; the refresh is refused; signing in asks for the union and heals it', async (context) => {
  const { github, client, connect, asked, url } = await scene(context)
  const first = await connect()
  demand(github, 'admin:org')

  const refused = await callMcp(url, first.tokens.access, LIST)
  assert.is(refused.status, 403)
  const challenge = challengeOf(refused)
  assert.match(challenge, 'error="insufficient_scope"')
  assert.match(challenge, 'scope="mcp:github repo read:user admin:org"')
  assert.not.match(challenge, github.origin)
  assert.is(
    (await client.refresh(first.tokens.refresh)).body.error,
    'invalid_grant',
    'SDK clients refresh before they sign in',
  )

  const second = await connect({ scope: 'mcp:github admin:org' })
  assert.match(second.pages[0]?.text ?? '', 'admin:org', 'the consent page says what will be asked for')
  assert.equal(second.scope.split(' '), ['mcp:github', 'repo', 'read:user', 'admin:org'])
  assert.is(asked(), 'repo read:user admin:org')
  assert.is.not((await callMcp(url, second.tokens.access)).status, 403)
  assert.is((await client.refresh(first.tokens.refresh)).status, 200, 'the earlier grant goes on')
})

test('a client that does not repeat the scope of the challenge is asked for it all the same', async (context) => {
  const { github, connect, asked, url } = await scene(context)
  const { tokens } = await connect()
  demand(github, 'admin:org')
  assert.is((await callMcp(url, tokens.access, LIST)).status, 403)
  const again = await connect()
  assert.is(asked(), 'repo read:user admin:org')
  assert.is((await callMcp(url, again.tokens.access)).status, 200)
})

test('only the client that met the demand is sent to sign in; the refreshes of the others go on', async (context) => {
  const { github, gateway, client, connect, url } = await scene(context)
  const other = await Client.register(gateway.url)
  const [mine, theirs] = [await connect(), await connect({}, other)]
  demand(github, 'admin:org')
  assert.is((await callMcp(url, mine.tokens.access, LIST)).status, 403)

  const refreshed = await other.refresh(theirs.tokens.refresh)
  assert.is(refreshed.status, 200, 'the other client asked for nothing')
  assert.is((await client.refresh(mine.tokens.refresh)).body.error, 'invalid_grant')
  assert.is((await client.refresh(mine.tokens.refresh)).body.error, 'invalid_grant', 'until it was asked for')

  await connect()
  assert.is((await client.refresh(mine.tokens.refresh)).status, 200)
  const { access } = tokensOf(await other.refresh(String(refreshed.body.refresh_token)))
  assert.is((await callMcp(url, access)).status, 200, 'one link serves both')
})

test('spec-P8: scopes that were asked for and not granted give 403 without a challenge, so nobody loops', async (context) => {
  const { github, client, connect, url } = await scene(context)
  const { tokens } = await connect()
  demand(github, 'read:user nothing-has-this')
  // The look-alike grants what is asked; this scope can't be held by any token, as its name has a space.
  const first = await callMcp(url, tokens.access, LIST)
  assert.is(first.status, 403)
  assert.match(challengeOf(first), 'nothing-has-this')
  const again = await connect()
  const second = await callMcp(url, again.tokens.access, LIST)
  assert.is(second.status, 403)
  assert.is(second.headers.get('www-authenticate'), null)
  assert.is(second.body.error, 'access_denied')
  assert.is((await client.refresh(again.tokens.refresh)).status, 200, 'what is granted goes on working')
})

test('nor does the other client loop, once one was asked in vain', async (context) => {
  const { github, gateway, client, connect, url } = await scene(context)
  const other = await Client.register(gateway.url)
  const [mine, theirs] = [await connect(), await connect({}, other)]
  demand(github, 'not grantable')
  for (const { access } of [mine.tokens, theirs.tokens])
    assert.match(challengeOf(await callMcp(url, access, LIST)), 'insufficient_scope')
  await connect()
  for (const { access } of [mine.tokens, theirs.tokens])
    assert.is((await callMcp(url, access, LIST)).headers.get('www-authenticate'), null)
  assert.is((await client.refresh(mine.tokens.refresh)).status, 200)
  assert.is((await other.refresh(theirs.tokens.refresh)).status, 200)
})

test('spec-R5: a demand for what a broader scope includes was granted or refused with that one', async (context) => {
  const more = '    scopes: { implies: { repo: [public_repo], public_repo: [read_public] } }'
  const { github, client, connect, url } = await scene(context, more)
  const { tokens } = await connect()
  demand(github, 'read_public')
  const refused = await callMcp(url, tokens.access, LIST)
  assert.is(refused.status, 403)
  assert.is(refused.headers.get('www-authenticate'), null, 'repo was asked for')
  assert.is((await client.refresh(tokens.refresh)).status, 200)
})

test('spec-D4: what the upstream says of offline_access stays out of our challenge', async (context) => {
  const { github, connect, asked, url } = await scene(context)
  const { tokens } = await connect()
  demand(github, 'admin:org offline_access')
  const challenge = challengeOf(await callMcp(url, tokens.access, LIST))
  assert.match(challenge, 'admin:org"')
  assert.not.match(challenge, 'offline_access')
  await connect()
  assert.is(asked(), 'repo read:user admin:org offline_access', 'the upstream is asked for it')
})

test('a demand that no header line could hold is not handed on, and costs nobody a sign-in', async (context) => {
  const { github, client, connect, asked, url } = await scene(context)
  const { tokens } = await connect()
  const demanded = demand(github, 'x'.repeat(101))
  const many = Array.from({ length: 51 }, (_, index) => `scope-${index}`).join(' ')
  for (const scope of [demanded.scope, many]) {
    demanded.scope = scope
    const refused = await callMcp(url, tokens.access, LIST)
    assert.is(refused.status, 403)
    assert.is(refused.headers.get('www-authenticate'), null)
    assert.is((await client.refresh(tokens.refresh)).status, 200)
  }
  demanded.scope = 'admin:org'
  assert.match(challengeOf(await callMcp(url, tokens.access, LIST)), 'admin:org')
  const again = await connect()
  assert.is(asked(), 'repo read:user admin:org')
  assert.is((await callMcp(url, again.tokens.access)).status, 200)
})

test.run()
