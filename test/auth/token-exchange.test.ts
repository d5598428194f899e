// What a token that was exchanged for is bound to. More is in test/flow.
import * as assert from 'uvu/assert'
import { tokenExchange } from '../../src/auth/token-exchange.ts'
import type { Caller } from '../../src/slots.ts'
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

test.run()
