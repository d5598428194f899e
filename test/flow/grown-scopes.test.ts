// An upstream that lists one more scope than before. Whoever is connected stays so; the next sign-in asks for it.
import * as assert from 'uvu/assert'
import type { Subject } from '../../src/slots.ts'
import { Client, callMcp, type Tokens, tokensOf } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import { type DiscoveryUpstream, RESOURCE, SERVER } from '../support/discovery-upstream.ts'
import { USER } from '../support/gateway.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { discoverable, gatewayFor, linkOf, route } from './discovering.ts'

const test = suite('flow/grown-scopes')

/** A client of the file's own, which no list of scopes makes another. */
const CLIENT = 'authorization_server: { client_id: ours }'
const listing = (upstream: DiscoveryUpstream, scopes: string[]) => {
  upstream.knobs.documents[`${RESOURCE}/mcp`] = upstream.resourceDocument({ scopes_supported: scopes })
}

const GROWTHS: Readonly<
  Record<string, { grow: (upstream: DiscoveryUpstream) => void; added: string; auth?: string }>
> = {
  'the resource metadata lists one more': {
    grow: (upstream) => listing(upstream, ['read', 'beta']),
    added: 'beta',
  },
  'the authorization server offers `offline_access`': {
    grow: ({ knobs, serverDocument }) => {
      knobs.documents[SERVER] = serverDocument({ scopes_supported: ['offline_access', 'read'] })
    },
    added: 'offline_access',
  },
  'the same, beside a scope of the file': {
    grow: ({ knobs, serverDocument }) => {
      knobs.documents[SERVER] = serverDocument({ scopes_supported: ['offline_access', 'read'] })
    },
    added: 'offline_access',
    auth: `{ type: authorization_code, scope: read, ${CLIENT} }`,
  },
}

async function scene(context: TestContext, auth = `{ type: authorization_code, ${CLIENT} }`) {
  const upstream = await discoverable(context)
  upstream.knobs.lifetimeSeconds = 3600
  listing(upstream, ['read'])
  const gateway = await gatewayFor(context, route(upstream, auth))
  return {
    upstream,
    gateway,
    asked: () => upstream.recorder.to('/authorize').map(({ query }) => query.get('scope')),
    call: async ({ access }: Tokens) => (await callMcp(`${gateway.url}/demo`, access)).status,
    async connect() {
      const client = await Client.register(gateway.url)
      const trip = client.trip()
      const { callback } = await signIn(newBrowser(), trip.url, USER)
      const answer = await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier)
      let tokens = tokensOf(answer)
      const refresh = async () => {
        const answer = await client.refresh(tokens.refresh)
        if (answer.status === 200) tokens = tokensOf(answer)
        return answer.status
      }
      return { tokens, refresh }
    },
    /** Somebody else goes to sign in, and never comes back. */
    someoneOpens: () =>
      linkOf(gateway).begin('users/other' as Subject, 'a-state', { requested: [], relink: false }),
  }
}

for (const [name, { grow, added, auth }] of Object.entries(GROWTHS)) {
  test(`spec-U6: ${name}: no session ends, and the next new sign-in asks for the union, once`, async (context) => {
    const { upstream, connect, someoneOpens, asked, call } = await scene(context, auth)
    const first = await connect()
    grow(upstream)
    await someoneOpens()
    const visits = upstream.recorder.count('/authorize')
    for (const _ of [1, 2]) assert.is(await first.refresh(), 200)
    assert.is(await call(first.tokens), 200)
    assert.is(upstream.recorder.count('/authorize'), visits)

    const second = await connect()
    assert.equal(asked(), ['read', `read ${added}`])
    // Its token says nothing of a scope that would be granted.
    const third = await connect()
    assert.is(asked().length, 2, 'whether it was granted or not')
    for (const { refresh, tokens } of [first, second, third])
      assert.equal([await refresh(), await call(tokens)], [200, 200])
  })

  test(`${name}, and refuses a request for it: who is connected gets on, with other clients too`, async (context) => {
    const { upstream, connect, someoneOpens, asked, call } = await scene(context, auth)
    const first = await connect()
    grow(upstream)
    await someoneOpens()
    upstream.knobs.error = 'invalid_scope'
    const redeemed = upstream.recorder.count('POST /token')
    const second = await connect()
    const third = await connect()
    assert.equal(asked(), ['read', `read ${added}`])
    assert.is(upstream.recorder.count('POST /token'), redeemed)
    for (const { refresh, tokens } of [first, second, third])
      assert.equal([await refresh(), await call(tokens)], [200, 200])
  })
}

test('one more scope in the file itself does send people to sign in', async (context) => {
  const file = (scope: string) => `{ type: authorization_code, scope: ${scope}, ${CLIENT} }`
  const { upstream, gateway, connect, asked } = await scene(context, file('read'))
  const first = await connect()
  await gateway.write(route(upstream, file('read write')))
  assert.is((await gateway.follower.reload()).kind, 'applied')
  assert.is(await first.refresh(), 400)
  await connect()
  assert.equal(asked(), ['read', 'read write'])
  assert.is(await first.refresh(), 200)
})

test.run()
