// What a client that stays for days goes through, with both SDKs as they are: expiry in the middle of work, many
// processes on one token, answers that get lost, a thief, an upstream that changes its mind, the end of the family.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { auth as authV2, type FetchLike } from '@modelcontextprotocol/client'
import { auth as authV1 } from '@modelcontextprotocol/sdk/client/auth.js'
import * as assert from 'uvu/assert'
import { basic, Client, callMcp, postForm, tokensOf } from '../security/client.ts'
import { obtainTokens } from '../security/world.ts'
import { type ConnectOptions, connectV1, connectV2 } from '../support/clients.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { MemoryProvider } from '../support/oauth-provider.ts'
import { type Oidc, startOidc } from '../support/oidc.ts'
import { startSink } from '../support/sink.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, oidcRoute } from '../support/yaml.ts'

const test = suite('durable/clients')

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const person = { ...USER, upstreamName: 'ann' }

interface Sdk {
  connect(url: string, options: ConnectOptions): ReturnType<typeof connectV1 | typeof connectV2>
  /** Uses the refresh token now, whatever the transport thinks. */
  refresh(provider: MemoryProvider, serverUrl: string, fetchFn?: FetchLike): Promise<string>
}
const SDKS: Record<string, Sdk> = {
  'SDK v1': {
    connect: connectV1,
    refresh: (provider, serverUrl, fetchFn) => authV1(provider, { serverUrl, ...(fetchFn && { fetchFn }) }),
  },
  'SDK v2': {
    connect: (url, options) => connectV2(url, { ...options, mode: 'auto' }),
    refresh: (provider, serverUrl, fetchFn) => authV2(provider, { serverUrl, ...(fetchFn && { fetchFn }) }),
  },
}

/** One gateway before one upstream whose own tokens outlive every test. */
async function world(context: TestContext, more = '') {
  const oidc = await startOidc({ accessTokenTtlSeconds: 10 * 86_400 })
  context.after(() => oidc.close())
  let offsetMs = 0
  const yaml = document(oidcRoute('oidc', oidc)) + more
  const gateway = await startGateway({ yaml, now: () => Date.now() + offsetMs })
  context.after(() => gateway.close())
  const forward = (ms: number) => {
    offsetMs += ms
  }
  return { oidc, gateway, url: `${gateway.url}/oidc`, forward }
}

/** Another process of the same application: it starts with what was on the disk. */
function copyOf(provider: MemoryProvider): MemoryProvider {
  const copy = new MemoryProvider({
    person: provider.person,
    browser: provider.browser,
    redirectUrl: provider.redirectUrl,
    ...(provider.clientInfo && { clientInformation: provider.clientInfo }),
  })
  copy.current = provider.current
  return copy
}

const pairOf = ({ current }: MemoryProvider) => [current?.access_token, current?.refresh_token]

