// The client that the gateway is at an upstream authorization server stays the same while it works: links belong to it, and
// another one signs everybody out. A server that keeps it to the scopes that it registered for makes another one needed.
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import type { Subject } from '../../src/slots.ts'
import { Client, callMcp, tokensOf } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import { type DiscoveryUpstream, SERVER } from '../support/discovery-upstream.ts'
import { type TestGateway, USER } from '../support/gateway.ts'
import { intercept } from '../support/intercept.ts'
import { startOidc } from '../support/oidc.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import {
  attempt,
  clientsAt,
  connect,
  discoverable,
  gatewayFor,
  linkOf,
  publicly,
  publish,
  published,
  registrations,
  route,
  succeeds,
} from './discovering.ts'

const test = suite('flow/upstream-same-client')

const SUBJECT = 'users/gateway_user' as Subject
const HOSTED = 'https://www.example.com/gateway.json'
const DOCUMENTS = { client_id_metadata_document_supported: true }
const SECOND_MS = 1000
const HOUR_MS = 60 * 60 * SECOND_MS

const hosted = (upstream: DiscoveryUpstream, more = '') =>
  route(
    upstream,
    `{ type: authorization_code, authorization_server: { client_id_metadata_url: "${HOSTED}" ${more} } }`,
  )

function clock() {
  let offsetMs = 0
  return {
    now: () => Date.now() + offsetMs,
    forward: (ms: number) => {
      offsetMs += ms
    },
  }
}

/** Somebody at the gateway, with tokens of it. */
async function personAt(gateway: TestGateway) {
  const client = await Client.register(gateway.url)
  const trip = client.trip({ resource: `${gateway.url}/demo` })
  const { callback } = await signIn(newBrowser(), trip.url, USER)
  const first = tokensOf(await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier))
  let { refresh } = first
  return {
    call: async () => (await callMcp(`${gateway.url}/demo`, first.access)).status,
    refresh: async () => {
      const answer = await client.refresh(refresh)
      if (answer.status === 200) refresh = tokensOf(answer).refresh
      return answer.status
    },
  }
}

/** Somebody opens a sign-in and does not come back: the server is looked up. */
async function clientOfNext(gateway: TestGateway): Promise<string | null> {
  const request = { requested: [], relink: false }
  const { location } = await linkOf(gateway).begin('users/other' as Subject, 's', request)
  return new URL(location).searchParams.get('client_id')
}

/** A refresh meets a 503, and the server is looked up in the background. */
async function doubted(
  upstream: DiscoveryUpstream,
  time: ReturnType<typeof clock>,
  call: () => Promise<number>,
) {
  let isInTrouble = true
  intercept(upstream.server, ({ url }, response) => {
    if (url !== '/token' || !isInTrouble) return false
    response.writeHead(503).end()
    return true
  })
  const before = upstream.recorder.count(SERVER)
  time.forward(HOUR_MS)
  assert.is(await call(), 503)
  while (upstream.recorder.count(SERVER) === before) await delay(10)
  // What follows the look-up is over long before.
  await delay(300)
  isInTrouble = false
  time.forward(11 * SECOND_MS)
}

const LOOKED_UP = ['another sign-in', 'a doubt'] as const

