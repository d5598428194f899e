// A sign-in server that does not let itself be asked for some scope: `invalid_scope` (RFC 6749 §4.1.2.1). Nobody is
// locked out by a scope that can be done without.
import * as assert from 'uvu/assert'
import { Client, callMcp, tokensOf } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import { type TestGateway, USER } from '../support/gateway.ts'
import { intercept } from '../support/intercept.ts'
import type { Page } from '../support/page.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import { discoverable, gatewayFor, publish } from './discovering.ts'

const test = suite('flow/refused-scopes')
const DAY_MS = 24 * 60 * 60 * 1000

interface Connected {
  readonly client: Client
  readonly access: string
  readonly refresh: string
  readonly scope: string
  readonly pages: readonly Page[]
}

async function scene(context: TestContext, scope = 'read', scopes = '{}') {
  const tokens = new Map<string, string>()
  const upstream = await discoverable(context, tokens)
  const { mcpUrl, origin, recorder, server } = upstream
  const clock = { nowMs: Date.now() }
  /** What it refuses to be asked for, what it demands of calls, and whether it still knows its tokens. */
  const its = { refused: [] as string[], demanded: undefined as string | undefined, ended: new Set<string>() }
  intercept(server, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', origin)
    const token = request.headers.authorization ?? ''
    if (pathname === '/mcp' && its.ended.has(token)) {
      response.writeHead(401).end()
      return true
    }
    if (pathname === '/mcp' && its.demanded !== undefined && token !== '') {
      const challenge = `Bearer error="insufficient_scope", scope="${its.demanded}"`
      response.writeHead(403, { 'www-authenticate': challenge }).end()
      return true
    }
    const asked = searchParams.get('scope')?.split(' ') ?? []
    if (pathname !== '/authorize' || !its.refused.some((one) => asked.includes(one))) return false
    const back = new URL(searchParams.get('redirect_uri') ?? '')
    back.searchParams.set('error', 'invalid_scope')
    back.searchParams.set('state', searchParams.get('state') ?? '')
    response.writeHead(302, { location: back.href }).end()
    return true
  })
  const yaml = (file: string) =>
    document(
      `\n  demo: { upstream: ${mcpUrl}, auth: { type: authorization_code, scope: ${file}, authorization_server: { client_id: ours } }, scopes: ${scopes} }\n`,
    )
  const gateway = await gatewayFor(context, yaml(scope), {}, () => clock.nowMs)
  const first = await Client.register(gateway.url)
  const attempt = async (client = first, wished?: string) => {
    const trip = client.trip({ scope: wished })
    return { trip, client, ...(await signIn(newBrowser(), trip.url, USER)) }
  }
  return {
    upstream,
    gateway,
    its,
    clock,
    attempt,
    /** How it ends at the client. */
    failure: async (client?: Client, wished?: string) =>
      (await attempt(client, wished)).callback.searchParams.get('error'),
    async connect(client?: Client, wished?: string): Promise<Connected> {
      const { trip, callback, pages, client: who } = await attempt(client, wished)
      const answer = await who.redeem(callback.searchParams.get('code') ?? '', trip.verifier)
      return { client: who, pages, scope: String(answer.body.scope), ...tokensOf(answer) }
    },
    other: () => Client.register(gateway.url),
    call: ({ access }: Connected) => callMcp(`${gateway.url}/demo`, access),
    refreshed: async ({ client, refresh }: Connected) => (await client.refresh(refresh)).status,
    asked: () => recorder.to('/authorize').map(({ query }) => query.get('scope')),
    redeemed: () => recorder.count('POST /token'),
    async edit(file: string) {
      await gateway.write(yaml(file))
      assert.is((await gateway.follower.reload()).kind, 'applied')
    },
    /** The upstream takes none of the tokens that it has given. */
    end() {
      for (const token of tokens.keys()) its.ended.add(`Bearer ${token}`)
      upstream.knobs.refuses = true
    },
    revive() {
      upstream.knobs.refuses = false
    },
  }
}

const listOf = (page: Page | undefined) =>
  page?.root.querySelectorAll('dd li code').map(({ text }) => text) ?? []
const challengeOf = ({ headers }: { headers: Headers }) => headers.get('www-authenticate')
const warned = ({ log }: TestGateway) =>
  log
    .filter(({ level, event }) => level === 'warn' && event.includes('refuses scopes'))
    .map(({ fields }) => fields.scopes)

