// `disconnect: with_last_grant`: the upstream's tokens are forgotten and taken back when nobody is left to use them,
// and not a moment before.
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { Client, callMcp, postForm } from '../security/client.ts'
import { ATTACKER, newBrowser, obtainTokens, PASSWORD_HASHES, TWO_USERS, VICTIM } from '../security/world.ts'
import { type DiscoveryUpstream, SERVER, startDiscoveryUpstream } from '../support/discovery-upstream.ts'
import { startGateway } from '../support/gateway.ts'
import { intercept } from '../support/intercept.ts'
import type { Person } from '../support/person.ts'
import { startSink } from '../support/sink.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('flow/disconnect')
const MODE = 'with_last_grant'
const MINUTE_MS = 60_000

interface Revoking extends DiscoveryUpstream {
  /** How /revoke answers; it takes the token back as long as that is 200. */
  answer: { status: number }
}

/** An upstream that says where it revokes, and does. */
async function startUpstream({ after }: TestContext): Promise<Revoking> {
  const tokens = new Map<string, string>()
  const upstream = await startDiscoveryUpstream({ tokens })
  after(() => upstream.close())
  const document = upstream.serverDocument({ revocation_endpoint: `${upstream.origin}/revoke` })
  upstream.knobs.documents = { ...upstream.knobs.documents, [SERVER]: document }
  const answer = { status: 200 }
  intercept(upstream.server, (request, response) => {
    if (request.url !== '/revoke') return false
    takeBack(request, response)
    return true
  })
  function takeBack(request: IncomingMessage, response: ServerResponse) {
    request.resume().on('end', () => {
      const token = upstream.recorder.to('/revoke').at(-1)?.form.get('token') ?? ''
      if (answer.status === 200) tokens.delete(token)
      response.writeHead(answer.status).end()
    })
  }
  return Object.assign(upstream, { answer })
}

interface Options {
  mode?: string
  server?: string
  routes?: readonly string[]
  /** Further lines below `routes`. */
  more?: (upstream: Revoking) => string
  now?: () => number
}

async function scene(context: TestContext, { mode = MODE, server, routes = ['a'], more, now }: Options = {}) {
  const upstream = await startUpstream(context)
  const yaml = (users = TWO_USERS) =>
    [
      'version: 1\nserver: { port: 0 }',
      `authorization_servers: { it: { issuer: "${upstream.origin}"${server ?? ''} } }`,
      'routes:',
      ...routes.map(
        (name) =>
          `  ${name}: { upstream: "${upstream.mcpUrl}", auth: { type: authorization_code, authorization_server: it, disconnect: ${mode} } }`,
      ),
      more?.(upstream) ?? '',
      users,
    ].join('\n')
  const gateway = await startGateway({ yaml: yaml(), env: PASSWORD_HASHES, ...(now && { now }) })
  context.after(() => gateway.close())
  const connect = async (route = 'a', person: Person = VICTIM) => {
    const client = await Client.register(gateway.url)
    const overrides = { resource: `${gateway.url}/${route}` }
    const { tokens } = await obtainTokens({ client, browser: newBrowser(), person, overrides })
    const revoke = () =>
      postForm(`${gateway.url}/revoke`, { token: tokens.refresh, client_id: client.id }).then(
        ({ status }) => status,
      )
    const call = () => callMcp(`${gateway.url}/${route}`, tokens.access).then(({ status }) => status)
    return { client, tokens, revoke, call }
  }
  return {
    upstream,
    gateway,
    yaml,
    connect,
    revocations: () => upstream.recorder.to('/revoke').map(({ form }) => form.get('token_type_hint')),
    trips: () => upstream.recorder.count('/authorize'),
  }
}

test('sec-C15, sec-T11, spec-T7: the link goes with the last grant, refresh token first; before that nothing is taken back', async (context) => {
  const { upstream, gateway, connect, revocations, trips } = await scene(context)
  const [first, second] = [await connect(), await connect()]
  assert.is(await first.revoke(), 200)
  assert.is(await second.call(), 200, 'the other client goes on')
  assert.equal(revocations(), [])

  const sent = String(upstream.recorder.to('/mcp').at(-1)?.headers.authorization).slice('Bearer '.length)
  assert.is(await second.revoke(), 200)
  await gateway.logged('upstream tokens revoked')
  assert.equal(revocations(), ['refresh_token', 'access_token'])
  const [refresh, access] = upstream.recorder.to('/revoke')
  assert.equal([refresh?.form.get('token'), access?.form.get('token')], [`r-${sent}`, sent])
  assert.match(refresh?.form.get('client_id') ?? '', /^client-/, 'as the client that they were issued to')

  assert.is(trips(), 1)
  assert.is(await (await connect()).call(), 200, 'the next one signs in upstream anew')
  assert.is(trips(), 2)
})

