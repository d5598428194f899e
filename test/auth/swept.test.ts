// Tokens whose record was swept away and made anew: versions begin at 1 again, and the old token must not come back.
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { createHeldTokens } from '../../src/auth/held-tokens.ts'
import { createLinks } from '../../src/auth/links.ts'
import { hashToken } from '../../src/oauth/tokens.ts'
import { silentLog } from '../../src/ops/log.ts'
import type { Subject } from '../../src/slots.ts'
import { openEmbeddedStore } from '../../src/store/embedded.ts'
import { randomKeyring } from '../../src/store/keyring.ts'
import { keys } from '../../src/store/records.ts'
import { createSealer } from '../../src/store/seal.ts'
import { temporaryFolder } from '../store/temporary.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('auth/swept')
const ALICE = 'users/alice' as Subject
const MINUTE_MS = 60_000

async function world(context: TestContext) {
  let nowMs = 1_700_000_000_000
  const now = () => nowMs
  const store = await openEmbeddedStore(await temporaryFolder(context), now, { sweepEveryMs: 5 })
  context.after(() => store.close())
  const sealer = createSealer(randomKeyring())
  return {
    store,
    links: () => createLinks(store, sealer, now),
    held: () => createHeldTokens({ store, sealer, now, log: silentLog }),
    tokens: (name: string, lifetimeMs?: number) => ({
      accessToken: name,
      refreshToken: undefined,
      obtainedAtMs: now(),
      expiresAtMs: lifetimeMs === undefined ? undefined : now() + lifetimeMs,
      scope: undefined,
    }),
    pass: (ms: number) => {
      nowMs += ms
    },
    /** Writes until the record is a first one again: the sweeper has been there. */
    async untilSwept(key: string, write: () => Promise<unknown>) {
      for (let time = 0; time < 200; time += 1) {
        await write()
        if ((await store.get(key))?.version === 1) return
        await store.put(key, undefined)
        nowMs += 2 * MINUTE_MS
        await delay(25)
      }
      throw new Error('the record was not swept')
    },
  }
}

test('another process disconnected the account and connected another: the first one’s token is not sent again', async (context) => {
  const { store, links, tokens, untilSwept } = await world(context)
  const [here, elsewhere] = [links(), links()]
  const key = keys.link(hashToken(ALICE), 'f1')
  await elsewhere.save(ALICE, 'f1', tokens('first account'), [])
  assert.is((await here.find(ALICE, 'f1'))?.tokens.accessToken, 'first account')
  assert.is((await store.get(key))?.version, 1)
  await elsewhere.remove(ALICE, 'f1')
  await untilSwept(key, () => elsewhere.save(ALICE, 'f1', tokens('second account'), []))

  const found = await here.find(ALICE, 'f1')
  assert.is(found?.tokens.accessToken, 'second account')
  if (found) await here.bury({ ...found, link: { ...found.link, sealed: 'what was read before' } })
  assert.is((await elsewhere.find(ALICE, 'f1'))?.link.dead, false)
})

test('a token that ended and was fetched anew by another process is not fetched once more', async (context) => {
  const { held, tokens, pass, untilSwept } = await world(context)
  const [here, elsewhere] = [held(), held()]
  const place = { key: 'k', subject: ALICE }
  let fetched = 0
  const obtain = async () => tokens(`token ${++fetched}`, 10 * MINUTE_MS)
  // The second time it is read from the store.
  for (let time = 0; time < 2; time += 1) assert.is(await here.get(place, obtain), 'token 1')
  pass(20 * MINUTE_MS)
  await untilSwept('token/k', () => elsewhere.get(place, obtain))
  const before = fetched
  assert.is(await here.get(place, obtain), `token ${before}`)
  assert.is(fetched, before)
})

test.run()
