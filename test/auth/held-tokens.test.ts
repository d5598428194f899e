// Tokens that the gateway fetches for itself: kept sealed, shared by all processes on one store, fetched once at a time.
import * as assert from 'uvu/assert'
import { createHeldTokens, type HeldTokens, type Place } from '../../src/auth/held-tokens.ts'
import { OAuthError, UpstreamError } from '../../src/errors.ts'
import type { Subject } from '../../src/slots.ts'
import { randomKeyring } from '../../src/store/keyring.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { indexes } from '../../src/store/records.ts'
import { createSealer } from '../../src/store/seal.ts'
import type { Store } from '../../src/store/store.ts'
import type { UpstreamTokens } from '../../src/upstream/server.ts'
import { recordingLog } from '../support/gateway.ts'
import { suite } from '../support/suite.ts'

const test = suite('auth/held-tokens')
const HOUR_MS = 3_600_000
const place: Place = { key: 'k', subject: undefined }

function world({ lifetimeMs }: { lifetimeMs?: number | undefined } = { lifetimeMs: HOUR_MS }) {
  let nowMs = 1_700_000_000_000
  const now = () => nowMs
  const store = memoryStore(now)
  const keyring = randomKeyring()
  const { log, lines } = recordingLog()
  let obtained = 0
  const obtain = async (): Promise<UpstreamTokens> => {
    obtained += 1
    return {
      accessToken: `token-${obtained}`,
      refreshToken: 'never kept',
      obtainedAtMs: now(),
      expiresAtMs: lifetimeMs === undefined ? undefined : now() + lifetimeMs,
      scope: undefined,
    }
  }
  return {
    now,
    store,
    keyring,
    obtain,
    lines,
    count: () => obtained,
    pass: (ms: number) => {
      nowMs += ms
    },
    /** Another process on the same store. */
    process: (keys = keyring, kept: Store = store): HeldTokens =>
      createHeldTokens({ store: kept, sealer: createSealer(keys), now, log }),
  }
}

async function valuesIn(store: Store, key: string): Promise<string> {
  return JSON.stringify((await store.get(key))?.value)
}

test('two processes that need it at once fetch one', async () => {
  const { process, obtain, count } = world()
  const [one, two] = [process(), process()]
  const all = await Promise.all([one, two, one, two].map((held) => held.get(place, obtain)))
  assert.equal([...new Set(all)], ['token-1'])
  assert.is(count(), 1)
})

test('behind a process that was killed while it asked, the next one waits for seconds', async () => {
  const { process, obtain, pass, count } = world()
  let answer: () => void = () => {}
  const hangs = new Promise<void>((resolve) => {
    answer = resolve
  })
  const asked = new Promise<void>((resolve) => {
    const killed = process().get(place, async () => {
      resolve()
      await hangs
      throw new UpstreamError('unavailable', 'nobody is there to hear it')
    })
    killed.catch(() => {})
  })
  await asked
  const waiting = process().get(place, obtain)
  // Faster than its heart beats.
  pass(5_001)
  assert.is(await waiting, 'token-1')
  answer()
  assert.is(count(), 1)
})

test('it lies sealed, without a refresh token, and another keyring starts anew', async () => {
  const { process, store, obtain, keyring } = world()
  await process().get(place, obtain)
  assert.not.match(await valuesIn(store, 'token/k'), 'token-1')
  const { sealed = '' } = (await store.get<{ readonly sealed: string }>('token/k'))?.value ?? {}
  const opened = String(createSealer(keyring).open('held-token', 'token/k', sealed))
  assert.match(opened, 'token-1')
  assert.not.match(opened, 'never kept')
  assert.is(await process(randomKeyring()).get(place, obtain), 'token-2')
})

test('inside the last minute the old one goes out while the new one is fetched', async () => {
  const { process, obtain, count, pass } = world()
  const held = process()
  await held.get(place, obtain)
  pass(HOUR_MS - 59_000)
  let finish: () => void = () => {}
  const gate = new Promise<void>((resolve) => {
    finish = resolve
  })
  const slow = async () => {
    await gate
    return obtain()
  }
  assert.is(await held.get(place, slow), 'token-1')
  finish()
  while (count() < 2) await new Promise((resolve) => setImmediate(resolve))
  while ((await held.get(place, obtain)) === 'token-1') await new Promise((resolve) => setImmediate(resolve))
  assert.is(await held.get(place, obtain), 'token-2')
})