for (const [name, sdk] of Object.entries(SDKS)) {
  test(`${name}: calls go on over expiry after expiry, without a sign-in, and side by side`, async (context) => {
    const { url, forward } = await world(context)
    const session = await sdk.connect(url, { person })
    context.after(() => session.close())
    const { provider } = session
    for (const hour of [1, 2, 3]) {
      const before = pairOf(provider)
      forward(HOUR_MS)
      const calls = Array.from({ length: 8 }, (_, n) => session.call('add', { a: n, b: hour }))
      assert.equal(
        await Promise.all(calls),
        calls.map((_, n) => String(n + hour)),
      )
      assert.is.not(pairOf(provider)[0], before[0])
    }
    assert.is(provider.signIns.length, 1)
    assert.equal(provider.invalidated, [])
  })

  test(`${name}: sec-T5: ten processes that share one refresh token get one successor, and all go on`, async (context) => {
    const { url, forward } = await world(context)
    const session = await sdk.connect(url, { person })
    context.after(() => session.close())
    const before = pairOf(session.provider)
    const others = Array.from({ length: 10 }, () => copyOf(session.provider))
    forward(HOUR_MS)
    const results = await Promise.all(others.map((other) => sdk.refresh(other, url)))
    assert.equal(results, Array(10).fill('AUTHORIZED'))
    const [first, ...rest] = others.map(pairOf)
    assert.is.not(first?.[1], before[1])
    for (const pair of rest) assert.equal(pair, first)
    assert.is((await callMcp(url, first?.[0])).status, 200)
    assert.is(await session.call('add', { a: 1, b: 1 }), '2', 'and so does the one that had it first')
    assert.equal(pairOf(session.provider), first)
    assert.is(session.provider.signIns.length, 1)
  })

  test(`${name}: sec-T6: an answer to a refresh that never arrived is given again`, async (context) => {
    const { url } = await world(context)
    const session = await sdk.connect(url, { person })
    context.after(() => session.close())
    const unlucky = new (class extends MemoryProvider {
      // A process that ends here neither saves anything nor asks a person.
      override redirectToAuthorization(): Promise<void> {
        throw new Error('the process ended')
      }
    })({ person, ...(session.provider.clientInfo && { clientInformation: session.provider.clientInfo }) })
    unlucky.current = session.provider.current
    const lost: unknown[] = []
    const losing: FetchLike = async (target, init) => {
      const answer = await fetch(target, init)
      if (!String(target).endsWith('/token')) return answer
      lost.push(await answer.json())
      throw new TypeError('fetch failed')
    }
    await sdk.refresh(unlucky, url, losing).catch(() => 'ended')
    assert.is(lost.length, 1)
    assert.equal(unlucky.received, [])

    await session.refresh()
    const [{ access_token, refresh_token }] = lost as [{ access_token: string; refresh_token: string }]
    assert.equal(pairOf(session.provider), [access_token, refresh_token])
    assert.is(await session.call('add', { a: 2, b: 3 }), '5')
    assert.is(session.provider.signIns.length, 1)
  })

  test(`${name}: sec-T4: a thief who comes after the grace ends the family, and its owner signs in once more`, async (context) => {
    const { url, gateway, forward } = await world(context)
    const session = await sdk.connect(url, { person })
    context.after(() => session.close())
    const { refresh_token: stolen = '' } = session.provider.current ?? {}
    const { client_id: clientId = '' } = session.provider.clientInfo ?? {}
    await session.refresh()
    forward(MINUTE_MS + 1)
    await session.refresh()
    const newest = session.provider.current
    const form = { grant_type: 'refresh_token', client_id: clientId }
    const theft = await postForm(`${gateway.url}/token`, { ...form, refresh_token: stolen })
    assert.equal([theft.status, theft.body.error], [400, 'invalid_grant'])
    assert.is((await callMcp(url, newest?.access_token)).status, 401)
    const after = await postForm(`${gateway.url}/token`, { ...form, refresh_token: newest?.refresh_token })
    assert.equal([after.status, after.body.error], [400, 'invalid_grant'])
    await signsInAgain(context, sdk, url, session)
  })

  test(`${name}: sec-T11: after a revocation it is signed out everywhere, and signs in again by itself`, async (context) => {
    const { url, gateway } = await world(context)
    const session = await sdk.connect(url, { person })
    context.after(() => session.close())
    const { client_id: id = '' } = session.provider.clientInfo ?? {}
    const { refresh_token: token } = session.provider.current ?? {}
    assert.is((await postForm(`${gateway.url}/revoke`, { client_id: id, token })).status, 200)
    await signsInAgain(context, sdk, url, session)
  })

  test(`${name}: sec-T8: the lifetimes of the configuration hold: idle too long, or in use for as long as it may be`, async (context) => {
    const lifetimes = 'tokens: { access_ttl: 10m, refresh_ttl: 1h, refresh_max: 3h }\n'
    const { url, forward } = await world(context, lifetimes)
    const session = await sdk.connect(url, { person })
    context.after(() => session.close())
    for (let minutes = 0; minutes < 150; minutes += 50) {
      forward(50 * MINUTE_MS)
      assert.is(await session.call('add', { a: 1, b: 1 }), '2')
    }
    assert.is(session.provider.signIns.length, 1, 'busy for two and a half hours')
    forward(30 * MINUTE_MS + 1)
    const again = await signsInAgain(context, sdk, url, session)
    forward(HOUR_MS + 1)
    await signsInAgain(context, sdk, url, again)
  })

  test(`${name}: sec-T14: an upstream that refuses its own token sends nobody to its own sign-in`, async (context) => {
    const evil = await startSink()
    context.after(() => evil.close())
    const { url, gateway, oidc } = await world(context)
    const session = await sdk.connect(url, { person })
    context.after(() => session.close())
    const challenge = `Bearer error="invalid_token", resource_metadata="${evil.url}resource", scope="everything"`
    const restore = answerInstead(oidc, 'POST /mcp', (response) =>
      response.writeHead(401, { 'www-authenticate': challenge, link: `<${evil.url}>` }).end('go elsewhere'),
    )
    const { status, headers, text } = await callMcp(url, session.provider.current?.access_token)
    assert.is(status, 401)
    assert.not.match(JSON.stringify([...headers]) + text, /everything|elsewhere|127\.0\.0\.1/)
    assert.match(headers.get('www-authenticate') ?? '', `resource_metadata="${gateway.url}/.well-known/`)
    restore()
    const again = await signsInAgain(context, sdk, url, session)
    assert.ok(again.provider.signIns.every(({ authorizationUrl }) => authorizationUrl.origin === gateway.url))
    evil.assertUntouched()
  })
}

type Session = Awaited<ReturnType<Sdk['connect']>>

