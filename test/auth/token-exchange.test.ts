// What a token that was exchanged for is bound to. More is in test/flow.
import * as assert from 'uvu/assert'
import { tokenExchange } from '../../src/auth/token-exchange.ts'
import type { Caller, Subject } from '../../src/slots.ts'
import { indexes } from '../../src/store/records.ts'
import { suite } from '../support/suite.ts'
import { startScene, writtenServer } from './scene.ts'

const test = suite('auth/token-exchange')
const caller = {} as Caller

test('another client at the identity provider gets a token of its own', async (context) => {
  const { upstream, context: route } = await startScene(context)
  const sentAs = async (client: string) => {
    const provider = writtenServer(upstream, { client_id: client })
    const auth = tokenExchange(
      {
        type: 'token_exchange',
        authorization_server: writtenServer(upstream),
        identity_provider: provider,
        subject_token: 'given',
      },
      {
        ...route,
        server: (reference) => ({
          ...route.server(reference),
          entry: typeof reference === 'object' ? reference : undefined,
        }),
      },
    )
    return (await auth.attach(caller)).headers.authorization
  }
  const first = await sentAs('one')
  assert.is(await sentAs('one'), first)
  assert.is.not(await sentAs('two'), first)
  assert.is(await sentAs('one'), first)
})

test('of a token that was got for a JWT which a caller brought, nothing is left when that JWT has ended', async (context) => {
  const { upstream, clock, store, context: route } = await startScene(context, { entry: writtenServer })
  upstream.knobs.lifetimeSeconds = 315_360_000
  const auth = tokenExchange(
    { type: 'token_exchange', authorization_server: writtenServer(upstream), subject_token: 'caller' },
    route,
  )
  const subject = 'oidc/https://idp.example#ann' as Subject
  const withJwt = (text: string) =>
    ({ subject, tokenHash: text, jwt: { text, expiresAtMs: clock.nowMs + 300_000 } }) as Caller
  const ann = withJwt('a.b.c')
  const token = await auth.attach(ann)
  clock.nowMs += 240_000
  assert.equal(await auth.attach(ann), token, 'as long as it may be presented, it is the same')
  await auth.attach(withJwt('d.e.f'))
  assert.is(upstream.recorder.count('POST /token'), 2)
  const kept = async () => {
    const found: string[] = []
    for await (const key of store.list(indexes.bySubject(subject)))
      if ((await store.get(key)) !== undefined) found.push(key)
    return found.length
  }
  assert.is(await kept(), 2)
  clock.nowMs += 61_000
  assert.is(await kept(), 1)
  clock.nowMs += 240_000
  assert.is(await kept(), 0)
})

test.run()
