// What the presets of providers with habits put on the wire, at a look-alike in the provider's place.
import * as assert from 'uvu/assert'
import { Client, callTool, tokensOf } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { type Github, startGithub } from '../support/github.ts'
import { intercept } from '../support/intercept.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { githubEnv } from '../support/yaml.ts'

const test = suite('flow/presets')

interface Asked {
  readonly authorize: URLSearchParams
  readonly token: URLSearchParams
}
type Reshape = (answer: Record<string, unknown>) => unknown

/** Has the look-alike answer token requests in the provider's own shape. */
function reshapeTokens(github: Github, status: number, reshape: Reshape): void {
  intercept(github.server, (request, response) => {
    if (request.url !== new URL(github.tokenEndpoint).pathname) return false
    const [writeHead, end] = [response.writeHead.bind(response), response.end.bind(response)]
    response.writeHead = () => response
    response.end = ((text: string) => {
      response.writeHead = writeHead
      writeHead(status, { 'content-type': 'application/json' })
      return end(JSON.stringify(reshape(JSON.parse(text))))
    }) as typeof response.end
    return false
  })
}

/** Signs in through the preset and calls a tool. */
async function asked(
  { after }: TestContext,
  preset: string,
  { status = 200, reshape = (answer) => answer }: { status?: number; reshape?: Reshape } = {},
): Promise<Asked> {
  const github = await startGithub()
  after(() => github.close())
  reshapeTokens(github, status, reshape)
  const yaml = `version: 1
server: { port: 0 }
authorization_servers:
  provider:
    preset: ${preset}
    authorization_endpoint: ${github.authorizationEndpoint}
    token_endpoint: ${github.tokenEndpoint}
    client_id: ${github.knobs.clientId}
    client_secret: "\${GITHUB_SECRET}"
routes:
  it:
    upstream: ${github.mcpUrl}
    auth: { type: authorization_code, authorization_server: provider, scope: files.read }
`
  const gateway = await startGateway({ yaml, env: githubEnv(github) })
  after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const trip = client.trip()
  const { callback } = await signIn(newBrowser(), trip.url, USER)
  const { access } = tokensOf(await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier))
  assert.is(await callTool(`${gateway.url}/it`, access, 'whoami'), github.knobs.login)
  const of = (endpoint: string) => github.recorder.to(new URL(endpoint).pathname)[0]
  const [authorize, token] = [of(github.authorizationEndpoint)?.query, of(github.tokenEndpoint)?.form]
  assert.ok(authorize && token)
  return { authorize, token }
}

test('google: access_type and prompt, or a second sign-in brings no refresh token', async (context) => {
  const { authorize } = await asked(context, 'google')
  assert.equal([authorize.get('access_type'), authorize.get('prompt')], ['offline', 'consent'])
  assert.is(authorize.get('scope'), 'files.read', 'Google refuses offline_access')
})

test('entra: no resource in either request, which it refuses beside a scope', async (context) => {
  const { authorize, token } = await asked(
    context,
    'entra\n    preset_parameters: { tenant: contoso.example }',
  )
  assert.equal([authorize.has('resource'), token.has('resource')], [false, false])
  assert.is(token.get('client_secret'), 'github-client-secret', 'in the body')
})

test('okta and auth0: the audience that they read instead of the resource', async (context) => {
  const own = '{ domain: acme.example, audience: "api://mine" }'
  for (const [preset, audience] of [
    ['okta\n    preset_parameters: { domain: acme.example }', 'api://default'],
    [`okta\n    preset_parameters: ${own}`, 'api://mine'],
    [`auth0\n    preset_parameters: ${own}`, 'api://mine'],
  ] as const) {
    const { authorize } = await asked(context, preset)
    assert.equal(authorize.getAll('audience'), [audience], preset)
    assert.is(authorize.getAll('resource').length, 1, 'and the resource that MCP asks for')
  }
})

test('slack: the person’s token, which lies inside the answer', async (context) => {
  const reshape: Reshape = ({ access_token: token }) => ({
    ok: true,
    access_token: 'xoxb-of-the-app',
    authed_user: { id: 'U1', access_token: token, token_type: 'user', scope: 'files.read' },
  })
  await asked(context, 'slack', { reshape })
})

test('a token endpoint that answers 201, as Supabase’s does', async (context) => {
  await asked(context, 'keycloak\n    preset_parameters: { base_url: "https://a.example", realm: a }', {
    status: 201,
  })
})

test.run()
