// An upstream authorization server that has forgotten the gateway, or gave it a secret for a while: the gateway registers
// anew, once, and whoever was connected as the old client connects again.
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import * as assert from 'uvu/assert'
import type { Subject } from '../../src/slots.ts'
import { Client, callMcp, tokensOf } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import type { DiscoveryUpstream } from '../support/discovery-upstream.ts'
import { type TestGateway, USER } from '../support/gateway.ts'
import { intercept } from '../support/intercept.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import {
  attempt,
  clientsAt,
  connect,
  discoverable,
  gatewayFor,
  linkOf,
  publish,
  registrations,
  route,
  succeeds,
} from './discovering.ts'

const test = suite('flow/upstream-forgets')

const HOUR_MS = 60 * 60_000
const DAY_MS = 24 * HOUR_MS

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

test('a gateway that registered its key by value: that key signs there long after 90 days, and nobody is signed out', async (context) => {
  const { upstream, person, time } = await verifying(context)
  // Whoever is away for 30 days signs in anew anyway.
  for (const day of [
    20,
    40,
    60,
    80,
    89,
    91,
    110,
    120,
    ...Array.from({ length: 19 }, (_, n) => 140 + 20 * n),
  ]) {
    time.forward(day * DAY_MS - time.passed())
    assert.equal([await person.refresh(), await person.call()], [200, 200], `day ${day}`)
  }
  assert.is(registrations(upstream).length, 1)
})

test('and a server that forgot it after such a time is registered with anew, once', async (context) => {
  const { upstream, gateway, person, time, forgetAll } = await verifying(context)
  for (let days = 0; days < 120; days += 20) {
    time.forward(20 * DAY_MS)
    assert.is(await person.refresh(), 200)
  }
  forgetAll()
  time.forward(HOUR_MS)
  assert.is(await person.call(), 401)
  await succeeds(gateway.url)
  assert.is(registrations(upstream).length, 2)
})

for (const seconds of [150, -150])
  test(`invalid_client from a server whose clock is ${seconds} s ahead says nothing of the client: nobody is signed out, the operator is told, and then all is well`, async (context) => {
    const { upstream, gateway, person, time, setAhead } = await verifying(context)
    setAhead(seconds)
    time.forward(HOUR_MS)
    assert.is(await person.call(), 502)
    assert.is(registrations(upstream).length, 1)
    const told = gateway.log.find(({ event }) => event.includes('the clocks of the two differ'))
    assert.is(told?.level, 'warn')
    assert.ok(Math.abs(Number(told?.fields.aheadSeconds) - seconds) < 20)
    setAhead(0)
    time.forward(HOUR_MS)
    assert.equal([await person.call(), await person.refresh()], [200, 200])
    assert.is(registrations(upstream).length, 1)
  })

/** Somebody signed in at a server that verifies assertions with the keys that were registered there, and by its own clock. */
async function verifying(context: TestContext) {
  const upstream = await discoverable(context)
  upstream.knobs.lifetimeSeconds = 600
  publish(upstream, { token_endpoint_auth_methods_supported: ['private_key_jwt'] })
  let aheadMs = 0
  const gone = new Set<string>()
  intercept(upstream.server, (_request, response) => {
    response.setHeader('date', new Date(Date.now() + aheadMs).toUTCString())
    return false
  })
  upstream.knobs.forgets = async (clientId, form) => {
    const keys = registrations(upstream).flatMap(({ jwks }) => (jwks as JSONWebKeySet).keys)
    const options = { currentDate: new Date(Date.now() + aheadMs) }
    const isAccepted = await jwtVerify(
      form.get('client_assertion') ?? '',
      createLocalJWKSet({ keys }),
      options,
    ).then(
      () => true,
      () => false,
    )
    return gone.has(clientId) || !isAccepted
  }
  const time = clock()
  const yaml = `tokens: { access_ttl: 12h, refresh_max: 999d }\n${route(upstream)}`
  const gateway = await gatewayFor(context, yaml, {}, time.now)
  return {
    upstream,
    gateway,
    time,
    person: await personAt(gateway),
    setAhead: (seconds: number) => {
      aheadMs = seconds * 1000
    },
    forgetAll: () => {
      for (const clientId of clientsAt(upstream, '/authorize')) gone.add(clientId ?? '')
    },
  }
}

/** Somebody at the gateway, with tokens of it. */
async function personAt(gateway: TestGateway) {
  const client = await Client.register(gateway.url)
  const trip = client.trip({ resource: `${gateway.url}/demo` })
  const { callback } = await signIn(newBrowser(), trip.url, USER)
  let tokens = tokensOf(await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier))
  return {
    call: async () => (await callMcp(`${gateway.url}/demo`, tokens.access)).status,
    refresh: async () => {
      const answer = await client.refresh(tokens.refresh)
      if (answer.status === 200) tokens = tokensOf(answer)
      return answer.status
    },
  }
}

function clock() {
  let offsetMs = 0
  return {
    now: () => Date.now() + offsetMs,
    passed: () => offsetMs,
    forward: (ms: number) => {
      offsetMs += ms
    },
  }
}

test.run()