test('the default keeps the link: who comes back is not asked again', async (context) => {
  const { connect, revocations, trips } = await scene(context, { mode: 'never' })
  assert.is(await (await connect()).revoke(), 200)
  assert.is(await (await connect()).call(), 200)
  assert.equal([revocations(), trips()], [[], 1])
})

test('sec-C15: a grant on another route with the same link keeps it', async (context) => {
  const { gateway, connect, revocations, trips } = await scene(context, { routes: ['a', 'b'] })
  const [one, other] = [await connect('a'), await connect('b')]
  assert.is(trips(), 1, 'one link serves both')
  await one.revoke()
  assert.is(await other.call(), 200)
  assert.equal(revocations(), [])
  await other.revoke()
  await gateway.logged('upstream tokens revoked')
  assert.is(revocations().length, 2)
})

test('sec-C15: a grant on a route with another upstream, or with none to sign in at, does not', async (context) => {
  const auth = `auth: { type: authorization_code, authorization_server: it, disconnect: ${MODE} }`
  const { gateway, connect, revocations, trips } = await scene(context, {
    more: ({ mcpUrl }) => `  elsewhere: { upstream: "${mcpUrl}/elsewhere", ${auth} }
  open: { upstream: "${mcpUrl}", auth: none }`,
  })
  const mine = await connect()
  const other = await connect('elsewhere')
  await connect('open')
  assert.is(trips(), 2)
  await mine.revoke()
  await gateway.logged('upstream tokens revoked')
  assert.is(revocations().length, 2)
  await other.revoke()
  await gateway.logged('upstream tokens revoked', 2)
  assert.is(revocations().length, 4)
})

test("another person's link is another link", async (context) => {
  const { gateway, upstream, connect, revocations } = await scene(context)
  const mine = await connect()
  const theirs = await connect('a', ATTACKER)
  await mine.revoke()
  await gateway.logged('upstream tokens revoked')
  assert.is(await theirs.call(), 200)
  assert.is(revocations().length, 2)
  assert.is(upstream.recorder.count('/authorize'), 2)
})

test('a refresh token that comes back after its grace ends the family, and the link with it', async (context) => {
  let passedMs = 0
  const { gateway, connect, revocations } = await scene(context, { now: () => Date.now() + passedMs })
  const { client, tokens } = await connect()
  assert.is((await client.refresh(tokens.refresh)).status, 200)
  passedMs += 2 * MINUTE_MS
  assert.is((await client.refresh(tokens.refresh)).body.error, 'invalid_grant')
  await gateway.logged('upstream tokens revoked')
  assert.equal(revocations(), ['refresh_token', 'access_token'])
})

test('sec-T11, spec-T7: an access token alone, or a stranger who asks, ends no link', async (context) => {
  const { gateway, connect, revocations } = await scene(context)
  const { client, tokens, call } = await connect()
  const stranger = await Client.register(gateway.url)
  for (const [token, id] of [
    [tokens.refresh, stranger.id],
    [tokens.access, client.id],
  ] as const)
    assert.is((await postForm(`${gateway.url}/revoke`, { token, client_id: id })).status, 200)
  assert.is(await call(), 401, 'that token is gone')
  assert.is((await client.refresh(tokens.refresh)).status, 200, 'the grant and its link are not')
  assert.equal(revocations(), [])
})

test('who leaves the configuration loses the link, and the upstream hears of it', async (context) => {
  const { gateway, yaml, connect, revocations } = await scene(context)
  const { call } = await connect()
  await gateway.write(yaml('login:\n  users:\n    attacker: { password_hash: "${ATTACKER_HASH}" }\n'))
  assert.is((await gateway.follower.reload()).kind, 'applied')
  await gateway.logged('upstream tokens revoked')
  assert.equal(revocations(), ['refresh_token', 'access_token'])
  assert.is(await call(), 401)
})

test('who leaves together with the route loses the link too, and the upstream hears of it', async (context) => {
  const { upstream, gateway, yaml, connect, revocations } = await scene(context)
  const { call } = await connect()
  const others = yaml('login:\n  users:\n    attacker: { password_hash: "${ATTACKER_HASH}" }\n')
  await gateway.write(others.replace(/^ {2}a: .*$/m, `  b: { upstream: "${upstream.mcpUrl}", auth: none }`))
  assert.is((await gateway.follower.reload()).kind, 'applied')
  await gateway.logged('upstream tokens revoked')
  assert.equal(revocations(), ['refresh_token', 'access_token'])
  assert.is(await call(), 404)
})

