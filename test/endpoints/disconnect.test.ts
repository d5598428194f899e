// When a link is forgotten, as far as only the store decides it. What people and upstreams see is in flow/disconnect.
import * as assert from 'uvu/assert'
import { disconnectAfter } from '../../src/endpoints/disconnect.ts'
import type { Deps } from '../../src/endpoints/endpoint.ts'
import type { Gateway } from '../../src/gateway.ts'
import type { Subject } from '../../src/slots.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { type Grant, indexes, keys } from '../../src/store/records.ts'
import { suite } from '../support/suite.ts'

const test = suite('endpoints/disconnect')
const ANN = 'users/ann' as Subject
const BOB = 'users/bob' as Subject

const grantOf = (id: string, subject: Subject) => ({ id, subject, route: 'a' }) as Grant

function scene() {
  const store = memoryStore(() => 0)
  const forgotten: Subject[] = []
  const link = {
    fingerprint: async () => 'f',
    forget: async (subject: Subject) => {
      // As long as a write takes.
      await new Promise(setImmediate)
      forgotten.push(subject)
    },
  }
  const gateway = { routes: new Map([['a', { auth: { link } }]]) } as unknown as Gateway
  return {
    forgotten,
    keep: (grant: Grant, listedUnder: Subject) =>
      store.put(keys.grant(grant.id), grant, { indexes: [indexes.bySubject(listedUnder)] }),
    end: (grant: Grant) => disconnectAfter(grant, gateway, { store } as Deps),
  }
}

test('design §6.6: the link is gone before the answer', async () => {
  const { end, forgotten } = scene()
  await end(grantOf('last', ANN))
  assert.equal(forgotten, [ANN])
})

test('an index that names the grant of somebody else keeps no link', async () => {
  const { end, keep, forgotten } = scene()
  await keep(grantOf('other', BOB), ANN)
  await end(grantOf('last', ANN))
  assert.equal(forgotten, [ANN])
  await keep(grantOf('own', ANN), ANN)
  await end(grantOf('one more', ANN))
  assert.equal(forgotten, [ANN])
})

test.run()