/** The next call asks the person, and after that all is well. */
async function signsInAgain(context: TestContext, sdk: Sdk, url: string, before: Session): Promise<Session> {
  const { provider } = before
  const signIns = provider.signIns.length
  const failed = await before.call('add', { a: 1, b: 1 }).then(
    () => 'answered',
    (error: Error) => error.name,
  )
  assert.is.not(failed, 'answered')
  // The call has been at the browser, as SDKs do it; whoever calls finishes that sign-in, or begins another.
  assert.ok(provider.signIns.length > signIns)
  await before.close()
  provider.current = undefined
  const again = await sdk.connect(url, { provider })
  context.after(() => again.close())
  assert.is(await again.call('add', { a: 3, b: 4 }), '7')
  return again
}

/** Answers such requests in the server's place until it is restored. */
function answerInstead(
  { server }: Oidc,
  wanted: string,
  answer: (response: ServerResponse) => void,
): () => void {
  type Listener = (request: IncomingMessage, response: ServerResponse) => void
  const own = server.listeners('request') as Listener[]
  server.removeAllListeners('request')
  server.on('request', (request, response) => {
    if (`${request.method} ${request.url}` === wanted) return answer(response)
    for (const listener of own) listener(request, response)
  })
  return () => {
    server.removeAllListeners('request')
    for (const listener of own) server.on('request', listener)
  }
}

test('sec-T11: revoking one access token ends that one; the others of its family and its refresh token go on', async (context) => {
  const { url, gateway } = await world(context)
  const client = await Client.register(gateway.url)
  const { tokens } = await obtainTokens({ client, person })
  const next = await client.refresh(tokens.refresh)
  const newer = String(next.body.access_token)
  const revoked = await postForm(`${gateway.url}/revoke`, { client_id: client.id, token: tokens.access })
  assert.is(revoked.status, 200)
  assert.is((await callMcp(url, tokens.access)).status, 401)
  assert.is((await callMcp(url, newer)).status, 200)
  assert.is((await client.refresh(String(next.body.refresh_token))).status, 200)
})

test('sec-T5: a request that comes late with a spent token gets the newest pair, not one that is spent by now', async (context) => {
  const { gateway, forward } = await world(context)
  const client = await Client.register(gateway.url)
  const { tokens: first } = await obtainTokens({ client, person })
  const second = tokensOf(await client.refresh(first.refresh))
  const third = tokensOf(await client.refresh(second.refresh))
  for (const late of [first, second]) assert.equal(tokensOf(await client.refresh(late.refresh)), third)
  // A client that kept the last answer it read is on the living branch, for as long as it likes.
  forward(HOUR_MS)
  assert.is((await client.refresh(third.refresh)).status, 200)
})

const STATIC = `clients:
  static:
    auditor:
      client_secret: "\${AUDITOR_SECRET}"
      redirect_uris: [https://auditor.test/cb]
      introspect: true
    plain:
      client_secret: "\${PLAIN_SECRET}"
      redirect_uris: [https://plain.test/cb]
`

test('sec-T12: a static client that the configuration trusts with it introspects all tokens, another one only its own', async (context) => {
  const oidc = await startOidc()
  context.after(() => oidc.close())
  let offsetMs = 0
  const gateway = await startGateway({
    yaml: document(oidcRoute('oidc', oidc)) + STATIC,
    env: { AUDITOR_SECRET: 'auditor secret', PLAIN_SECRET: 'plain secret' },
    now: () => Date.now() + offsetMs,
  })
  context.after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const { tokens } = await obtainTokens({ client, person })
  const ask = async (id: string, secret: string, token: string) => {
    const authorization = basic(id, encodeURIComponent(secret))
    return (await postForm(`${gateway.url}/introspect`, { token }, { authorization })).body
  }
  const auditor = (token: string) => ask('auditor', 'auditor secret', token)

  const { exp, iat, ...known } = await auditor(tokens.access)
  assert.equal(known, {
    active: true,
    scope: 'mcp:oidc openid offline_access',
    client_id: client.id,
    sub: 'users/gateway_user',
    aud: `${gateway.url}/oidc`,
    iss: gateway.url,
    token_type: 'Bearer',
  })
  assert.ok(Number(exp) - Number(iat) <= 3600 && Number(exp) * 1000 > Date.now())
  assert.is((await auditor(tokens.refresh)).active, true)
  const inactive = { active: false }
  for (const token of [tokens.access, tokens.refresh])
    assert.equal(await ask('plain', 'plain secret', token), inactive)
  assert.is((await ask('auditor', 'wrong', tokens.access)).error, 'invalid_client')
  for (const token of ['', `${tokens.access}x`, client.id]) {
    if (token !== '') assert.equal(await auditor(token), inactive)
    else assert.is((await auditor(token)).error, 'invalid_request')
  }

  const next = (await client.refresh(tokens.refresh)).body
  assert.equal(await auditor(tokens.refresh), inactive, 'spent')
  offsetMs = HOUR_MS
  assert.equal(await auditor(String(next.access_token)), inactive, 'expired')
  assert.is((await auditor(String(next.refresh_token))).active, true)
  offsetMs = 31 * DAY_MS
  assert.equal(await auditor(String(next.refresh_token)), inactive, 'idle for too long')
})

test.run()
