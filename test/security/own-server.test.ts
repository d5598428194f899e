// An upstream that would have the gateway sign people in at itself: what it got would be a token of this gateway, good on
// a route of the upstream's choice.
import * as assert from 'uvu/assert'
import { discoverable } from '../flow/discovering.ts'
import { type DiscoveryUpstream, RESOURCE, SERVER } from '../support/discovery-upstream.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { listen } from '../support/http.ts'
import { type KeyedUpstream, startKeyedUpstream } from '../support/keyed-upstream.ts'
import { signIn } from '../support/person.ts'
import { record } from '../support/recorder.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import { Client, callTool } from './client.ts'
import { newBrowser, obtainTokens, PASSWORD_HASHES, TWO_USERS, VICTIM } from './world.ts'

const test = suite('security/own-server')
const OWN_SERVER = 'the upstream cannot be used: its authorization server would be this gateway itself'

const keyedRoute = ({ mcpUrl }: KeyedUpstream) => `
  keyed: { upstream: ${mcpUrl}, auth: { type: api_key, in: header, name: X-API-Key, value: "\${KEY}" } }
`

async function startKeyed({ after }: TestContext): Promise<KeyedUpstream> {
  const keyed = await startKeyedUpstream({ in: 'header', name: 'X-API-Key' })
  after(() => keyed.close())
  return keyed
}

async function startWith(
  context: TestContext,
  evilRoute: string,
  keyed: KeyedUpstream,
): Promise<TestGateway> {
  const yaml = document(evilRoute, keyedRoute(keyed)) + TWO_USERS
  const gateway = await startGateway({ yaml, env: { ...PASSWORD_HASHES, KEY: 'key-of-victim' } })
  context.after(() => gateway.close())
  return gateway
}

/** The victim allows whatever is asked. */
async function signInAt({ url }: TestGateway): Promise<URLSearchParams> {
  const client = await Client.register(url)
  const trip = client.trip({ resource: `${url}/evil` })
  const { callback } = await signIn(newBrowser(), trip.url, VICTIM)
  return callback.searchParams
}

const registeredAt = ({ log }: TestGateway) => log.filter(({ event }) => event === 'client registered').length

async function keyedWorks({ url }: TestGateway): Promise<void> {
  const client = await Client.register(url)
  const { tokens } = await obtainTokens({ client, overrides: { resource: `${url}/keyed` } })
  assert.is(await callTool(`${url}/keyed`, tokens.access, 'whoami'), 'victim at the upstream')
}

/** By the name that the gateway has too: on another host a derived address would be refused for its own sake (sec-F9). */
const nearby = <T>(value: T): T => JSON.parse(JSON.stringify(value).replaceAll('127.0.0.1', 'localhost'))

type Arrange = (upstream: DiscoveryUpstream, gateway: URL) => void

const names =
  (issuer: (gateway: URL) => string): Arrange =>
  ({ knobs, resourceDocument }, gateway) => {
    knobs.documents[`${RESOURCE}/mcp`] = {
      ...nearby(resourceDocument()),
      authorization_servers: [issuer(gateway)],
    }
  }

const says =
  (member: string, path: string): Arrange =>
  ({ knobs, resourceDocument, serverDocument }, { origin }) => {
    knobs.documents[`${RESOURCE}/mcp`] = nearby(resourceDocument())
    knobs.documents[SERVER] = { ...nearby(serverDocument()), [member]: origin + path }
  }

const SPELLINGS: Record<string, Arrange> = {
  'as it calls itself': names(({ origin }) => origin),
  'with a slash behind': names(({ origin }) => `${origin}/`),
  'in capitals': names(({ origin }) => origin.replace('http', 'HTTP').replace('localhost', 'LOCALHOST')),
  'by an address of the same listener': names(({ port }) => `http://127.0.0.1:${port}`),
  'by the other address of it': names(({ port }) => `http://[::1]:${port}`),
  'by its authorization endpoint': says('authorization_endpoint', '/authorize'),
  'by its token endpoint': says('token_endpoint', '/token'),
  'by its registration endpoint': says('registration_endpoint', '/register'),
}

