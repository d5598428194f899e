// An upstream authorization server that has forgotten the gateway, or gave it a secret for a while: the gateway registers
// anew, once, and whoever was connected as the old client connects again.
import * as assert from 'uvu/assert'
import type { Subject } from '../../src/slots.ts'
import { callMcp } from '../security/client.ts'
import type { DiscoveryUpstream } from '../support/discovery-upstream.ts'
import { intercept } from '../support/intercept.ts'
import { suite } from '../support/suite.ts'
import {
  attempt,
  clientsAt,
  connect,
  discoverable,
  gatewayFor,
  linkOf,
  registrations,
  route,
  succeeds,
} from './discovering.ts'

const test = suite('flow/upstream-forgets')

const HOUR_MS = 60 * 60_000

/** Forgets every client that was registered so far. */
function forget(upstream: DiscoveryUpstream): void {
  const gone = new Set(clientsAt(upstream, '/authorize'))
  upstream.knobs.forgets = (clientId) => gone.has(clientId)
}

const REGISTERED_ANEW =
  'the upstream had forgotten this gateway, which is registered there anew now: connect again'

test('a server that forgot the gateway, noticed when a code is redeemed: registered anew once, and the next sign-in works', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.registration = { client_secret: 's' }
  const gateway = await gatewayFor(context, route(upstream))
  const before = await succeeds(gateway.url)
  forget(upstream)
  assert.is(await connect(gateway).catch(({ message }: Error) => message), REGISTERED_ANEW)
  assert.is(registrations(upstream).length, 2)
  assert.is((await callMcp(`${gateway.url}/demo`, before.access)).status, 401, 'links belong to their client')
  await succeeds(gateway.url)
  assert.is(registrations(upstream).length, 2)
  assert.is(new Set(clientsAt(upstream, '/authorize')).size, 2)
})

test('noticed when a token is refreshed: 401, and signing in again heals it', async (context) => {
  const upstream = await discoverable(context)
  Object.assign(upstream.knobs, { lifetimeSeconds: 600, registration: { client_secret: 's' } })
  const time = clock()
  const gateway = await gatewayFor(context, `tokens: { access_ttl: 12h }\n${route(upstream)}`, {}, time.now)
  const { access } = await succeeds(gateway.url)
  forget(upstream)
  time.forward(HOUR_MS)
  assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 401)
  assert.is(registrations(upstream).length, 2)
  const { access: again } = await succeeds(gateway.url)
  assert.is((await callMcp(`${gateway.url}/demo`, again)).status, 200)
  assert.is(registrations(upstream).length, 2)
})

test('noticed before anybody is sent there to an error page, once an hour has passed', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.registration = { client_secret: 's' }
  const time = clock()
  const gateway = await gatewayFor(context, `tokens: { access_ttl: 12h }\n${route(upstream)}`, {}, time.now)
  await succeeds(gateway.url)
  forget(upstream)
  time.forward(2 * HOUR_MS)
  await linkOf(gateway).begin('users/gateway_user' as Subject, 's', { requested: [], relink: true })
  assert.is(registrations(upstream).length, 2)
  await succeeds(gateway.url)
  const [first, second] = clientsAt(upstream, '/authorize')
  assert.is.not(first, second)
})

test('a server that refuses every client it registers is not registered with over and over', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.registration = { client_secret: 's' }
  upstream.knobs.forgets = () => true
  const gateway = await gatewayFor(context, route(upstream))
  for (let tries = 0; tries < 3; tries += 1) {
    assert.is((await attempt(gateway.url)).description, 'the upstream refused the sign-in')
  }
  assert.is(registrations(upstream).length, 1)
  upstream.knobs.forgets = () => false
  await succeeds(gateway.url)
  assert.is(registrations(upstream).length, 1)
})

