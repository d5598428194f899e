// One holder at a time: while it works, and no longer than it can be alive.
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { LockTaken, withLock } from '../../src/store/lock.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { ABSENT } from '../../src/store/store.ts'
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

test.run()
