// An upstream that wants more scopes than were asked for: the client is told, signs in again, and gets on.
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { Client, callMcp, tokensOf } from '../security/client.ts'
import { Browser } from '../support/browser.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { type Github, startGithub } from '../support/github.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'

const test = suite('flow/step-up')
const LIST = { jsonrpc: '2.0', id: 7, method: 'tools/list' }

/** Answers the MCP endpoint's requests with 403 until a token with the scope comes. */
function demand(github: Github, scope: string) {
  const own = github.server.listeners('request') as ((
    request: IncomingMessage,
    response: ServerResponse,
  ) => void)[]
  github.server.removeAllListeners('request')
  github.server.on('request', (request, response) => {
    const token = request.headers.authorization?.slice('Bearer '.length)
    const granted =
      github
        .tokens()
        .find((known) => known.token === token)
        ?.scope.split(/[ ,]/) ?? []
    if (request.url !== '/mcp/' || granted.includes(scope)) {
      for (const listener of own) listener(request, response)
      return
    }
    const challenge = `Bearer error="insufficient_scope", scope="${scope}", resource_metadata="${github.origin}/meta"`
    response.writeHead(403, { 'www-authenticate': challenge }).end()
  })
}

async function scene({ after }: TestContext) {
  const github = await startGithub()
  after(() => github.close())
  const gateway = await startGateway({
    yaml: document(githubRoute('github', github)),
    env: githubEnv(github),
  })
  after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const browser = new Browser({ stopAt: ['https://'] })
  const connect = async (overrides = {}) => {
    const trip = client.trip(overrides)
    const { callback, pages } = await signIn(browser, trip.url, USER)
    const answer = await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier)
    return { tokens: tokensOf(answer), scope: String(answer.body.scope), pages }
  }
  return { github, client, connect, url: `${gateway.url}/github` }
}

test('spec-P8: the 403 becomes ours with all scopes; the refresh is refused; signing in asks for the union and heals it', async (context) => {
  const { github, client, connect, url } = await scene(context)
  const first = await connect()
  demand(github, 'admin:org')

  const refused = await callMcp(url, first.tokens.access, LIST)
  assert.is(refused.status, 403)
  const challenge = refused.headers.get('www-authenticate') ?? ''
  assert.match(challenge, 'error="insufficient_scope"')
  assert.match(challenge, 'scope="mcp:github admin:org"')
  assert.not.match(challenge, github.origin)
  assert.is(
    (await client.refresh(first.tokens.refresh)).body.error,
    'invalid_grant',
    'SDK clients refresh before they sign in',
  )

  const second = await connect({ scope: 'mcp:github admin:org' })
  assert.match(second.pages[0]?.text ?? '', 'admin:org', 'the consent page says what will be asked for')
  assert.equal(second.scope.split(' '), ['mcp:github', 'repo', 'read:user', 'admin:org'])
  const asked = github.recorder.to('/login/oauth/authorize').at(-1)?.query.get('scope')
  assert.is(asked, 'repo read:user admin:org')
  assert.is.not((await callMcp(url, second.tokens.access)).status, 403)
  assert.is((await client.refresh(first.tokens.refresh)).status, 200, 'the earlier grant goes on')
})

test('scopes that were asked for and not granted give 403 without a challenge, so nobody loops', async (context) => {
  const { github, client, connect, url } = await scene(context)
  const { tokens } = await connect()
  demand(github, 'read:user nothing-has-this')
  // The look-alike grants what is asked; this scope can't be held by any token, as its name has a space.
  const first = await callMcp(url, tokens.access, LIST)
  assert.is(first.status, 403)
  assert.match(first.headers.get('www-authenticate') ?? '', 'nothing-has-this')
  const again = await connect()
  const second = await callMcp(url, again.tokens.access, LIST)
  assert.is(second.status, 403)
  assert.is(second.headers.get('www-authenticate'), null)
  assert.is(second.body.error, 'access_denied')
  assert.is((await client.refresh(again.tokens.refresh)).status, 200, 'what is granted goes on working')
})

test.run()