test('what a refresh brings after the disconnect is taken back too', async (context) => {
  let passedMs = 0
  const { upstream, gateway, connect, trips } = await scene(context, { now: () => Date.now() + passedMs })
  upstream.knobs.lifetimeSeconds = 600
  const { revoke, call } = await connect()
  const held = holdRefresh(upstream)
  passedMs += 20 * MINUTE_MS
  const late = call().catch(() => 'cut')
  await upstream.recorder.arrival('POST /token', 2)
  assert.is(await revoke(), 200, 'nobody waits for the upstream')
  await gateway.logged('upstream tokens revoked')

  held.release({ access_token: 'late', refresh_token: 'r-late', token_type: 'Bearer', expires_in: 600 })
  await gateway.logged('upstream tokens revoked', 2)
  assert.equal(
    upstream.recorder
      .to('/revoke')
      .slice(2)
      .map(({ form }) => form.get('token')),
    ['r-late', 'late'],
  )
  assert.is.not(await late, 200)
  assert.not.ok(upstream.recorder.to('/mcp').some(({ headers }) => headers.authorization === 'Bearer late'))
  assert.is(await (await connect()).call(), 200)
  assert.is(trips(), 2, 'and the next one signs in upstream anew')
})

/** The next request for tokens is answered when the test says so, and as it says. */
function holdRefresh(upstream: Revoking) {
  let isOver = false
  let release: (answer: object) => void = () => {}
  const answer = new Promise<object>((resolve) => {
    release = resolve
  })
  intercept(upstream.server, (request, response) => {
    if (request.url !== '/token' || isOver) return false
    request.resume()
    answer.then((body) => {
      isOver = true
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    return true
  })
  return { release: (body: object) => release(body) }
}

for (const [name, spoil] of Object.entries<(upstream: Revoking) => void>({
  'an error': (upstream) => {
    upstream.answer.status = 503
  },
  'a redirect': (upstream) => {
    upstream.answer.status = 307
  },
  silence: (upstream) => {
    intercept(upstream.server, (request) => {
      if (request.url === '/revoke') request.socket.destroy()
      return request.url === '/revoke'
    })
  },
})) {
  test(`${name} at the upstream's revocation is nobody's business but the log's`, async (context) => {
    const { upstream, gateway, connect, trips } = await scene(context)
    const { revoke } = await connect()
    spoil(upstream)
    assert.is(await revoke(), 200)
    const { fields } = await gateway.logged('upstream tokens not revoked')
    assert.is(upstream.recorder.count('/revoke'), 2, 'the second token is tried all the same')
    assert.not.match(JSON.stringify(fields), /r-upstream|upstream-[0-9a-f]/)
    assert.is(await (await connect()).call(), 200, 'the link is gone all the same')
    assert.is(trips(), 2)
  })
}

test('tokens are revoked only where they come from: an endpoint elsewhere in the metadata is not used', async (context) => {
  const { upstream, gateway, connect, trips } = await scene(context)
  const evil = await startSink()
  context.after(() => evil.close())
  context.after(() => evil.assertUntouched())
  const document = upstream.serverDocument({ revocation_endpoint: `${evil.origin}/revoke` })
  upstream.knobs.documents = { ...upstream.knobs.documents, [SERVER]: document }
  const { revoke } = await connect()
  assert.is(await revoke(), 200)
  await gateway.logged('upstream disconnected')
  assert.is(await (await connect()).call(), 200)
  assert.is(trips(), 2, 'the link is gone')
})

test('an endpoint in the configuration wins over the one that was looked up', async (context) => {
  const upstream = await startUpstream(context)
  const yaml = `version: 1
server: { port: 0 }
authorization_servers: { it: { issuer: "${upstream.origin}", revocation_endpoint: "${upstream.origin}/other" } }
routes:
  a: { upstream: "${upstream.mcpUrl}", auth: { type: authorization_code, authorization_server: it, disconnect: ${MODE} } }
${TWO_USERS}`
  const gateway = await startGateway({ yaml, env: PASSWORD_HASHES })
  context.after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const { tokens } = await obtainTokens({ client })
  await postForm(`${gateway.url}/revoke`, { token: tokens.refresh, client_id: client.id })
  await upstream.recorder.arrival('/other', 2)
  assert.is(upstream.recorder.count('/revoke'), 0)
})

test.run()
