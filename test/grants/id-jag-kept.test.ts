// Assertions and what the store keeps beyond one process: which were used, and whose upstream account is connected.
import * as assert from 'uvu/assert'
import { type App, startApp } from '../../src/app.ts'
import { createLinks } from '../../src/auth/links.ts'
import { issuerSubject } from '../../src/oauth/issuer-token.ts'
import { openStore } from '../../src/store/open.ts'
import { statePaths } from '../../src/store/state-folder.ts'
import { basic, Client, callTool, postForm } from '../security/client.ts'
import { obtainTokens, PASSWORD_HASHES, TWO_USERS } from '../security/world.ts'
import { temporaryFolder } from '../store/temporary.ts'
import { recordingLog } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { freePort, onPort } from '../support/ports.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute, openRoute } from '../support/yaml.ts'
import { PERSON, startIdentityProvider } from './identity-provider.ts'

const test = suite('grants/id-jag-kept')
const SECRET = 'agent-secret'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** One gateway after another on the same folder. */
async function startScene(context: TestContext) {
  const { after } = context
  const [idp, github, open] = await Promise.all([startIdentityProvider(), startGithub(), startMcpServer()])
  for (const server of [idp, github, open]) after(() => server.close())
  const folder = await temporaryFolder(context)
  const port = await freePort()
  const url = `http://localhost:${port}`
  const text = `${onPort(port, document(githubRoute('github', github), openRoute('open', open)))}${TWO_USERS}
clients: { static: { agent: { client_secret: "\${AGENT_SECRET}", grant_types: ["${JWT_BEARER}"] } } }
trusted_issuers: { idp: { issuer: "${idp.issuer}", id_jag: true } }
`
  const start = async (): Promise<App> => {
    const app = await startApp({
      source: { name: 'gateways.yaml', folder, text },
      env: { ...githubEnv(github), ...PASSWORD_HASHES, AGENT_SECRET: SECRET },
      stateFolder: folder,
      log: recordingLog().log,
    })
    after(() => app.close())
    return app
  }
  const assertion = (route: string) =>
    idp.assertion({ aud: url, resource: `${url}/${route}`, client_id: 'agent' })
  const bring = (jwt: string) =>
    postForm(
      `${url}/token`,
      { grant_type: JWT_BEARER, assertion: jwt },
      { authorization: basic('agent', SECRET) },
    )
  return { url, idp, github, folder, start, assertion, bring }
}

test('spec-X2: a used assertion stays used over a restart, and its token lives on', async (context) => {
  const { url, start, assertion, bring } = await startScene(context)
  const jwt = await assertion('open')
  const first = await start()
  const taken = await bring(jwt)
  assert.is(taken.status, 200, taken.text)
  await first.close()

  await start()
  assert.is((await bring(jwt)).body.error, 'invalid_grant')
  const token = String(taken.body.access_token)
  assert.match(await callTool(`${url}/open`, token, 'add', { a: 2, b: 3 }), '5')
  assert.is((await bring(await assertion('open'))).status, 200)
})

test("on a server with people's own accounts the link of the assertion's own person decides", async (context) => {
  const { url, idp, github, folder, start, assertion, bring } = await startScene(context)
  const first = await start()
  // Somebody else connects an account; the person of the assertion has none.
  await obtainTokens({
    client: await Client.register(url),
    overrides: { resource: `${url}/github` },
  })
  assert.is((await bring(await assertion('github'))).body.error, 'invalid_grant')
  const fingerprint = (await first.current().routes.get('github')?.auth.link?.fingerprint()) ?? ''
  const accessToken = github.tokens()[0]?.token ?? ''
  await first.close()

  // Nobody signs in here as a person of an identity provider, so the link is put where a sign-in would put it.
  const { store, sealer } = await openStore({ type: 'embedded' }, statePaths(folder), Date.now)
  const tokens = {
    accessToken,
    refreshToken: undefined,
    obtainedAtMs: Date.now(),
    expiresAtMs: undefined,
    scope: undefined,
  }
  const links = createLinks(store, sealer, Date.now)
  await links.save(issuerSubject(idp.issuer, PERSON.sub), fingerprint, tokens, ['repo', 'read:user'])
  await store.close()

  await start()
  const taken = await bring(await assertion('github'))
  assert.is(taken.status, 200, taken.text)
  const whoami = await callTool(`${url}/github`, String(taken.body.access_token), 'whoami')
  assert.is(whoami, github.knobs.login)
})

test.run()
