// Upstreams that are not by the book of today: servers of 2025-03-26, servers that greet everybody, addresses that lead
// nowhere, and endpoints that move.
import * as assert from 'uvu/assert'
import { callMcp } from '../security/client.ts'
import { type DiscoveryUpstream, RESOURCE, SERVER } from '../support/discovery-upstream.ts'
import { suite } from '../support/suite.ts'
import { attempt, connect, discoverable, gatewayFor, registrations, route, succeeds } from './discovering.ts'

const test = suite('flow/upstream-legacy')

const paths = ({ recorder }: DiscoveryUpstream) =>
  recorder.requests.map(({ method, path }) => `${method} ${path}`)

test('spec-D13: an upstream of 2025-03-26 without any metadata: its endpoints are at the root of its origin', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.challenge = {}
  upstream.knobs.documents = {}
  const gateway = await gatewayFor(context, route(upstream))
  assert.is((await succeeds(gateway.url)).issuer, upstream.origin)
  const [registration] = registrations(upstream)
  assert.is(registration?.application_type, 'web')
  const query = upstream.recorder.to('/authorize')[0]?.query
  assert.is(query?.get('code_challenge_method'), 'S256')
  assert.ok(upstream.recorder.to('POST /token')[0]?.form.get('code_verifier'))
})

test('spec-D13: an upstream of 2025-03-26 whose issuer ends in a slash: it is called as it calls itself', async (context) => {
  const upstream = await discoverable(context)
  const issuer = `${upstream.origin}/`
  upstream.knobs.challenge = {}
  upstream.knobs.documents = {
    [SERVER]: upstream.serverDocument({
      issuer,
      authorization_response_iss_parameter_supported: true,
    }),
  }
  upstream.knobs.iss = issuer
  const gateway = await gatewayFor(context, route(upstream))
  await succeeds(gateway.url)
  upstream.knobs.iss = upstream.origin
  const other = await gatewayFor(context, route(upstream))
  assert.is((await attempt(other.url)).error, 'server_error', 'one slash less is another issuer again')
})

test('spec-U1: nothing but that one slash is forgiven an upstream of 2025-03-26, and not where somebody named the issuer', async (context) => {
  const cases: [issuer: (origin: string) => string, isNamed?: true][] = [
    [(origin) => `${origin}//`],
    [(origin) => `${origin}/mcp`],
    [(origin) => `${origin}/?`],
    [() => 'https://evil.test/'],
    [(origin) => `${origin}/`, true],
  ]
  for (const [issuer, isNamed = false] of cases) {
    const upstream = await discoverable(context)
    upstream.knobs.challenge = {}
    upstream.knobs.documents = {
      ...(isNamed && { [`${RESOURCE}/mcp`]: upstream.resourceDocument() }),
      [SERVER]: upstream.serverDocument({ issuer: issuer(upstream.origin) }),
    }
    const gateway = await gatewayFor(context, route(upstream))
    const { error, description } = await attempt(gateway.url)
    assert.is(error, 'server_error')
    assert.match(description ?? '', 'names another issuer')
    assert.equal(
      paths(upstream).filter((path) => /register|authorize|token/.test(path)),
      [],
    )
  }
})

const NOWHERE: Record<string, [arrange: (upstream: DiscoveryUpstream) => void, why: string]> = {
  'it takes no registrations at the assumed place': [
    (upstream) => {
      upstream.knobs.challenge = {}
      upstream.knobs.documents = {}
      upstream.knobs.registers = false
    },
    'publishes no metadata',
  ],
  'its challenge names a document that is not there': [
    (upstream) => {
      upstream.knobs.documents = {}
    },
    'names protected resource metadata that is not there',
  ],
  'its document names a server without metadata': [
    ({ knobs, resourceDocument }) => {
      knobs.documents = { [`${RESOURCE}/mcp`]: resourceDocument() }
    },
    'publishes no metadata',
  ],
}

