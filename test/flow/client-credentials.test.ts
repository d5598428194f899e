// Auth type client_credentials, from outside: one token for everybody, fetched when it is needed and not more often.
import * as assert from 'uvu/assert'
import { callTool } from '../security/client.ts'
import { serverOf, startServiceScene } from '../support/service-scene.ts'
import type { ServiceUpstream } from '../support/service-upstream.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('flow/client-credentials')
const HOUR_MS = 3_600_000

const auth = (upstream: ServiceUpstream) =>
  `{ type: client_credentials, authorization_server: ${serverOf(upstream)}, scope: read write }`
const start = (context: TestContext, prepare?: (upstream: ServiceUpstream) => void) =>
  startServiceScene(context, auth, prepare && { prepare })
const fetched = (upstream: ServiceUpstream) => upstream.requests('client_credentials').length

test('spec-X3: nobody connects an account; everybody goes out with the one token, which no client ever sees', async (context) => {
  const { upstream, mcpUrl, victim, attacker } = await start(context)
  assert.is(await callTool(mcpUrl, victim.access, 'whoami'), 'the gateway')
  assert.is(await callTool(mcpUrl, attacker.access, 'whoami'), 'the gateway')
  const [request, ...others] = upstream.requests('client_credentials')
  assert.is(others.length, 0)
  assert.is(request?.get('scope'), 'read write')
  assert.is(request?.get('resource'), upstream.mcpUrl)
  assert.not.ok(upstream.recorder.saw(victim.access), 'the client’s token stays here')
})

test('the token is there before anybody comes', async (context) => {
  const { upstream } = await start(context)
  await upstream.recorder.arrival('POST /token')
  assert.is(fetched(upstream), 1)
})

test('spec-X3: 50 calls at once on an expired token: one request for a new one, all are answered', async (context) => {
  const scene = await start(context)
  assert.is((await scene.call()).status, 200)
  scene.pass(2 * HOUR_MS)
  const answers = await Promise.all(Array.from({ length: 50 }, () => scene.call()))
  assert.equal(
    answers.map(({ status }) => status),
    answers.map(() => 200),
  )
  assert.is(fetched(scene.upstream), 2)
})

test('near its end the token is renewed while the old one still goes out', async (context) => {
  const { upstream, call, pass } = await start(context)
  assert.is((await call()).status, 200)
  const { promise, resolve } = deferred()
  upstream.knobs.hold = promise
  pass(HOUR_MS - 30_000)
  assert.is((await call()).status, 200, 'nobody waits')
  await upstream.recorder.arrival('POST /token', 2)
  resolve(undefined)
  assert.is(fetched(upstream), 2)
})

