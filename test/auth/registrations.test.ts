// Looking for a route's authorization server and registering there: how long an upstream is left alone, and who waits for whom.
import * as assert from 'uvu/assert'
import { sourceOf } from '../../src/auth/configured-server.ts'
import { createRegistrations } from '../../src/auth/registrations.ts'
import { serviceSource } from '../../src/auth/service-source.ts'
import { UpstreamError } from '../../src/errors.ts'
import { hashToken } from '../../src/oauth/tokens.ts'
import type { ControlHttp } from '../../src/upstream/http.ts'
import type { ScopeVerdict } from '../../src/upstream/refused-scopes.ts'
import type { UpstreamServer } from '../../src/upstream/server.ts'
import { RESOURCE, SERVER } from '../support/discovery-upstream.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { REDIRECT, startScene } from './scene.ts'

const test = suite('auth/registrations')
const HOUR_MS = 3_600_000

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
  assert.is(await outcome(source.destination()), 'unavailable')
  upstream.knobs.isDown = false
  const asked = upstream.recorder.count()
  assert.is(await outcome(source.destination()), 'unavailable')
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
  } = await startScene(context, {
    wrap: (inner) => ({
      ...inner,
      async cas(key, expected, value, options) {
        if (!isTaken || !key.startsWith('lock/registered/')) return inner.cas(key, expected, value, options)
        // A minute goes by at each look.
        for (const each of clockOf) each.nowMs += 60_000
        return false
      },
    }),
  })
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

test('behind a process that was killed while it registered, the next one waits for seconds', async (context) => {
  const { upstream, clock, context: route } = await startScene(context)
  let answer: () => void = () => {}
  const hangs = new Promise<void>((resolve) => {
    answer = resolve
  })
  let killed: Promise<unknown> = Promise.resolve()
  await new Promise<void>((resolve) => {
    const http: ControlHttp = async (request) => {
      if (request.url.pathname !== '/register') return route.deps.http(request)
      resolve()
      await hangs
      throw new UpstreamError('unavailable', 'nobody is there to hear it')
    }
    killed = outcome(sourceOf({}, { ...route, deps: { ...route.deps, http } }).renew())
  })
  const begun = clock.nowMs
  // Faster than its heart beats.
  const time = setInterval(() => {
    clock.nowMs += 500
  }, 10)
  assert.is(await outcome(sourceOf({}, route).renew()), 'done')
  clearInterval(time)
  assert.ok(clock.nowMs - begun < 30_000, `${clock.nowMs - begun} ms`)
  assert.is(upstream.recorder.count('POST /register'), 1)
  answer()
  await killed
})

test('routes that look for the same server at once register there once', async (context) => {
  const { upstream, context: route } = await startScene(context)
  const sources = [sourceOf({}, route), sourceOf({}, route)]
  const found = await Promise.all(sources.map((source) => source.renew()))
  const [one, two] = found.map(({ server }) => server.clientId)
  assert.is(one, two)
  assert.is(upstream.recorder.count('POST /register'), 1)
})

test('a doubt about a client that was replaced meanwhile costs the new one nothing', async (context) => {
  const { upstream, clock, context: route } = await startScene(context)
  const [source, late] = [sourceOf({}, route), sourceOf({}, route)]
  const old = await source.renew()
  clock.nowMs += HOUR_MS
  const forgotten = new Set([old.server.clientId])
  upstream.knobs.forgets = (clientId) => forgotten.has(clientId)
  assert.is(await source.disowned(old), true)
  const current = await source.known()
  assert.is.not(current?.server.clientId, old.server.clientId)
  assert.ok(current)

  await source.proved(current)
  assert.is(await late.disowned(old), true, 'it is another one by now')
  assert.equal((await late.known())?.server.clientId, current.server.clientId)
  assert.is(upstream.recorder.count('POST /register'), 2)
})

test('what an old client was given proves nothing of its successor', async (context) => {
  const { upstream, clock, context: route } = await startScene(context)
  const source = sourceOf({}, route)
  const old = await source.renew()
  clock.nowMs += HOUR_MS
  upstream.knobs.forgets = () => true
  assert.is(await source.disowned(old), true)
  const current = await source.known()
  assert.ok(current)
  // Its code was redeemed before, and is noted only now.
  await source.proved(old)
  assert.is(await source.disowned(current), false, 'it never worked, so it is not replaced at once')
  assert.is(upstream.recorder.count('POST /register'), 2)
})

test('a client at the server that the upstream names now is looked at, however lately one at another server was', async (context) => {
  const { upstream, clock, context: route } = await startScene(context)
  const { knobs, origin } = upstream
  const source = sourceOf({}, route)
  const name = (issuer: string) => {
    knobs.documents[`${RESOURCE}/mcp`] = upstream.resourceDocument({ authorization_servers: [issuer] })
  }
  const other = `${origin}/other`
  knobs.documents[`${SERVER}/other`] = upstream.serverDocument({ issuer: other })
  name(other)
  const there = (await source.renew()).server.clientId
  clock.nowMs += HOUR_MS
  name(origin)
  await source.renew()

  knobs.forgets = (clientId) => clientId === there
  name(other)
  assert.is.not(
    (await source.renew()).server.clientId,
    there,
    'nobody is sent there as a client that is forgotten',
  )
})

