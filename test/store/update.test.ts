import * as assert from 'uvu/assert'
import { memoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { update } from '../../src/store/update.ts'
import { suite } from '../support/suite.ts'

const test = suite('store/update')

test('a change is stored with its options and returned', async () => {
  const store = memoryStore(() => 1000)
  const result = await update<number>(store, 'counter/1', (current) => ({
    value: (current ?? 0) + 5,
    options: { expiresAtMs: 2000, indexes: ['all'] },
  }))
  assert.is(result, 5)
  assert.equal(await store.get('counter/1'), { value: 5, version: 1 })
  assert.equal((await store.list('all')[Symbol.asyncIterator]().next()).value, 'counter/1')
})

test('a change that is none leaves the record as it is and returns it', async () => {
  const store = memoryStore(Date.now)
  await store.put('counter/1', 7)
  assert.is(await update(store, 'counter/1', () => undefined), 7)
  assert.is(await update(store, 'counter/2', () => undefined), undefined)
  assert.equal(await store.get('counter/1'), { value: 7, version: 1 })
})

test('a change to nothing deletes', async () => {
  const store = memoryStore(Date.now)
  await store.put('counter/1', 7)
  assert.is(await update(store, 'counter/1', () => ({ value: undefined })), undefined)
  assert.is(await store.get('counter/1'), undefined)
})

test('of parallel changes none is lost', async () => {
  const store = memoryStore(Date.now)
  const add = () => update<number>(store, 'counter/1', (current) => ({ value: (current ?? 0) + 1 }))
  const results = await Promise.all(Array.from({ length: 30 }, add))
  assert.is((await store.get('counter/1'))?.value, 30)
  assert.is(new Set(results).size, 30, 'each saw its own result')
})

test('a change is decided anew on what another one stored', async () => {
  const store = memoryStore(Date.now)
  await store.put('code/1', { spent: false })
  const spend = () => {
    let mine = false
    return update<{ spent: boolean }>(store, 'code/1', (current) => {
      mine = current?.spent === false
      return mine ? { value: { spent: true } } : undefined
    }).then(() => mine)
  }
  const spent = await Promise.all(Array.from({ length: 10 }, spend))
  assert.is(spent.filter(Boolean).length, 1)
})

test('a record that never stands still is given up on, without naming whose it is', async () => {
  const inner = memoryStore(Date.now)
  const restless: Store = { ...inner, cas: async () => false }
  let tries = 0
  const change = () => {
    tries += 1
    return { value: tries }
  }
  const error = await update(restless, 'user/users/alice', change, 3).catch((reason: Error) => reason)
  assert.instance(error, Error)
  assert.match(String(error), 'user record')
  assert.not.match(String(error), 'alice')
  assert.is(tries, 3)
})

test('what the change throws reaches the caller, and nothing is stored', async () => {
  const store = memoryStore(Date.now)
  const refuse = () => {
    throw new RangeError('no')
  }
  const error = await update(store, 'grant/1', refuse).catch((reason: Error) => reason)
  assert.instance(error, RangeError)
  assert.is(await store.get('grant/1'), undefined)
})

test.run()