for (const how of LOOKED_UP) {
  test(`spec-U5: a server that begins to take metadata documents, noticed by ${how}, keeps the client that registered there`, async (context) => {
    for (const registers of [true, false]) {
      const upstream = await discoverable(context)
      upstream.knobs.lifetimeSeconds = 600
      const time = clock()
      const yaml = `tokens: { access_ttl: 12h }\n${hosted(upstream)}`
      const gateway = await gatewayFor(context, yaml, {}, time.now)
      const person = await personAt(gateway)
      const [client = ''] = clientsAt(upstream, '/authorize')
      assert.match(client ?? '', /^client-/)

      publish(upstream, { ...DOCUMENTS, ...(!registers && { registration_endpoint: undefined }) })
      if (how === 'a doubt') await doubted(upstream, time, person.call)
      else assert.is(await clientOfNext(gateway), client)
      assert.equal([await person.call(), await person.refresh()], [200, 200])
      await connect(gateway)
      assert.equal([...new Set(clientsAt(upstream, 'POST /token'))], [client])
      assert.is(registrations(upstream).length, 1)
    }
  })

  test(`spec-U5: a server that no longer says that it takes metadata documents, noticed by ${how}, is known by the document while that works`, async (context) => {
    const upstream = await discoverable(context)
    upstream.knobs.lifetimeSeconds = 600
    publish(upstream, DOCUMENTS)
    const time = clock()
    const yaml = `tokens: { access_ttl: 12h }\n${hosted(upstream)}`
    const gateway = await gatewayFor(context, yaml, {}, time.now)
    const person = await personAt(gateway)

    publish(upstream, {})
    if (how === 'a doubt') await doubted(upstream, time, person.call)
    else assert.is(await clientOfNext(gateway), HOSTED)
    assert.equal([await person.call(), await person.refresh()], [200, 200])
    assert.equal(registrations(upstream), [])

    // Now it means it.
    upstream.knobs.forgets = (clientId) => clientId === HOSTED
    time.forward(2 * HOUR_MS)
    assert.match(
      (await clientOfNext(gateway)) ?? '',
      /^client-/,
      'nobody is sent there as a client it refuses',
    )
    assert.is(await person.call(), 401)
    await succeeds(gateway.url)
    assert.is(registrations(upstream).length, 1)
  })
}

test('a server that takes documents, and could not read this one for once, keeps it', async (context) => {
  const upstream = await discoverable(context)
  const time = clock()
  publish(upstream, { ...DOCUMENTS, registration_endpoint: undefined })
  const gateway = await gatewayFor(context, hosted(upstream, ', registration: [dynamic, cimd]'), {}, time.now)
  await succeeds(gateway.url)
  publish(upstream, DOCUMENTS)
  upstream.knobs.forgets = () => true
  time.forward(2 * HOUR_MS)
  assert.is(await clientOfNext(gateway), HOSTED)
  upstream.knobs.forgets = () => false
  assert.equal([await linkOf(gateway).isGood(SUBJECT, []), registrations(upstream).length], [true, 0])
})

test('the gateway’s own document stays published while it is what the gateway is known by', async (context) => {
  const upstream = await discoverable(context)
  publish(upstream, DOCUMENTS)
  const gateway = await gatewayFor(context, publicly(route(upstream)))
  await connect(gateway)
  publish(upstream, {})
  await connect(gateway)
  const { status } = await published(gateway, '/.well-known/oauth-client/demo')
  assert.equal([status, await linkOf(gateway).isGood(SUBJECT, [])], [200, true])
})

test('the ways are gone through anew by an edited file, and where the server has forgotten its client', async (context) => {
  for (const because of ['an edit', 'it forgot']) {
    const upstream = await discoverable(context)
    upstream.knobs.registration = { client_secret: 's' }
    const time = clock()
    const gateway = await gatewayFor(
      context,
      hosted(upstream, because === 'an edit' ? ', registration: [dynamic]' : ''),
      {},
      time.now,
    )
    await connect(gateway)
    publish(upstream, DOCUMENTS)
    assert.match((await clientOfNext(gateway)) ?? '', /^client-/)
    if (because === 'an edit') await edit(gateway, hosted(upstream))
    else upstream.knobs.forgets = (clientId) => clientId !== HOSTED
    time.forward(2 * HOUR_MS)
    assert.is(await clientOfNext(gateway), HOSTED, because)
    await connect(gateway)
    assert.is(registrations(upstream).length, 1)
  }
})

async function edit(gateway: TestGateway, yaml: string): Promise<void> {
  await gateway.write(yaml)
  assert.is((await gateway.follower.reload()).kind, 'applied')
}

