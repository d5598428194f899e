// What the gateway keeps about authorization servers that an upstream names: as long as it is used, and not without end.
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import type { Subject } from '../../src/slots.ts'
import { RESOURCE, SERVER } from '../support/discovery-upstream.ts'
import { suite } from '../support/suite.ts'
import { connect, discoverable, gatewayFor, linkOf, registrations, route, succeeds } from './discovering.ts'

const test = suite('flow/upstream-forgotten')
const DAY_MS = 24 * 60 * 60_000
const WISH = { requested: [], relink: false }
const SOMEBODY = 'users/gateway_user' as Subject

test('a registration lasts while it is used, and is forgotten when it was not for 90 days', async (context) => {
  let passedMs = 0
  const upstream = await discoverable(context)
  const gateway = await gatewayFor(context, route(upstream), {}, () => Date.now() + passedMs)
  await connect(gateway)
  for (const days of [60, 60, 60]) {
    passedMs += days * DAY_MS
    assert.type(await linkOf(gateway).fingerprint(), 'string')
  }
  await connect(gateway)
  assert.is(registrations(upstream).length, 1, 'in use all the time')
  passedMs += 91 * DAY_MS
  await connect(gateway)
  assert.is(registrations(upstream).length, 2)
})

test('where endpoints are is remembered as long', async (context) => {
  let passedMs = 0
  const upstream = await discoverable(context)
  const gateway = await gatewayFor(context, route(upstream), {}, () => Date.now() + passedMs)
  await connect(gateway)
  passedMs += 60 * DAY_MS
  await linkOf(gateway).fingerprint()
  passedMs += 60 * DAY_MS
  const moved = upstream.serverDocument({ token_endpoint: 'http://localhost:9/token' })
  upstream.knobs.documents = { ...upstream.knobs.documents, [SERVER]: moved }
  const error = await linkOf(gateway)
    .begin(SOMEBODY, 'state', WISH)
    .catch((thrown: unknown) => thrown)
  assert.match(String(error), 'moved to another host')
})

test('an upstream that names ever new authorization servers is followed a few times, then every ten minutes', async (context) => {
  let passedMs = 0
  const upstream = await discoverable(context)
  const gateway = await gatewayFor(context, route(upstream), {}, () => Date.now() + passedMs)
  const begin = (number: number) => {
    const issuer = `${upstream.origin}/${number}`
    upstream.knobs.documents = {
      [`${RESOURCE}/mcp`]: upstream.resourceDocument({ authorization_servers: [issuer] }),
      [`${SERVER}/${number}`]: upstream.serverDocument({ issuer }),
    }
    return linkOf(gateway)
      .begin(SOMEBODY, 'state', WISH)
      .then(
        () => 'begun',
        (error: unknown) => (error instanceof UpstreamError ? error.message : String(error)),
      )
  }
  await succeeds(gateway.url)
  const outcomes: string[] = []
  for (let number = 1; number <= 7; number++) outcomes.push(await begin(number))
  assert.equal(outcomes.slice(0, 4), ['begun', 'begun', 'begun', 'begun'])
  for (const outcome of outcomes.slice(4)) assert.match(outcome, 'one authorization server after another')
  assert.is(registrations(upstream).length, 5)
  assert.is(await begin(4), 'begun', 'the one that is known goes on')
  passedMs += 10 * 60_000
  assert.is(await begin(8), 'begun')
  assert.match(await begin(9), 'one authorization server after another')
  assert.is(registrations(upstream).length, 6)
})

test.run()