function deferred() {
  let resolve: (value: unknown) => void = () => {}
  const promise = new Promise<unknown>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

test('spec-X3, spec-P7: a token that the upstream refuses is replaced once, and the call goes through', async (context) => {
  const { upstream, call } = await start(context)
  assert.is((await call()).status, 200)
  upstream.tokens.clear()
  const answers = await Promise.all(Array.from({ length: 20 }, () => call()))
  assert.equal([...new Set(answers.map(({ status }) => status))], [200])
  assert.is(fetched(upstream), 2)
})

test('an upstream that refuses every token is told to the operator, not to people, and is left alone for a minute', async (context) => {
  const { upstream, call, pass } = await start(context)
  assert.is((await call()).status, 200)
  upstream.knobs.refusesAll = true
  for (let count = 0; count < 5; count += 1) {
    const refused = await call()
    assert.is(refused.status, 502)
    assert.is(refused.headers.get('www-authenticate'), null, 'signing in again would not help')
  }
  assert.is(fetched(upstream), 2, 'one for the first refusal')
  upstream.knobs.refusesAll = false
  pass(61_000)
  assert.is((await call()).status, 200)
})

for (const error of ['invalid_client', 'unauthorized_client', 'invalid_scope', 'invalid_grant'])
  test(`${error} at the token endpoint: 502 for the operator to act on, and all is well once they did`, async (context) => {
    const { upstream, call, pass } = await start(context, ({ knobs }) => {
      knobs.answer = { status: error === 'invalid_client' ? 401 : 400, body: { error } }
    })
    const refused = await call()
    assert.is(refused.status, 502)
    assert.match(refused.text, 'operator')
    assert.not.match(refused.text, 'between-servers')
    upstream.knobs.answer = undefined
    pass(11_000)
    assert.is((await call()).status, 200)
  })

test('a token endpoint in trouble: 503 with Retry-After, asked once by many calls, and no longer than needed', async (context) => {
  const { upstream, call, pass } = await start(context, ({ knobs }) => {
    knobs.answer = { status: 503, body: 'busy', headers: { 'retry-after': '7' } }
  })
  await upstream.recorder.arrival('POST /token')
  pass(8_000)
  const answers = await Promise.all(Array.from({ length: 10 }, () => call()))
  assert.equal([...new Set(answers.map(({ status }) => status))], [503])
  assert.is(answers[0]?.headers.get('retry-after'), '7')
  assert.is(fetched(upstream), 2, 'the warm-up and one for all')
  upstream.knobs.answer = undefined
  pass(8_000)
  assert.is((await call()).status, 200)
})

test('a date in Retry-After is a time to wait as well', async (context) => {
  const date = new Date(Date.now() + HOUR_MS).toUTCString()
  const { call } = await start(context, ({ knobs }) => {
    knobs.answer = { status: 503, body: 'busy', headers: { 'retry-after': date } }
  })
  const seconds = Number((await call()).headers.get('retry-after'))
  assert.ok(seconds > 3_000 && seconds <= 3_600, String(seconds))
})

test('an audience goes along where the route has one, and one edit of it is another token', async (context) => {
  const { upstream, gateway, call } = await start(context)
  assert.is((await call()).status, 200)
  assert.not.ok(upstream.requests('client_credentials')[0]?.has('audience'))
  const [old = ''] = upstream.tokens.keys()
  upstream.recorder.clear()
  const text = gateway.app.running().text
  await gateway.app.reload(text.replace('scope: read write', 'scope: read write, audience: "api://b"'))
  assert.is((await call()).status, 200)
  assert.equal(upstream.requests('client_credentials').at(-1)?.getAll('audience'), ['api://b'])
  assert.not.ok(upstream.recorder.saw(old))
})

test('access_denied, as Auth0 says where the audience is missing: the log has all that the operator needs', async (context) => {
  const { upstream, gateway, call } = await start(context, ({ knobs }) => {
    knobs.answer = { status: 403, body: { error: 'access_denied', error_description: 'between-servers' } }
  })
  const refused = await call()
  assert.is(refused.status, 502)
  const { level, fields } = await gateway.logged('request failed')
  const { upstreamError, upstreamStatus, authorizationServer, upstreamClient } = fields
  assert.equal(
    [level, upstreamError, upstreamStatus, authorizationServer, upstreamClient],
    ['warn', 'access_denied', 403, new URL(upstream.origin).host, 'gateway'],
  )
  assert.not.match(JSON.stringify(gateway.log), 'between-servers')
  assert.not.match(refused.text, 'access_denied')
})

test('a token without an end is used until the upstream refuses it', async (context) => {
  const { upstream, call, pass } = await start(context, ({ knobs }) => {
    knobs.lifetimeSeconds = undefined
  })
  assert.is((await call()).status, 200)
  pass(10 * HOUR_MS)
  assert.is((await call()).status, 200)
  assert.is(fetched(upstream), 1)
})

test('an edit of the client gets a token of its own; the old one is not sent', async (context) => {
  const { upstream, gateway, call } = await start(context)
  assert.is((await call()).status, 200)
  const [old = ''] = upstream.tokens.keys()
  const text = gateway.app.running().text
  await gateway.app.reload(text.replace('scope: read write', 'scope: read'))
  upstream.recorder.clear()
  assert.is((await call()).status, 200)
  assert.not.ok(upstream.recorder.saw(old))
})

test('a reload keeps the token', async (context) => {
  const { upstream, gateway, call } = await start(context)
  assert.is((await call()).status, 200)
  await gateway.app.reload(gateway.app.running().text)
  assert.is((await call()).status, 200)
  assert.is(fetched(upstream), 1)
})

test.run()
