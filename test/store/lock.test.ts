// One holder at a time: while it works, and no longer than it can be alive.
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { LockTaken, withLock } from '../../src/store/lock.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { ABSENT, type Store } from '../../src/store/store.ts'
import { suite } from '../support/suite.ts'

const test = suite('store/lock')

test('of many only one is at work at a time, and each has its turn', async () => {
  const store = memoryStore(Date.now)
  let [inside, most] = [0, 0]
  const work = async () => {
    most = Math.max(most, ++inside)
    await delay(1)
    inside--
  }
  const options = { ttlMs: 60_000, now: Date.now }
  await Promise.all(Array.from({ length: 10 }, () => withLock(store, 'a/b', options, work)))
  assert.equal([most, await store.get('lock/a/b')], [1, undefined])
})

test('what the work throws is thrown, and the lock is free', async () => {
  const store = memoryStore(Date.now)
  const options = { ttlMs: 60_000, silentMs: 300, now: Date.now }
  const failing = withLock(store, 'a/b', options, () => Promise.reject(new Error('the work failed')))
  assert.is(await failing.catch(({ message }: Error) => message), 'the work failed')
  assert.is(await withLock(store, 'a/b', options, async () => 'done'), 'done')
})

test('who is still at work keeps it, however short the silence that counts as death', async () => {
  const store = memoryStore(Date.now)
  const options = { ttlMs: 60_000, silentMs: 300, now: Date.now }
  const order: string[] = []
  const first = withLock(store, 'a/b', options, async () => {
    await delay(1_500)
    order.push('first')
  })
  await withLock(store, 'a/b', options, async () => order.push('second'))
  await first
  assert.equal(order, ['first', 'second'])
})

test('who was stopped for longer than that holds it again, unless somebody came meanwhile', async () => {
  let nowMs = 0
  const now = () => nowMs
  const store = memoryStore(now)
  const options = { ttlMs: 60_000, silentMs: 300, now }
  const order: string[] = []
  let second: Promise<unknown> = Promise.resolve()
  await withLock(store, 'a/b', options, async () => {
    nowMs = 10_000
    while ((await store.get('lock/a/b')) === undefined) await delay(10)
    second = withLock(store, 'a/b', options, async () => order.push('second'))
    await delay(200)
    order.push('first')
  })
  await second
  assert.equal([order, await store.get('lock/a/b')], [['first', 'second'], undefined])
  const other = withLock(store, 'c/d', options, async () => {
    nowMs = 20_000
    await withLock(store, 'c/d', options, () => delay(300))
  })
  await other
  assert.is(await store.get('lock/c/d'), undefined)
})

test('what is given back while the heart beats stays free', async () => {
  const store = memoryStore(Date.now)
  let reads = 0
  const slow: Store = {
    ...store,
    async get(key) {
      reads += 1
      if (reads === 1) await delay(200)
      return store.get(key)
    },
  }
  await withLock(slow, 'a/b', { ttlMs: 60_000, silentMs: 300, now: Date.now }, () => delay(150))
  await delay(200)
  assert.is(await store.get('lock/a/b'), undefined)
})

test('a holder that died is waited for as long as it may be silent, and nobody waits for ever', async () => {
  let nowMs = 0
  const now = () => nowMs
  const store = memoryStore(now)
  await withLock(store, 'a/b', { ttlMs: 60_000, silentMs: 1_000, now }, async () => {
    assert.ok(await store.get('lock/a/b'))
    nowMs = 1_001
    assert.is(await store.get('lock/a/b'), undefined)
  })
  await store.cas('lock/c/d', ABSENT, { owner: 'somebody' }, { expiresAtMs: 60_000 })
  const waiting = withLock(store, 'c/d', { ttlMs: 2_000, now }, async () => 'done')
  nowMs = 10_000
  assert.instance(await waiting.catch((error: unknown) => error), LockTaken)
  nowMs = 60_001
  assert.is(await withLock(store, 'c/d', { ttlMs: 2_000, now }, async () => 'done'), 'done')
})

test('whose time ran out at work frees nothing: by then it is somebody else’s', async () => {
  let nowMs = 0
  const now = () => nowMs
  const store = memoryStore(now)
  await withLock(store, 'a/b', { ttlMs: 2_000, now }, async () => {
    nowMs = 2_001
    await store.cas('lock/a/b', ABSENT, { owner: 'the next' }, { expiresAtMs: 60_000 })
  })
  assert.equal((await store.get('lock/a/b'))?.value, { owner: 'the next' })
})

test('who is at work for longer than anybody may be keeps it no longer, however alive', async () => {
  const store = memoryStore(Date.now)
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const first = withLock(store, 'a/b', { ttlMs: 600, silentMs: 300, now: Date.now }, () => released)
  assert.is(await withLock(store, 'a/b', { ttlMs: 10_000, now: Date.now }, async () => 'next'), 'next')
  release()
  await first
})

test('a sign of life that cannot be written ends neither the work nor the process', async () => {
  const store = memoryStore(Date.now)
  let refuse = () => {}
  const refused = new Promise<void>((resolve) => {
    refuse = resolve
  })
  const ailing: Store = {
    ...store,
    async cas(key, expected, value, options) {
      if (expected === ABSENT || value === undefined) return store.cas(key, expected, value, options)
      refuse()
      throw new Error('the disk is full')
    },
  }
  const options = { ttlMs: 60_000, silentMs: 300, now: Date.now }
  assert.is(await withLock(ailing, 'a/b', options, () => refused.then(() => 'done')), 'done')
})

test.run()