test('spec-P8: a demanded scope that the server refuses is asked for in vain once: the person gets on with the good link', async (context) => {
  const { gateway, its, connect, other, call, refreshed, asked, redeemed } = await scene(context)
  its.refused = ['admin:nope']
  const mine = await connect()
  const theirs = await connect(await other())
  its.demanded = 'admin:nope'
  for (const one of [mine, theirs]) assert.match(challengeOf(await call(one)) ?? '', 'admin:nope')
  assert.is(await refreshed(mine), 400, 'until it was asked for')

  const again = await connect()
  assert.equal(again.pages.map(listOf), [['read'], ['read', 'admin:nope'], ['read']])
  assert.match(again.pages[2]?.text ?? '', 'not the one that you saw')
  assert.is(again.scope, 'mcp:demo read')
  assert.equal(asked(), ['read', 'read admin:nope'])
  assert.is(redeemed(), 1, 'the link is as good as it was')
  assert.equal(warned(gateway), ['admin:nope'])
  const refused = await call(again)
  assert.equal([refused.status, challengeOf(refused), refused.body.error], [403, null, 'access_denied'])

  its.demanded = undefined
  const third = await connect(await other())
  assert.equal(third.pages.map(listOf), [['read']])
  for (const one of [mine, theirs, again, third]) {
    assert.is((await call(one)).status, 200)
    assert.is(await refreshed(one), 200)
  }
  assert.is(asked().length, 2)
})

test('a demand that comes a day later is worth another try, and is granted where the server has learnt it', async (context) => {
  const { its, clock, connect, call, asked, refreshed } = await scene(context)
  its.refused = ['late']
  its.demanded = 'late'
  await call(await connect())
  const told = await connect()
  assert.is(challengeOf(await call(told)), null)
  clock.nowMs += DAY_MS + 1
  its.refused = []
  const next = await connect()
  assert.match(challengeOf(await call(next)) ?? '', 'late')
  assert.is(await refreshed(next), 400, 'SDK clients refresh before they sign in')
  const granted = await connect()
  assert.equal(asked(), ['read', 'read late', 'read late'])
  its.demanded = undefined
  assert.equal([(await call(granted)).status, await refreshed(next)], [200, 200])
})

test('what was refused is asked for again as soon as the file says so', async (context) => {
  const { its, connect, call, refreshed, edit, asked } = await scene(context)
  its.refused = ['late']
  its.demanded = 'late'
  await call(await connect())
  its.demanded = undefined
  const told = await connect()
  assert.is(await refreshed(told), 200)
  its.refused = []
  await edit('read late')
  assert.is((await told.client.refresh(told.refresh)).status, 400)
  await connect()
  assert.equal(asked(), ['read', 'read late', 'read late'])
})

for (const [status, pages, error] of [
  [400, 3, null],
  [429, 2, 'temporarily_unavailable'],
] as const) {
  test(`a token endpoint that says \`invalid_scope\` with ${status}: ${error ?? 'the person gets on'}`, async (context) => {
    const { upstream, gateway, its, connect, attempt, call } = await scene(context)
    const first = await connect()
    its.demanded = 'nope'
    await call(first)
    its.demanded = undefined
    intercept(upstream.server, (request, response) => {
      if (request.url !== '/token') return false
      const answer = () =>
        response
          .writeHead(status, { 'content-type': 'application/json' })
          .end(JSON.stringify({ error: 'invalid_scope' }))
      request.resume().on('end', answer)
      return true
    })
    const again = await attempt()
    assert.is(again.pages.length, pages)
    assert.is(again.callback.searchParams.get('error'), error)
    assert.equal(warned(gateway), error === null ? ['nope'] : [])
    assert.is((await call(first)).status, 200)
  })
}

test('a demand for a refused scope and another one: signing in would not help', async (context) => {
  const { its, connect, call, asked } = await scene(context)
  its.refused = ['nope']
  its.demanded = 'nope'
  await call(await connect())
  const again = await connect()
  its.demanded = 'nope more'
  assert.is(challengeOf(await call(again)), null)
  its.demanded = 'more'
  assert.match(challengeOf(await call(again)) ?? '', 'more')
  await connect()
  assert.equal(asked(), ['read', 'read nope', 'read more'])
})