/** oidc-provider refuses to clients what they did not register for. */
async function strictServer({ after }: TestContext) {
  const oidc = await startOidc()
  after(() => oidc.close())
  const asked = () =>
    oidc.recorder.to('POST /register').map(({ body }) => (JSON.parse(body) as { scope?: string }).scope)
  const strictRoute = (scope: string) =>
    document(`\n  demo: { upstream: ${oidc.url}, auth: { type: authorization_code, scope: "${scope}" } }\n`)
  return { oidc, asked, strictRoute }
}

test('a server that keeps clients to the scopes they registered for: an edit of the scope is registered for, once', async (context) => {
  const { asked, strictRoute } = await strictServer(context)
  const gateway = await gatewayFor(context, strictRoute('tools'))
  await succeeds(gateway.url)
  await edit(gateway, strictRoute('tools openid'))
  await succeeds(gateway.url)
  await succeeds(gateway.url)
  assert.equal(asked(), ['tools offline_access', 'tools offline_access openid'])

  await edit(gateway, strictRoute('openid'))
  await succeeds(gateway.url)
  assert.is(asked().length, 2, 'less is no reason')
})

test('such a server, and a scope that it registers nobody for: whoever is connected loses nothing by the attempt', async (context) => {
  const upstream = await discoverable(context)
  intercept(upstream.server, (request, response) => {
    const { url = '' } = request
    const asked = new URL(url, upstream.origin).searchParams
    const isRefused = asked.get('scope')?.includes('nonsense') === true
    if (url === '/register' && upstream.recorder.count('/register') > 1)
      request.resume().on('end', () => response.writeHead(400).end())
    else if (!isRefused) return false
    else response.writeHead(303, { location: refusal(asked) }).end()
    return true
  })
  const withScope = (scope: string) => route(upstream, `{ type: authorization_code, scope: "${scope}" }`)
  const gateway = await gatewayFor(context, withScope('a'))
  const person = await personAt(gateway)
  await edit(gateway, withScope('a nonsense'))
  const { error, description } = await attempt(gateway.url)
  assert.equal([error, description], ['server_error', 'the upstream refused the sign-in'])
  assert.is(registrations(upstream).at(-1)?.scope, 'a nonsense')
  await edit(gateway, withScope('a'))
  assert.equal([await person.call(), await person.refresh()], [200, 200])
  await succeeds(gateway.url)
  assert.is(new Set(clientsAt(upstream, 'POST /token')).size, 1)
})

test('such a server, and a demand of the upstream: signing in again heals it', async (context) => {
  const { oidc, asked, strictRoute } = await strictServer(context)
  let demands = true
  intercept(oidc.server, ({ url, headers }, response) => {
    if (url !== '/mcp' || headers.authorization === undefined || !demands) return false
    const challenge = 'Bearer error="insufficient_scope", scope="openid"'
    response.writeHead(403, { 'www-authenticate': challenge }).end()
    return true
  })
  const gateway = await gatewayFor(context, strictRoute('tools'))
  const person = await personAt(gateway)
  assert.is(await person.call(), 403)
  demands = false
  await succeeds(gateway.url)
  assert.equal(asked(), ['tools offline_access', 'tools offline_access openid'])
})

test('such a server, and two routes that want other scopes of it: both work, and whoever is connected first stays connected', async (context) => {
  const { oidc, asked } = await strictServer(context)
  const routes = (['demo', 'other'] as const).map(
    (name, index) =>
      `\n  ${name}: { upstream: ${oidc.url}, auth: { type: authorization_code, authorization_server: as, scope: "${['tools', 'openid'][index]}" } }`,
  )
  const yaml = document(...routes, '\n').replace(
    'routes:',
    `authorization_servers:\n  as: { issuer: "${oidc.issuer}" }\nroutes:`,
  )
  const gateway = await gatewayFor(context, yaml)
  await gateway.logged('registered at the upstream', 2)
  const person = await personAt(gateway)
  const link = gateway.app.current().routes.get('other')?.auth.link
  const request = { requested: [], relink: true }
  const begun = await link?.begin('users/other' as Subject, 's', request)
  const { headers } = await fetch(begun?.location ?? '', { redirect: 'manual' })
  assert.not.match(headers.get('location') ?? '', 'error=')
  assert.equal([await person.call(), await person.refresh()], [200, 200])
  assert.is(asked().length, 2)
})