test('a record that is noted as used is not written again the same day', async (context) => {
  const { upstream, clock, store, context: route } = await startScene(context)
  await sourceOf({}, route).renew()
  const key = `registered/${hashToken(JSON.stringify([upstream.origin, REDIRECT]))}`
  const version = async () => (await store.get(key))?.version
  const first = await version()
  clock.nowMs += HOUR_MS
  await sourceOf({}, route).known()
  assert.is(await version(), first)
  clock.nowMs += 24 * HOUR_MS
  await sourceOf({}, route).known()
  assert.is(await version(), Number(first) + 1)
})

test('a registration that gave tokens is forgotten after 90 days without use, as any other', async (context) => {
  const { upstream, clock, store, context: route } = await startScene(context)
  const source = sourceOf({}, route)
  await source.proved(await source.renew())
  const key = `registered/${hashToken(JSON.stringify([upstream.origin, REDIRECT]))}`
  assert.is((await store.get(key))?.version, 2, 'that it did is written down')
  clock.nowMs += 90 * 24 * HOUR_MS
  assert.is(await store.get(key), undefined)
})

test('the registration that is noted as used is the one at the server that the upstream names now', async (context) => {
  const { upstream, clock, store, context: route } = await startScene(context)
  const { knobs, origin } = upstream
  await sourceOf({}, route).renew()
  const other = `${origin}/other`
  knobs.documents[`${SERVER}/other`] = upstream.serverDocument({ issuer: other })
  knobs.documents[`${RESOURCE}/mcp`] = upstream.resourceDocument({ authorization_servers: [other] })
  const { redirectUri } = (await sourceOf({}, route).renew()).server
  assert.is.not(redirectUri, REDIRECT)
  const version = async (issuer: string, callback: string) =>
    (await store.get(`registered/${hashToken(JSON.stringify([issuer, callback]))}`))?.version
  const before = [await version(other, redirectUri), await version(origin, REDIRECT)]
  clock.nowMs += 25 * HOUR_MS
  await sourceOf({}, route).known()
  assert.equal(
    [await version(other, redirectUri), await version(origin, REDIRECT)],
    [Number(before[0]) + 1, before[1]],
  )
})

test('a service whose token endpoint is gone looks whether its server has moved', async (context) => {
  const { upstream, context: route } = await startScene(context)
  const { documents } = upstream.knobs
  documents[SERVER] = { ...documents[SERVER], grant_types_supported: ['client_credentials'] }
  upstream.knobs.registration = { client_secret: 'given', token_endpoint_auth_method: 'client_secret_post' }
  const source = serviceSource({}, 'client_credentials', route)
  const destination = await source.destination()
  const looks = upstream.recorder.count('/mcp')
  const gone = async () => {
    throw new UpstreamError('unavailable', 'gone')
  }
  assert.is(await outcome(source.request(destination, gone)), 'unavailable')
  await upstream.recorder.arrival('/mcp', looks + 1)
})

test('sec-C12: endpoints that move to another port of their host have moved', async (context) => {
  const { upstream, context: route } = await startScene(context)
  const source = sourceOf({}, route)
  await source.renew()
  upstream.knobs.documents[SERVER] = upstream.serverDocument({ token_endpoint: 'http://127.0.0.1:9/token' })
  assert.is(await outcome(source.renew()), 'bad_response')
  assert.is((await source.known())?.server.tokenEndpoint, `${upstream.origin}/token`)
  upstream.knobs.documents[SERVER] = upstream.serverDocument()
  assert.is(await outcome(source.renew()), 'done')
})

test('where a server would be if it said nothing pins nothing: what it says later counts', async (context) => {
  const { upstream, context: route } = await startScene(context)
  const { documents } = upstream.knobs
  Object.assign(upstream.knobs, { documents: {}, challenge: {} })
  const source = sourceOf({}, route)
  assert.is((await source.renew()).server.tokenEndpoint, `${upstream.origin}/token`)
  const tokenEndpoint = 'https://tokens.example/token'
  upstream.knobs.documents = {
    ...documents,
    [SERVER]: upstream.serverDocument({ token_endpoint: tokenEndpoint }),
  }
  assert.is((await source.renew()).server.tokenEndpoint, tokenEndpoint)
})

const GRANTS = ['authorization_code', 'refresh_token']
const ISSUER = 'https://as.example'

/** Registrations at one server, which counts the clients that it makes. */
async function registrationsOf(context: TestContext) {
  const { clock, store, context: route } = await startScene(context)
  const made: (readonly string[])[] = []
  const registrations = createRegistrations({ redirectUri: REDIRECT, grantTypes: GRANTS }, route.deps)
  const register = async (scopes: readonly string[], secretExpiresAtMs?: number) => {
    made.push(scopes)
    const secret = { clientSecret: undefined, authMethod: 'none', secretExpiresAtMs } as const
    return { clientId: `client-${made.length}`, ...secret }
  }
  const wanting = (scopes: readonly string[], says?: ScopeVerdict, least = scopes) => ({
    scopes,
    least,
    authMethod: undefined,
    takes: says && (async () => says),
  })
  return { clock, store, made, registrations, register, wanting }
}