test('a refused demand and a link that has ended: one sign-in is enough', async (context) => {
  const { its, connect, call, end, revive, asked, redeemed } = await scene(context)
  its.refused = ['nope']
  const first = await connect()
  its.demanded = 'nope'
  assert.is((await call(first)).status, 403)
  its.demanded = undefined
  end()
  assert.is((await call(first)).status, 401)
  revive()
  const before = redeemed()
  const again = await connect()
  assert.equal(asked(), ['read', 'read nope', 'read'])
  assert.is(redeemed(), before + 1)
  assert.is((await call(again)).status, 200)
  its.demanded = 'nope'
  assert.is(challengeOf(await call(again)), null, 'a new link does not begin it all anew')
})

test('what was asked for once, and is not in the file any more, is not asked for again after the link has ended', async (context) => {
  const { its, connect, call, refreshed, edit, end, revive, asked } = await scene(context, 'read old')
  const first = await connect()
  await edit('read')
  assert.equal([(await call(first)).status, await refreshed(first)], [200, 200])
  its.refused = ['old']
  end()
  const ended = await connect()
  assert.is((await call(ended)).status, 401)
  revive()
  const again = await connect()
  assert.equal(asked(), ['read old', 'read'])
  assert.equal([(await call(again)).status, await refreshed(again)], [200, 200])
  assert.equal((await connect()).pages.map(listOf), [['read']])
})

test('a living link whose old scope was retired is no obstacle to a new one', async (context) => {
  const { its, connect, call, refreshed, edit, asked, gateway } = await scene(context, 'read old')
  await connect()
  its.refused = ['old']
  await edit('read new')
  const again = await connect()
  assert.equal(again.pages.map(listOf), [
    ['read', 'new'],
    ['read', 'new', 'old'],
    ['read', 'new'],
  ])
  assert.equal(asked(), ['read old', 'read new old', 'read new'])
  assert.equal(warned(gateway), ['old'])
  assert.equal([(await call(again)).status, await refreshed(again)], [200, 200])
})

test('a scope of the file that the server refuses is the operator’s: nobody’s link or scope is lost by it', async (context) => {
  const world = await scene(context, 'read', '{ optional: [gist] }')
  const { its, connect, other, failure, call, refreshed, edit, asked, gateway } = world
  const first = await connect(undefined, 'gist')
  its.refused = ['raed']
  await edit('read raed')
  for (const client of [undefined, await other()]) assert.is(await failure(client), 'server_error')
  const { fields } = await gateway.logged('upstream sign-in failed')
  assert.is(fields.upstreamError, 'invalid_scope')
  assert.equal(asked().slice(-1), ['read raed'])

  await edit('read')
  const visits = asked().length
  const again = await connect(undefined, 'gist')
  assert.is(again.scope, 'mcp:demo read gist')
  assert.is(asked().length, visits, 'the link has it still')
  for (const one of [first, again]) assert.equal([(await call(one)).status, await refreshed(one)], [200, 200])
})

test('an optional scope that the server refuses fails who asks for it, and nobody else', async (context) => {
  const { its, connect, other, failure, call, refreshed } = await scene(
    context,
    'read',
    '{ optional: [bad] }',
  )
  its.refused = ['bad']
  assert.is(await failure(undefined, 'bad'), 'server_error', 'with nothing connected yet')
  const first = await connect()
  for (const _ of [1, 2]) assert.is(await failure(await other(), 'bad'), 'server_error')
  const second = await connect(await other())
  for (const one of [first, second])
    assert.equal([(await call(one)).status, await refreshed(one)], [200, 200])
})

test('sec-C10: a refusal with the `iss` of another server is no word of this one', async (context) => {
  const { upstream, its, connect, failure, call, asked, redeemed, gateway } = await scene(context)
  const { knobs, origin } = upstream
  const first = await connect()
  its.demanded = 'more'
  await call(first)
  its.demanded = undefined
  publish(upstream, { authorization_response_iss_parameter_supported: true })
  Object.assign(knobs, { error: 'invalid_scope', iss: 'https://elsewhere.test' })
  assert.is(await failure(), 'server_error')
  assert.equal(warned(gateway), [])
  Object.assign(knobs, { error: undefined, iss: origin })
  assert.is(redeemed(), 1)
  const again = await connect()
  assert.equal(asked(), ['read', 'read more', 'read more'])
  assert.is((await call(again)).status, 200)
})

test.run()
