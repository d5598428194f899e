// Looking for a route's authorization server and registering there: how long an upstream is left alone, and who waits for whom.
import * as assert from 'uvu/assert'
import { sourceOf } from '../../src/auth/configured-server.ts'
import type { AuthContext } from '../../src/auth/context.ts'
import { createHeldTokens } from '../../src/auth/held-tokens.ts'
import { createLinks } from '../../src/auth/links.ts'
import { createRefresh } from '../../src/auth/refresh.ts'
import { createRevocations } from '../../src/auth/revocations.ts'
import { serviceSource } from '../../src/auth/service-source.ts'
import { UpstreamError } from '../../src/errors.ts'
import { hashToken } from '../../src/oauth/tokens.ts'
import { randomKeyring } from '../../src/store/keyring.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { createSealer } from '../../src/store/seal.ts'
import { createSigningKeys } from '../../src/store/signing-keys.ts'
import type { Store } from '../../src/store/store.ts'
import { type ControlHttp, controlHttp } from '../../src/upstream/http.ts'
import { startDiscoveryUpstream } from '../support/discovery-upstream.ts'
import { recordingLog } from '../support/gateway.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('auth/registrations')
const HOUR_MS = 3_600_000
const REDIRECT = 'http://localhost/upstream/callback/demo'

/** A route whose upstream is asked for everything. `wrap` lays something over the store. */
async function startScene({ after }: TestContext, wrap: (store: Store) => Store = (store) => store) {
  const upstream = await startDiscoveryUpstream()
  after(() => upstream.close())
  const clock = { nowMs: Date.now() }
  const now = () => clock.nowMs
  const store = wrap(memoryStore(now))
  const sealer = createSealer(randomKeyring())
  const { log } = recordingLog()
  const shared = { store, sealer, signingKeys: createSigningKeys(store, sealer, now), now, log }
  const links = createLinks(store, sealer, now)
  const revocations = createRevocations(controlHttp, log)
  let sent = 0
  const http: ControlHttp = (request) => {
    sent += 1
    return controlHttp(request)
  }
  const { refresh } = createRefresh({ links, revocations, store, http, now })
  const context: AuthContext = {
    issuer: 'http://localhost',
    route: 'demo',
    headers: {},
    upstream: new URL(upstream.mcpUrl),
    scopes: { required: [], implies: {} },
    clientName: 'Gateway',
    server: () => ({
      entry: undefined,
      redirectUri: REDIRECT,
      documentUrl: 'http://localhost/.well-known/oauth-client/demo',
    }),
    deps: { ...shared, links, refresh, revocations, heldTokens: createHeldTokens(shared), http },
  }
  return { upstream, clock, store, context, sent: () => sent }
}

/** The fault of an UpstreamError; anything else that is thrown stays what it is. */
const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => {
      if (error instanceof UpstreamError) return error.fault
      throw error
    },
  )

test('a server that is not found is left alone for a moment, and not for an hour because the clock was set back by one', async (context) => {
  const { upstream, clock, context: route } = await startScene(context)
  const source = serviceSource({}, 'client_credentials', route)
  upstream.knobs.isDown = true
  assert.is(await outcome(source.destination()), 'unreachable')
  upstream.knobs.isDown = false
  const asked = upstream.recorder.count()
  assert.is(await outcome(source.destination()), 'unreachable')
  assert.is(upstream.recorder.count(), asked)
  clock.nowMs -= HOUR_MS
  const { documents } = upstream.knobs
  upstream.knobs.documents = Object.fromEntries(
    Object.entries(documents).map(([path, document]) => [
      path,
      { ...document, grant_types_supported: ['client_credentials'] },
    ]),
  )
  upstream.knobs.registration = { client_secret: 'given', token_endpoint_auth_method: 'client_secret_post' }
  assert.is(await outcome(source.destination()), 'done')
})

test('whether a server has moved is looked up once in a while, also after the clock was set back', async (context) => {
  const { upstream, clock, context: route, sent } = await startScene(context)
  const source = sourceOf({}, route)
  await source.renew()
  const looks = () => upstream.recorder.count('/mcp')
  const first = looks()
  source.doubt()
  await upstream.recorder.arrival('/mcp', first + 1)
  // Whoever looks meanwhile waits for the same look.
  await source.renew()
  assert.is(looks(), first + 1)

  const before = sent()
  source.doubt()
  await new Promise((resolve) => setImmediate(resolve))
  assert.is(sent(), before, 'that was a moment ago')
  clock.nowMs -= HOUR_MS
  source.doubt()
  await upstream.recorder.arrival('/mcp', first + 2)
  await source.renew()
})

test('who waits too long for a registration that another process makes is told to come again, and nothing is registered twice', async (context) => {
  let isTaken = true
  const clockOf: { nowMs: number }[] = []
  const {
    upstream,
    clock,
    store,
    context: route,
  } = await startScene(context, (inner) => ({
    ...inner,
    async cas(key, expected, value, options) {
      if (!isTaken || !key.startsWith('lock/registered/')) return inner.cas(key, expected, value, options)
      // A minute goes by at each look.
      for (const each of clockOf) each.nowMs += 60_000
      return false
    },
  }))
  clockOf.push(clock)
  const source = sourceOf({}, route)
  const late = await source.renew().catch((error: unknown) => error)
  assert.ok(late instanceof UpstreamError, String(late))
  assert.equal([late.fault, late.status, late.retryAfterSeconds], ['unavailable', 503, 5])
  assert.is(upstream.recorder.count('/register'), 0)

  isTaken = false
  const destination = await source.renew()
  assert.is(upstream.recorder.count('/register'), 1)
  const key = `registered/${hashToken(JSON.stringify([upstream.origin, REDIRECT]))}`
  const kept = await store.get(key)
  assert.ok(kept)

  isTaken = true
  assert.is(await outcome(source.disowned(destination)), 'unavailable')
  assert.equal(await store.get(key), kept, 'nothing is dropped by whoever could not look')
  isTaken = false
  assert.is(await source.disowned(destination), false, 'it is known there')
})

test.run()