test('such a server, and a scope that clients may ask for: it is registered for from the start, so nobody who wishes for it signs others out', async (context) => {
  const { oidc, asked } = await strictServer(context)
  const yaml = document(
    `\n  demo: { upstream: ${oidc.url}, auth: { type: authorization_code, scope: tools }, scopes: { optional: [openid] } }\n`,
  )
  const gateway = await gatewayFor(context, yaml)
  const person = await personAt(gateway)
  const wish = { requested: ['openid'], relink: false }
  await linkOf(gateway).begin('users/other' as Subject, 's', wish)
  assert.equal([await person.call(), await person.refresh()], [200, 200])
  assert.equal(asked(), ['tools offline_access openid'])
})

for (const status of [403, 429, 503])
  test(`a demand that the server refuses, and a registration endpoint that answers ${status} by now: the person goes on without it`, async (context) => {
    const upstream = await discoverable(context)
    let demands = true
    intercept(upstream.server, (request, response) => {
      const { pathname, searchParams: asked } = new URL(request.url ?? '', upstream.origin)
      const challenge = 'Bearer error="insufficient_scope", scope="nope"'
      if (pathname === '/register' && upstream.recorder.count('/register') > 1)
        request.resume().on('end', () => response.writeHead(status).end())
      else if (pathname === '/mcp' && demands && request.headers.authorization !== undefined)
        response.writeHead(403, { 'www-authenticate': challenge }).end()
      else if (pathname === '/authorize' && asked.get('scope')?.includes('nope'))
        response.writeHead(303, { location: refusal(asked) }).end()
      else return false
      return true
    })
    const gateway = await gatewayFor(context, route(upstream, '{ type: authorization_code, scope: read }'))
    const person = await personAt(gateway)
    assert.is(await person.call(), 403)
    demands = false
    await succeeds(gateway.url)
    await succeeds(gateway.url)
    assert.is(registrations(upstream).length, 2)
    assert.is(await person.call(), 200)
    assert.is(new Set(clientsAt(upstream, 'POST /token')).size, 1)
  })

test('a server that refuses the scopes, and then does not say whether another client may have them: who is connected stays so', async (context) => {
  const upstream = await discoverable(context)
  intercept(upstream.server, (request, response) => {
    const { pathname, searchParams: asked } = new URL(request.url ?? '', upstream.origin)
    if (pathname !== '/authorize' || !asked.get('scope')?.includes('b')) return false
    if (registrations(upstream).length > 1) response.writeHead(429).end()
    else response.writeHead(303, { location: refusal(asked) }).end()
    return true
  })
  const file = (scope: string) => route(upstream, `{ type: authorization_code, scope: "${scope}" }`)
  const gateway = await gatewayFor(context, file('a'))
  const person = await personAt(gateway)
  await edit(gateway, file('a b'))
  await clientOfNext(gateway)
  assert.is(registrations(upstream).length, 2)
  await edit(gateway, file('a'))
  assert.equal([await person.call(), await person.refresh()], [200, 200])
})

