// A person's pasted key while requests go out with it. Pasting it is in test/flow.
import * as assert from 'uvu/assert'
import { userApiKey } from '../../src/auth/user-api-key.ts'
import type { Caller, Subject } from '../../src/slots.ts'
import { suite } from '../support/suite.ts'
import { startScene } from './scene.ts'

const test = suite('auth/user-api-key')
const caller = { subject: 'users/alice' as Subject } as Caller

test('a refusal of the key that was there before does not cost the person the one that was pasted since', async (context) => {
  const { context: route } = await startScene(context)
  const auth = userApiKey({ type: 'user_api_key', in: 'header', name: 'X-Key', check: 'none' }, route)
  const paste = async (key: string) => {
    const pending = await auth.link?.begin(caller.subject, 'state', { requested: [], relink: false })
    if (pending === undefined) throw new Error('no link')
    await auth.link?.finish(caller.subject, pending.pending, new URLSearchParams({ key }))
    return auth.attach(caller)
  }
  const old = await paste('old')
  const current = await paste('new')
  assert.is(await auth.rejected?.(caller, old, 1), true)
  await auth.rejected?.(caller, old, 2)
  assert.equal(await auth.attach(caller), current)
  assert.is(await auth.rejected?.(caller, current, 1), false)
  assert.match(await auth.attach(caller).then(String, String), 'sign in again')
})

test.run()