test('a refused one is replaced, for every process; of many refusals one replaces', async () => {
  const { process, obtain, count } = world()
  const [one, two] = [process(), process()]
  await one.get(place, obtain)
  assert.equal(await Promise.all([one, two, one].map((held) => held.refused(place, 'token-1'))), [
    true,
    true,
    true,
  ])
  assert.equal(await Promise.all([one, two].map((held) => held.get(place, obtain))), ['token-2', 'token-2'])
  assert.is(await two.refused(place, 'token-1'), true, 'a late one: there is another already')
  assert.is(count(), 2)
})

test('a refusal that was read before the replacement and written after it does not undo it', async () => {
  const { process, store, obtain, count } = world()
  let goOn: () => void = () => {}
  const gate = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const slowStore: Store = {
    ...store,
    async get(key) {
      const entry = await store.get(key)
      await gate
      return entry as never
    },
  }
  const [quick, late] = [process(), process(undefined, slowStore)]
  await quick.get(place, obtain)
  const refused = late.refused(place, 'token-1')
  await quick.refused(place, 'token-1')
  assert.is(await quick.get(place, obtain), 'token-2')
  goOn()
  assert.is(await refused, true)
  assert.is(await quick.get(place, obtain), 'token-2')
  assert.is(count(), 2)
})

test('a replacement that is refused as well stays for a minute', async () => {
  const { process, obtain, pass } = world()
  const held = process()
  await held.get(place, obtain)
  await held.refused(place, 'token-1')
  await held.get(place, obtain)
  assert.is(await held.refused(place, 'token-2'), false)
  assert.is(await held.get(place, obtain), 'token-2')
  pass(61_000)
  assert.is(await held.refused(place, 'token-2'), true)
  assert.is(await held.get(place, obtain), 'token-3')
})

test('a failure is not repeated by every request, and not for long', async () => {
  const { process, obtain, pass } = world()
  const held = process()
  let asked = 0
  const failing = (error: Error) => async () => {
    asked += 1
    throw error
  }
  const outcome = (error: Error) => held.get(place, failing(error)).then(() => 'a token', String)
  const busy = new UpstreamError('unavailable', 'busy', {}, 3)
  assert.match(await outcome(busy), 'busy')
  assert.match(await outcome(busy), 'busy')
  assert.is(asked, 1)
  pass(3_001)
  assert.match(await outcome(new OAuthError('access_denied', 'no')), 'no')
  assert.is(asked, 2)
  pass(1_001)
  assert.is(await held.get(place, obtain), 'token-1')
})

test('neither a failure nor a replacement rests for an hour because the clock was set back by one', async () => {
  const { process, obtain, pass } = world({})
  const held = process()
  const busy = async () => {
    throw new UpstreamError('unavailable', 'busy', {}, 5)
  }
  const failure = await held.get(place, busy).catch(String)
  assert.match(failure, 'busy')
  assert.is(await held.get(place, obtain).catch(String), failure)
  pass(-HOUR_MS)
  assert.is(await held.get(place, obtain), 'token-1')
  await held.refused(place, 'token-1')
  assert.is(await held.get(place, obtain), 'token-2')
  assert.is(await held.refused(place, 'token-2'), false)
  pass(-HOUR_MS)
  assert.is(await held.refused(place, 'token-2'), true)
  assert.is(await held.get(place, obtain), 'token-3')
})

test('one of a person is found by that person, so that it goes when they go', async () => {
  const { process, store, obtain } = world()
  const subject = 'users/ann' as Subject
  await process().get({ key: 'hers', subject }, obtain)
  await process().get(place, obtain)
  const found: string[] = []
  for await (const key of store.list(indexes.bySubject(subject))) found.push(key)
  assert.equal(found, ['token/hers'])
})

test('without an end it lasts a day', async () => {
  const { process, obtain, pass } = world({})
  const held = process()
  await held.get(place, obtain)
  pass(20 * HOUR_MS)
  assert.is(await held.get(place, obtain), 'token-1')
  pass(5 * HOUR_MS)
  assert.is(await held.get(place, obtain), 'token-2')
})