test('a server that is busy for once when it is asked about the scopes is asked again half a minute later', async (context) => {
  const upstream = await discoverable(context)
  const time = clock()
  let isBusy = false
  intercept(upstream.server, (request, response) => {
    const { pathname, searchParams: asked } = new URL(request.url ?? '', upstream.origin)
    const isOld = asked.get('client_id') === clientsAt(upstream, 'POST /token')[0]
    if (pathname !== '/authorize' || !asked.get('scope')?.includes('b')) return false
    if (isBusy) response.writeHead(503).end()
    else if (isOld) response.writeHead(303, { location: refusal(asked) }).end()
    else return false
    return true
  })
  const file = (scope: string) => route(upstream, `{ type: authorization_code, scope: "${scope}" }`)
  const gateway = await gatewayFor(context, file('a'), {}, time.now)
  await connect(gateway)
  await edit(gateway, file('a b'))
  isBusy = true
  const before = await clientOfNext(gateway)
  isBusy = false
  assert.is(await clientOfNext(gateway), before)
  time.forward(31 * SECOND_MS)
  assert.is.not(await clientOfNext(gateway), before)
  await succeeds(gateway.url)
})

test('a demand that the server refuses to every client: the wider registration is of no use, and whoever is connected stays so', async (context) => {
  const upstream = await discoverable(context)
  const time = clock()
  let demands = true
  intercept(upstream.server, ({ url = '', headers }, response) => {
    const { pathname, searchParams: asked } = new URL(url, upstream.origin)
    const isRefused = pathname === '/authorize' && asked.get('scope')?.split(' ').includes('nope') === true
    const challenge = 'Bearer error="insufficient_scope", scope="nope"'
    if (pathname === '/mcp' && demands && headers.authorization !== undefined)
      response.writeHead(403, { 'www-authenticate': challenge }).end()
    else if (isRefused) response.writeHead(303, { location: refusal(asked) }).end()
    else return false
    return true
  })
  const file = (scope: string) => route(upstream, `{ type: authorization_code, scope: "${scope}" }`)
  const gateway = await gatewayFor(context, file('read'), {}, time.now)
  const [person, other] = [await personAt(gateway), await personAt(gateway)]
  assert.is(await person.call(), 403)
  demands = false
  const scopes = () => registrations(upstream).map(({ scope }) => scope)
  for (let round = 0; round < 3; round += 1) {
    await succeeds(gateway.url)
    assert.equal([await other.call(), await other.refresh()], [200, 200])
  }
  assert.equal(scopes(), ['read', 'read nope'], 'tried once')
  assert.is(new Set(clientsAt(upstream, 'POST /token')).size, 1)

  await edit(gateway, file('read nope'))
  const { error } = await attempt(gateway.url)
  assert.is(error, 'server_error')
  assert.equal([await other.call(), scopes().length], [200, 2], 'not tried again today')
})

function refusal(asked: URLSearchParams): string {
  const back = new URL(asked.get('redirect_uri') ?? '')
  back.searchParams.set('error', 'invalid_scope')
  back.searchParams.set('state', asked.get('state') ?? '')
  return back.href
}

test('a server that lets clients ask for more than they registered for keeps its client', async (context) => {
  const upstream = await discoverable(context)
  const withScope = (scope: string) => route(upstream, `{ type: authorization_code, scope: "${scope}" }`)
  const gateway = await gatewayFor(context, withScope('a'))
  await succeeds(gateway.url)
  await edit(gateway, withScope('a b'))
  await succeeds(gateway.url)
  assert.is(new Set(clientsAt(upstream, 'POST /token')).size, 1)
  assert.equal(
    registrations(upstream).map(({ scope }) => scope),
    ['a'],
  )
})

test('invalid_scope that a browser brings costs the gateway nothing', async (context) => {
  const upstream = await discoverable(context)
  const gateway = await gatewayFor(context, route(upstream, '{ type: authorization_code, scope: a }'))
  const { access } = await succeeds(gateway.url)
  const link = linkOf(gateway)
  const { pending } = await link.begin(SUBJECT, 's', { requested: [], relink: true })
  const answer = new URLSearchParams({ error: 'invalid_scope', state: 's' })
  await link.finish(SUBJECT, pending, answer).then(assert.unreachable, () => {})
  await clientOfNext(gateway)
  assert.is(registrations(upstream).length, 1)
  assert.is((await callMcp(`${gateway.url}/demo`, access)).status, 200)
})

test.run()