for (const [label, [arrange, why]] of Object.entries(NOWHERE)) {
  test(`nothing is assumed of an upstream when ${label}`, async (context) => {
    const upstream = await discoverable(context)
    arrange(upstream)
    const gateway = await gatewayFor(context, route(upstream))
    const { error, description } = await attempt(gateway.url)
    assert.is(error, 'server_error')
    assert.match(description ?? '', why)
    assert.equal(
      paths(upstream).filter((path) => /authorize|token/.test(path)),
      [],
    )
  })
}

test('spec-U1: an advertised document that is gone: the well-known addresses are tried after it', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.challenge = { resource_metadata: `${upstream.origin}/moved.json` }
  const gateway = await gatewayFor(context, route(upstream))
  await succeeds(gateway.url)
  const tried = paths(upstream).filter((path) => /moved|protected-resource/.test(path))
  assert.equal(tried.slice(0, 2), ['GET /moved.json', `GET ${RESOURCE}/mcp`])
})

test('spec-U6: a server that greets everybody is asked once more, for its challenge', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.greets = true
  upstream.knobs.challenge.scope = 'read'
  upstream.knobs.documents[`${RESOURCE}/mcp`] = upstream.resourceDocument({ scopes_supported: ['all'] })
  const gateway = await gatewayFor(context, route(upstream))
  const query = await connect(gateway)
  assert.is(query.get('scope'), 'read')
  const [first, second] = upstream.recorder.to('POST /mcp')
  assert.match(first?.body ?? '', '"initialize"')
  assert.match(second?.body ?? '', '"tools/list"')
  assert.is(second?.headers['mcp-session-id'], 'greeted')
  assert.not.ok(upstream.recorder.requests.some(({ headers }) => headers.authorization?.startsWith('Bearer')))
})

/** The same issuer says that one of its endpoints is somewhere else now. */
const MOVES = ['authorization_endpoint', 'token_endpoint', 'registration_endpoint']

for (const name of MOVES) {
  test(`sec-C12: ${name} moved to another host: nobody is sent there until the operator allows it`, async (context) => {
    const upstream = await discoverable(context)
    const gateway = await gatewayFor(context, route(upstream))
    const { access } = await succeeds(gateway.url)
    upstream.knobs.documents[SERVER] = upstream.serverDocument({ [name]: 'https://evil.test/endpoint' })

    const moved = await connect(gateway).then(String, ({ message }: Error) => message)
    assert.match(moved, 'moved to another host, which the operator of this gateway has to allow')
    assert.not.match(moved, 'evil', 'whoever reads it cannot do anything about it')
    const { fields } = await gateway.logged(
      'endpoints of an upstream authorization server moved: if that is right, add the host to endpoint_hosts',
    )
    assert.equal([fields.issuer, fields.host], [upstream.origin, 'evil.test'])
    assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 200, 'who is connected goes on')

    const allowed = '{ type: authorization_code, authorization_server: { endpoint_hosts: [Evil.test] } }'
    await gateway.write(route(upstream, allowed))
    await gateway.follower.reload()
    const link = gateway.app.current().routes.get('demo')?.auth.link
    const { location } = (await link?.begin('users/gateway_user' as never, 's', {
      requested: [],
      relink: true,
    })) ?? { location: '' }
    const expected = name === 'authorization_endpoint' ? 'https://evil.test' : upstream.origin
    assert.is(new URL(location).origin, expected)
  })
}

test('sec-C12: endpoints that move about on the hosts they were first seen on are nobody’s concern', async (context) => {
  const upstream = await discoverable(context)
  const gateway = await gatewayFor(context, route(upstream))
  await succeeds(gateway.url)
  upstream.knobs.documents[SERVER] = upstream.serverDocument({
    authorization_endpoint: `${upstream.origin}/authorize?v=2`,
  })
  assert.is((await connect(gateway)).get('v'), '2')
})

test.run()