test('a registration that nobody has used yet, and that the server lost: made anew before the first person is sent there, and that one not at once again', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.registration = { client_secret: 's' }
  const time = clock()
  const gateway = await gatewayFor(context, route(upstream), {}, time.now)
  const isLost = new Set<string>()
  upstream.knobs.forgets = (clientId) => isLost.has(clientId)
  const clientAfter = async (ms: number) => {
    time.forward(ms)
    const request = { requested: [], relink: false }
    const { location } = await linkOf(gateway).begin('users/gateway_user' as Subject, 's', request)
    return new URL(location).searchParams.get('client_id') ?? ''
  }
  isLost.add(await clientAfter(0))
  const first = await clientAfter(HOUR_MS / 12)
  assert.is(registrations(upstream).length, 2)
  isLost.add(first)
  assert.is(await clientAfter(HOUR_MS / 4), first, 'a replacement rests')
  const second = await clientAfter(2 * HOUR_MS)
  assert.is.not(second, first)
  assert.is(registrations(upstream).length, 3)
  await succeeds(gateway.url)
  assert.equal(clientsAt(upstream, '/authorize'), [second])
})

test('what a browser makes up at the callback does not cost the gateway its registration', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.registration = { client_secret: 's' }
  const gateway = await gatewayFor(context, route(upstream))
  const { access } = await succeeds(gateway.url)
  for (const error of ['invalid_client', 'unauthorized_client']) {
    upstream.knobs.error = error
    const link = linkOf(gateway)
    const { pending } = await link.begin('users/gateway_user' as Subject, 's', {
      requested: [],
      relink: true,
    })
    const answer = new URLSearchParams({ error, state: 's' })
    await link.finish('users/gateway_user' as Subject, pending, answer).then(
      () => assert.unreachable(),
      ({ message }: Error) => assert.is(message, 'the upstream refused the sign-in'),
    )
  }
  assert.is(registrations(upstream).length, 1)
  assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 200)
})

test('a client that may not refresh is known all the same: its registration and its links stay (RFC 6749 §5.2)', async (context) => {
  const upstream = await discoverable(context)
  Object.assign(upstream.knobs, { lifetimeSeconds: 600, registration: { client_secret: 's' } })
  let refuses = false
  intercept(upstream.server, ({ url }, response) => {
    if (!refuses || url !== '/token') return false
    response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"unauthorized_client"}')
    return true
  })
  const time = clock()
  const gateway = await gatewayFor(context, `tokens: { access_ttl: 12h }\n${route(upstream)}`, {}, time.now)
  const { access } = await succeeds(gateway.url)
  refuses = true
  time.forward(HOUR_MS)
  const asked = upstream.recorder.count('POST /token')
  assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 502)
  assert.is(upstream.recorder.count('POST /token'), asked + 1, 'nobody doubts that the server knows it')
  refuses = false
  time.forward(60_000)
  assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 200)
  assert.is(registrations(upstream).length, 1)
})

test('a client secret that has expired: registered anew at the next sign-in', async (context) => {
  const upstream = await discoverable(context)
  const time = clock()
  const expiresAt = Math.floor(time.now() / 1000) + 1800
  upstream.knobs.registration = { client_secret: 'short-lived', client_secret_expires_at: expiresAt }
  const gateway = await gatewayFor(context, route(upstream), {}, time.now)
  await succeeds(gateway.url)
  upstream.knobs.registration = { client_secret: 'long-lived', client_secret_expires_at: 0 }
  time.forward(HOUR_MS / 4)
  await linkOf(gateway).begin('users/gateway_user' as Subject, 's', { requested: [], relink: true })
  assert.is(registrations(upstream).length, 1)
  time.forward(HOUR_MS / 2)
  await connect(gateway)
  assert.is(registrations(upstream).length, 2)
  const { authorization = '' } = upstream.recorder.to('POST /token').at(-1)?.headers ?? {}
  assert.match(Buffer.from(authorization.replace('Basic ', ''), 'base64').toString(), /:long-lived$/)
})

function clock() {
  let offsetMs = 0
  return {
    now: () => Date.now() + offsetMs,
    forward: (ms: number) => {
      offsetMs += ms
    },
  }
}

test.run()