test('what is wanted may change as often as it likes: a server is registered at a few times, and then once in ten minutes', async (context) => {
  const { clock, made, registrations, register, wanting } = await registrationsOf(context)
  for (let n = 0; n < 20; n += 1) await registrations.at(ISSUER, wanting([`scope-${n}`]), register)
  assert.is(made.length, 6)
  clock.nowMs += 600_000
  await registrations.at(ISSUER, wanting(['another']), register)
  assert.is(made.length, 7)
  assert.ok((made.at(-1) ?? []).length <= 51)
})

test('a registration whose secret has ended is followed by one for all that it was for', async (context) => {
  const { clock, made, registrations, register, wanting } = await registrationsOf(context)
  const ending = (scopes: readonly string[]) => register(scopes, clock.nowMs + HOUR_MS)
  await registrations.at(ISSUER, wanting(['a']), ending)
  await registrations.at(ISSUER, wanting(['a', 'b']), ending)
  clock.nowMs += HOUR_MS
  await registrations.at(ISSUER, wanting(['a']), register)
  assert.equal(made, [['a'], ['a', 'b'], ['a', 'b']])
})

test('a client that the server takes the scopes of replaces the one before; refused or not judged, that one stays', async (context) => {
  for (const [says, kept, again] of [
    ['taken', 'client-2', 'client-2'],
    ['refused', 'client-1', 'client-1'],
    ['unknown', 'client-1', 'client-3'],
  ] as const) {
    const { made, registrations, register, wanting } = await registrationsOf(context)
    const server = { issuer: ISSUER, clientId: 'client-1' } as UpstreamServer
    await registrations.at(ISSUER, wanting(['a']), register)
    assert.is((await registrations.at(ISSUER, wanting(['a', 'b'], says), register)).clientId, kept, says)
    if (says !== 'taken') assert.is(await registrations.isNarrower(server, ['a', 'b']), says === 'unknown')
    if (again === 'client-3') await registrations.at(ISSUER, wanting(['a', 'b'], 'taken'), register)
    assert.is((await registrations.held(ISSUER))?.clientId, again)
    assert.is(made.length, again === 'client-3' ? 3 : 2)
  }
})

test('a scope that is merely possible, or was once, costs nobody the client where the server registers nobody for it', async (context) => {
  const { clock, made, registrations, register, wanting } = await registrationsOf(context)
  const choosy = (more?: number) => (scopes: readonly string[]) => {
    if (!scopes.includes('odd')) return register(scopes, more)
    made.push(scopes)
    return Promise.reject(new UpstreamError('bad_response', 'not registered'))
  }
  const first = await registrations.at(ISSUER, wanting(['a', 'odd'], undefined, ['a']), choosy())
  assert.equal(made, [['a', 'odd'], ['a']])
  assert.equal(await registrations.at(ISSUER, wanting(['a', 'odd'], undefined, ['a']), choosy()), first)
  assert.is(made.length, 2, 'and not at each look')

  const other = 'https://other.example'
  await registrations.at(other, wanting(['a', 'odd']), (scopes) => register(scopes, clock.nowMs + HOUR_MS))
  clock.nowMs += HOUR_MS
  await registrations.at(other, wanting(['a']), choosy())
  assert.equal(made.slice(-2), [['a', 'odd'], ['a']])
  assert.is(
    await outcome(registrations.at('https://third.example', wanting(['odd']), choosy())),
    'bad_response',
  )
})

test('that a client was given tokens is noted in the end, also where the record was changed at that moment', async (context) => {
  const { store, made, registrations, register, wanting } = await registrationsOf(context)
  const { clientId } = await registrations.at(ISSUER, wanting(['a']), register)
  const server = { issuer: ISSUER, clientId } as UpstreamServer
  const key = `registered/${hashToken(JSON.stringify([ISSUER, REDIRECT]))}`
  const entry = await store.get(key)
  // Both read before either writes.
  await Promise.all([registrations.prove(server), store.cas(key, entry?.version ?? 0, entry?.value)])
  await registrations.prove(server)
  assert.is((await registrations.at(ISSUER, wanting(['b']), register)).clientId, clientId)
  assert.is(made.length, 1)
})

test('who comes back late, after another process has registered, does not replace the client of that one', async (context) => {
  const { clock, registrations, register, wanting } = await registrationsOf(context)
  let others: unknown
  const late = registrations.at(ISSUER, wanting(['a']), async (scopes) => {
    // Stopped for so long that its lock is anybody's.
    clock.nowMs += 120_000
    others = await registrations.at(ISSUER, wanting(['a']), register)
    return register(scopes)
  })
  assert.is(await outcome(late), 'unavailable')
  assert.equal(await registrations.held(ISSUER), others)
})

test.run()