test('however long the upstream would take it, it is replaced after a day, and lies in the store no longer', async () => {
  const { process, store, obtain, pass, count } = world({ lifetimeMs: 10 * 365 * 24 * HOUR_MS })
  const held = process()
  await held.get(place, obtain)
  pass(23 * HOUR_MS)
  assert.is(await held.get(place, obtain), 'token-1')
  // Ahead of its end, so that nobody waits.
  pass(HOUR_MS - 30_000)
  assert.is(await held.get(place, obtain), 'token-1')
  while (count() < 2) await new Promise((resolve) => setImmediate(resolve))
  while ((await held.get(place, obtain)) === 'token-1') await new Promise((resolve) => setImmediate(resolve))
  assert.is(await held.get(place, obtain), 'token-2')
  pass(25 * HOUR_MS)
  assert.is(await store.get('token/k'), undefined)
  assert.is(await held.get(place, obtain), 'token-3')
})

test('one that nobody can ask for any more lies in the store no longer, also once it was refused', async () => {
  const { process, store, obtain, pass, now } = world({ lifetimeMs: 20 * HOUR_MS })
  const held = process()
  const [kept, refused] = ['kept', 'refused'].map((key) => ({
    key,
    subject: 'users/ann' as Subject,
    usedUntilMs: now() + HOUR_MS,
  })) as [Place, Place]
  await held.get(kept, obtain)
  await held.refused(refused, await held.get(refused, obtain))
  pass(HOUR_MS - 1_000)
  assert.is(await held.get(kept, obtain), 'token-1', 'until then it is good, and not got anew')
  assert.ok(await store.get('token/refused'))
  pass(2_000)
  assert.equal([await store.get('token/kept'), await store.get('token/refused')], [undefined, undefined])
  assert.is(await held.get(kept, obtain), 'token-3')
})

test('a failure rests for ten seconds at most, however long the server wants to be left alone', async () => {
  const { process, obtain, pass } = world()
  const held = process()
  const busy = async () => {
    throw new UpstreamError('unavailable', 'busy', {}, 3_600)
  }
  assert.match(await held.get(place, busy).catch(String), 'busy')
  pass(9_000)
  assert.match(await held.get(place, obtain).catch(String), 'busy')
  pass(2_000)
  assert.is(await held.get(place, obtain), 'token-1')
})

test('one that has ended is not sent, and what cannot be replaced is said', async () => {
  const { process, store, obtain, pass } = world()
  // The store need not have swept it yet.
  const unswept: Store = { ...store, put: (key, value) => store.put(key, value) }
  const held = process(undefined, unswept)
  await held.get(place, obtain)
  pass(HOUR_MS)
  const gone = async () => {
    throw new UpstreamError('unavailable', 'gone')
  }
  assert.match(await held.get(place, gone).catch(String), 'gone')
})

test('one that was refused is still its person’s, and ends when it would have ended', async () => {
  const { process, store, obtain, pass } = world()
  const subject = 'users/ann' as Subject
  const hers: Place = { key: 'hers', subject }
  const held = process()
  await held.get(hers, obtain)
  await held.refused(hers, 'token-1')
  const found: string[] = []
  for await (const key of store.list(indexes.bySubject(subject))) found.push(key)
  assert.equal(found, ['token/hers'])
  assert.ok(await store.get('token/hers'))
  pass(HOUR_MS + 1)
  assert.is(await store.get('token/hers'), undefined)
})

test('who waits too long for the fetch of another process is told to come again', async () => {
  const { process, obtain, store, pass, count } = world()
  const taken: Store = {
    ...store,
    async cas(key, expected, value, options) {
      if (!key.startsWith('lock/')) return store.cas(key, expected, value, options)
      // A minute goes by at each look.
      pass(60_000)
      return false
    },
  }
  const late = await process(undefined, taken)
    .get(place, obtain)
    .catch((error: unknown) => error)
  assert.ok(late instanceof UpstreamError, String(late))
  assert.equal([late.fault, late.status, late.retryAfterSeconds], ['unavailable', 503, 5])
  assert.is(count(), 0)
  assert.is(await process().get(place, obtain), 'token-1')
})

test.run()