test('sec-C12: an upstream that names this gateway as its authorization server, however it writes that, gets no token of it', async (context) => {
  for (const [label, arrange] of Object.entries(SPELLINGS)) {
    const upstream = await discoverable(context)
    const evil = `
  evil: { upstream: ${nearby(upstream.mcpUrl)}, auth: { type: authorization_code, resource: none } }
`
    // Until it knows where the gateway is.
    upstream.knobs.isDown = true
    const gateway = await startWith(context, evil, await startKeyed(context))
    upstream.knobs.challenge = { scope: 'mcp:keyed' }
    arrange(upstream, new URL(gateway.url))
    upstream.knobs.isDown = false
    const answer = await signInAt(gateway)
    assert.equal(
      [label, answer.get('error'), answer.get('error_description')],
      [label, 'server_error', OWN_SERVER],
    )
    assert.is(registeredAt(gateway), 1, 'the client of the victim, and nobody else')
    assert.equal(
      upstream.recorder.requests.flatMap(({ headers }) => headers.authorization ?? []),
      [],
    )
    assert.equal(upstream.recorder.to('POST /register'), [])
    await keyedWorks(gateway)
  }
})

test('sec-C12: an issuer in the file that is this gateway is refused too, where only the port says that it is', async (context) => {
  const upstream = await discoverable(context)
  const evil = (issuer: string) => `
  evil: { upstream: ${upstream.mcpUrl}, auth: { type: authorization_code, authorization_server: { issuer: "${issuer}" } } }
`
  const keyed = await startKeyed(context)
  const gateway = await startWith(context, evil(upstream.origin), keyed)
  await gateway.app.reload(document(evil(gateway.url), keyedRoute(keyed)) + TWO_USERS)
  assert.is((await signInAt(gateway)).get('error_description'), OWN_SERVER)
  assert.is(registeredAt(gateway), 1)
  await keyedWorks(gateway)
})

test('a server on another port of the same machine is another server', async (context) => {
  const upstream = await discoverable(context)
  const evil = `
  evil: { upstream: ${upstream.mcpUrl}, auth: { type: authorization_code } }
`
  const gateway = await startWith(context, evil, await startKeyed(context))
  assert.ok((await signInAt(gateway)).has('code'))
})

test('sec-C10: a server with endpoints in the file that sends people on to the gateway gets no code of the gateway', async (context) => {
  let target = new URL('http://unset.test')
  const evil = await listen((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://evil')
    if (pathname !== '/authorize') return response.writeHead(400).end('{"error":"invalid_grant"}')
    target.searchParams.set('state', searchParams.get('state') ?? '')
    return response.writeHead(302, { location: target.href }).end()
  })
  context.after(() => evil.close())
  const recorder = record(evil.server)
  const server = `authorization_endpoint: "${evil.origin}/authorize", token_endpoint: "${evil.origin}/token", client_id: c`
  const gateway = await startWith(
    context,
    `
  evil: { upstream: "${evil.origin}/mcp", auth: { type: authorization_code, authorization_server: { ${server} } } }
`,
    await startKeyed(context),
  )
  // It knows the verifier of this, and the callback is where its own answers belong.
  const accomplice = await Client.register(gateway.url, {
    redirect_uris: [`${gateway.url}/upstream/callback/evil`],
  })
  target = accomplice.trip({ resource: `${gateway.url}/keyed` }).url
  const answer = await signInAt(gateway)
  assert.is(recorder.count('/token'), 0)
  assert.is(answer.get('error'), 'server_error')
  assert.ok(gateway.log.some(({ fields }) => fields.cause === 'own_answer'))
  await keyedWorks(gateway)
})

test.run()
