// What every driver must do, run against each of them.
import * as assert from 'uvu/assert'
import { openEmbeddedStore } from '../../src/store/embedded.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { ABSENT, type Store } from '../../src/store/store.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { temporaryFolder } from './temporary.ts'

const START_MS = 1_700_000_000_000

interface World {
  readonly store: Store
  advance(ms: number): void
}

type Open = (now: () => number, context: TestContext) => Promise<Store>

const drivers: Record<string, Open> = {
  memory: async (now) => memoryStore(now),
  embedded: async (now, context) => openEmbeddedStore(await temporaryFolder(context), now),
}

async function collect(keys: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = []
  for await (const key of keys) found.push(key)
  return found
}

async function rejection(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => assert.unreachable('should have been rejected'),
    (error: Error) => error,
  ) as Promise<Error>
}

for (const [driver, open] of Object.entries(drivers)) {
  const test = suite(`store/contract: ${driver}`)

  const world = async (context: TestContext): Promise<World> => {
    let nowMs = START_MS
    const store = await open(() => nowMs, context)
    context.after(() => store.close())
    return { store, advance: (ms) => (nowMs += ms) }
  }

  test('a key never written is absent', async (context) => {
    const { store } = await world(context)
    assert.is(await store.get('grant/1'), undefined)
  })

  test('a record is read back with version 1, and each write of its key adds one', async (context) => {
    const { store } = await world(context)
    await store.put('grant/1', { scopes: ['a'], name: 'é€😀', none: null })
    assert.equal(await store.get('grant/1'), {
      value: { scopes: ['a'], name: 'é€😀', none: null },
      version: 1,
    })
    await store.put('grant/1', 'second')
    assert.equal(await store.get('grant/1'), { value: 'second', version: 2 })
    assert.ok(await store.cas('grant/1', 2, 'third'))
    assert.equal(await store.get('grant/1'), { value: 'third', version: 3 })
  })

  test('a record of 300,000 characters comes back whole', async (context) => {
    const { store } = await world(context)
    const large = 'é'.repeat(300_000)
    await store.put('grant/1', { large })
    assert.is((await store.get<{ large: string }>('grant/1'))?.value.large === large, true)
  })

  test('cas writes only at the expected version and tells so', async (context) => {
    const { store } = await world(context)
    assert.not(await store.cas('grant/1', 1, 'x'))
    assert.is(await store.get('grant/1'), undefined)
    assert.ok(await store.cas('grant/1', ABSENT, 'first'))
    assert.not(await store.cas('grant/1', ABSENT, 'again'))
    assert.not(await store.cas('grant/1', 2, 'ahead'))
    assert.ok(await store.cas('grant/1', 1, 'second'))
    assert.not(await store.cas('grant/1', 1, 'behind'))
    assert.equal(await store.get('grant/1'), { value: 'second', version: 2 })
  })

  test('cas without a value deletes', async (context) => {
    const { store } = await world(context)
    await store.put('grant/1', 'x', { indexes: ['all'] })
    assert.not(await store.cas('grant/1', 2, undefined))
    assert.ok(await store.cas('grant/1', 1, undefined))
    assert.is(await store.get('grant/1'), undefined)
    assert.equal(await collect(store.list('all')), [])
    assert.ok(await store.cas('grant/1', ABSENT, undefined), 'absent is what it was asked to be')
  })

  test('a key that was deleted and made anew is not taken for the old one', async (context) => {
    const { store } = await world(context)
    await store.put('link/a', 'old')
    const seen = await store.get('link/a')
    await store.put('link/a', undefined)
    await store.put('link/a', 'new')
    assert.not(await store.cas('link/a', seen?.version ?? -1, 'refreshed old'))
    assert.is((await store.get('link/a'))?.value, 'new')
  })

  test('of 50 parallel cas on one key exactly one wins', async (context) => {
    const { store } = await world(context)
    for (const expected of [ABSENT, 1, 2]) {
      const won = await Promise.all(
        Array.from({ length: 50 }, (_, at) => store.cas('grant/1', expected, `${expected}:${at}`)),
      )
      assert.is(won.filter(Boolean).length, 1)
      assert.is((await store.get('grant/1'))?.value, `${expected}:${won.indexOf(true)}`)
    }
  })

  test('of parallel puts on one key the last one called stands', async (context) => {
    const { store } = await world(context)
    await Promise.all(Array.from({ length: 20 }, (_, at) => store.put('grant/1', at)))
    assert.equal(await store.get('grant/1'), { value: 19, version: 20 })
  })

  test('an expired record reads as absent from its expiry on', async (context) => {
    const { store, advance } = await world(context)
    await store.put('session/1', 'x', { expiresAtMs: START_MS + 1000 })
    advance(999)
    assert.is((await store.get('session/1'))?.value, 'x')
    advance(1)
    assert.is(await store.get('session/1'), undefined)
    assert.not(await store.cas('session/1', 1, 'late'))
    assert.ok(await store.cas('session/1', ABSENT, 'new'))
    assert.is((await store.get('session/1'))?.value, 'new')
  })

  test('a write replaces the expiry of the write before it', async (context) => {
    const { store, advance } = await world(context)
    await store.put('session/1', 'short', { expiresAtMs: START_MS + 1000 })
    await store.put('session/1', 'kept')
    advance(10_000)
    assert.is((await store.get('session/1'))?.value, 'kept')
  })

  test('list names the keys of an index in order, and only of that index', async (context) => {
    const { store } = await world(context)
    for (const at of ['c', 'a', 'b']) await store.put(`grant/${at}`, at, { indexes: ['x', `only/${at}`] })
    await store.put('grant/other', 'o', { indexes: ['xx', 'x/'] })
    assert.equal(await collect(store.list('x')), ['grant/a', 'grant/b', 'grant/c'])
    assert.equal(await collect(store.list('only/b')), ['grant/b'])
    assert.equal(await collect(store.list('none')), [])
  })

  test('each write replaces the whole set of indexes', async (context) => {
    const { store } = await world(context)
    await store.put('grant/1', 1, { indexes: ['a', 'b', 'b'] })
    await store.put('grant/1', 2, { indexes: ['b', 'c'] })
    assert.equal(await collect(store.list('a')), [])
    assert.equal(await collect(store.list('b')), ['grant/1'])
    assert.equal(await collect(store.list('c')), ['grant/1'])
    await store.put('grant/1', 3)
    assert.equal(await collect(store.list('b')), [])
  })

  test('a refused cas leaves the indexes as they are', async (context) => {
    const { store } = await world(context)
    await store.put('grant/1', 1, { indexes: ['a'] })
    assert.not(await store.cas('grant/1', 7, 2, { indexes: ['b'] }))
    assert.equal(await collect(store.list('a')), ['grant/1'])
    assert.equal(await collect(store.list('b')), [])
  })

  test('an index named by a subject of 2,000 characters works', async (context) => {
    const { store } = await world(context)
    const subject = `subject/oidc/https://login.example/${'t'.repeat(2000)}#ü/%00`
    await store.put('grant/1', 1, { indexes: [subject] })
    assert.equal(await collect(store.list(subject)), ['grant/1'])
    assert.equal(await collect(store.list(`${subject}x`)), [])
  })

  test('list goes on while records of its index are written and deleted', async (context) => {
    const { store } = await world(context)
    const key = (at: number) => `grant/${String(at).padStart(4, '0')}`
    const numbers = Array.from({ length: 1000 }, (_, at) => at)
    await Promise.all(numbers.map((at) => store.put(key(at), at, { indexes: ['all'] })))
    const seen: string[] = []
    for await (const found of store.list('all')) {
      seen.push(found)
      if (seen.length % 10 !== 0) continue
      await store.put(found, undefined)
      await store.put(`${found}-again`, 'x', { indexes: ['all'] })
    }
    assert.equal(
      seen.filter((found) => !found.endsWith('-again')),
      numbers.map(key),
    )
  })

  test('leaving a list early and listing again starts anew', async (context) => {
    const { store } = await world(context)
    for (const at of ['a', 'b']) await store.put(`grant/${at}`, at, { indexes: ['all'] })
    for await (const found of store.list('all')) {
      assert.is(found, 'grant/a')
      break
    }
    assert.equal(await collect(store.list('all')), ['grant/a', 'grant/b'])
  })

  test('values share no reference with the store', async (context) => {
    const { store } = await world(context)
    const value = { scopes: ['a'] }
    const written = store.put('grant/1', value, { indexes: ['all'] })
    value.scopes.push('after the call')
    await written
    const first = await store.get<typeof value>('grant/1')
    first?.value.scopes.push('after the read')
    assert.equal((await store.get('grant/1'))?.value, { scopes: ['a'] })
  })

  test('a put that must try again still writes what it was called with', async (context) => {
    const { store } = await world(context)
    const values = Array.from({ length: 10 }, (_, at) => ({ at }))
    const writes = values.map((value) => store.put('grant/1', value))
    for (const value of values) value.at = -1
    await Promise.all(writes)
    assert.equal(await store.get('grant/1'), { value: { at: 9 }, version: 10 })
  })

  test('what cannot be a key is absent for readers and refused to writers', async (context) => {
    const { store } = await world(context)
    for (const key of [
      '',
      'grant/\0',
      'grant/\ud800',
      `grant/${'k'.repeat(1024)}`,
      `grant/${'€'.repeat(350)}`,
    ]) {
      assert.is(await store.get(key), undefined)
      assert.instance(await rejection(store.put(key, 1)), TypeError)
      assert.instance(await rejection(store.cas(key, ABSENT, 1)), TypeError)
    }
    const longest = `user/${'k'.repeat(1019)}`
    await store.put(longest, 1, { indexes: ['all'], expiresAtMs: START_MS + 1 })
    assert.equal(await collect(store.list('all')), [longest])
  })

  test('an expiry that is not a time is refused, or the record would live for ever', async (context) => {
    const { store } = await world(context)
    assert.instance(await rejection(store.put('grant/1', 1, { expiresAtMs: Number.NaN })), TypeError)
    assert.is(await store.get('grant/1'), undefined)
  })

  test('a refused write does not name the person its key names', async (context) => {
    const { store } = await world(context)
    const { message } = await rejection(store.put(`user/users/alice${'x'.repeat(1100)}`, 1))
    assert.match(message, 'user record')
    assert.not.match(message, 'alice')
  })

  test('a closed store answers nothing, and closing twice is fine', async (context) => {
    const { store } = await world(context)
    await store.put('grant/1', 1)
    await store.close()
    await store.close()
    for (const work of [store.get('grant/1'), store.put('grant/1', 2), store.cas('grant/1', 1, 2)]) {
      assert.match((await rejection(work)).message, 'closed')
    }
    assert.match((await rejection((async () => collect(store.list('all')))())).message, 'closed')
  })

  test.run()
}
