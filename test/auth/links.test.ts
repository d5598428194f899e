// Links in the store: sealed, found under their fingerprint alone, and changed only by who has seen the newest.
import * as assert from 'uvu/assert'
import { accountOf, createLinks, type Links } from '../../src/auth/links.ts'
import { hashToken } from '../../src/oauth/tokens.ts'
import type { Subject } from '../../src/slots.ts'
import { randomKeyring } from '../../src/store/keyring.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { indexes, keys, type Link } from '../../src/store/records.ts'
import { createSealer, type Sealer } from '../../src/store/seal.ts'
import type { Store } from '../../src/store/store.ts'
import type { UpstreamTokens } from '../../src/upstream/server.ts'
import { suite } from '../support/suite.ts'

const test = suite('auth/links')
const DAY_MS = 24 * 60 * 60 * 1000
const ALICE = 'users/alice' as Subject
const BOB = 'users/bob' as Subject

const tokens = (name: string): UpstreamTokens => ({
  accessToken: `access-${name}`,
  refreshToken: `refresh-${name}`,
  obtainedAtMs: 0,
  expiresAtMs: 3_600_000,
  scope: `scope-${name}`,
})

interface World {
  store: Store
  sealer: Sealer
  links: Links
  /** Another process on the same store. */
  elsewhere: Links
  clock: { nowMs: number }
  /** The record as it lies there. */
  stored(subject: Subject, fingerprint: string): Promise<Link | undefined>
  found(subject?: Subject, fingerprint?: string): Promise<Awaited<ReturnType<Links['find']>> & object>
}

function world(): World {
  const clock = { nowMs: 1_700_000_000_000 }
  const now = () => clock.nowMs
  const store = memoryStore(now)
  const sealer = createSealer(randomKeyring())
  const links = createLinks(store, sealer, now)
  return {
    store,
    sealer,
    links,
    elsewhere: createLinks(store, sealer, now),
    clock,
    stored: async (subject, fingerprint) =>
      (await store.get<Link>(keys.link(hashToken(subject), fingerprint)))?.value,
    found: async (subject = ALICE, fingerprint = 'f1') => {
      const link = await links.find(subject, fingerprint)
      if (link === undefined) throw new Error('no link')
      return link
    },
  }
}

test('a link is found by its person and its fingerprint, and by nothing else', async () => {
  const { links, found } = world()
  await links.save(ALICE, 'f1', tokens('a'), ['repo'])
  assert.equal((await found()).tokens, tokens('a'))
  assert.equal((await found()).link.asked, ['repo'])
  assert.is((await found()).link.granted, 'scope-a')
  assert.is(await links.find(ALICE, 'f2'), undefined)
  assert.is(await links.find(BOB, 'f1'), undefined)
})

test('sec-S1: nothing of the tokens lies in the store in clear', async () => {
  const { links, stored } = world()
  await links.save(ALICE, 'f1', tokens('canary'), [])
  assert.not.match(JSON.stringify(await stored(ALICE, 'f1')), /access-canary|refresh-canary/)
})

test("sec-S2: a link that was moved to another person's place does not open", async () => {
  const { links, store, stored } = world()
  await links.save(ALICE, 'f1', tokens('a'), [])
  await store.put(keys.link(hashToken(BOB), 'f1'), await stored(ALICE, 'f1'))
  await store.put(keys.link(hashToken(ALICE), 'f2'), await stored(ALICE, 'f1'))
  assert.is(await links.find(BOB, 'f1'), undefined)
  assert.is(await links.find(ALICE, 'f2'), undefined)
})

test('what another process wrote is seen at once', async () => {
  const { links, elsewhere, found } = world()
  await links.save(ALICE, 'f1', tokens('a'), [])
  await found()
  await elsewhere.save(ALICE, 'f1', tokens('b'), [])
  assert.equal((await found()).tokens, tokens('b'))
})

test('a refresh replaces the tokens and keeps what was asked; a scope that is not repeated stays', async () => {
  const { links, found } = world()
  await links.save(ALICE, 'f1', tokens('a'), ['repo'])
  assert.ok(await links.renew(await found(), { ...tokens('b'), scope: undefined }))
  const { link, tokens: renewed } = await found()
  assert.is(renewed.accessToken, 'access-b')
  assert.equal([link.asked, link.granted], [['repo'], 'scope-a'])
})

test('a sign-in that happened meanwhile wins over a refresh and over a burial of the older tokens', async () => {
  const { links, elsewhere, found } = world()
  await links.save(ALICE, 'f1', tokens('a'), [])
  const before = await found()
  await elsewhere.save(ALICE, 'f1', tokens('newer'), [])
  assert.not.ok(await links.renew(before, tokens('b')))
  await links.bury(before)
  const { link, tokens: current } = await found()
  assert.equal([current.accessToken, link.dead], ['access-newer', false])
})

test('of two refreshes of the same tokens the first counts', async () => {
  const { links, elsewhere, found } = world()
  await links.save(ALICE, 'f1', tokens('a'), [])
  const before = await found()
  assert.equal(
    [await links.renew(before, tokens('b')), await elsewhere.renew(before, tokens('c'))],
    [true, false],
  )
  assert.is((await found()).tokens.accessToken, 'access-b')
})

test('sec-T5: a refreshed token is never lost because somebody used the link meanwhile', async () => {
  const { links, elsewhere, found, clock } = world()
  await links.save(ALICE, 'f1', tokens('a'), [])
  const before = await found()
  clock.nowMs += 2 * DAY_MS
  await elsewhere.find(ALICE, 'f1')
  assert.ok(await links.renew(before, tokens('b')), 'it was only touched')
  assert.is((await found()).tokens.accessToken, 'access-b')
})

test('what was found can be buried and renewed, also when finding it touched it', async () => {
  const { links, found, clock } = world()
  await links.save(ALICE, 'f1', tokens('a'), [])
  clock.nowMs += 2 * DAY_MS
  await links.bury(await found())
  const buried = await found()
  assert.ok(buried.link.dead)
  assert.equal(buried.tokens, tokens('a'), 'the tokens are kept (design §6.9)')
})

test('sec-T5: tokens that a refresh brings for a link that was buried meanwhile make it good again', async () => {
  const { links, elsewhere, found } = world()
  await links.save(ALICE, 'f1', tokens('a'), ['repo'])
  const before = await found()
  // Another process, too late with the same refresh token, was told that it is spent.
  await elsewhere.bury(before)
  assert.ok(await links.renew(before, tokens('b')))
  const renewed = await found()
  assert.equal([renewed.tokens.accessToken, renewed.link.dead], ['access-b', false])
  await elsewhere.bury(before)
  assert.not.ok((await found()).link.dead, 'the older ones are not meant any more')
  await elsewhere.bury(renewed)
  assert.ok((await found()).link.dead)
  assert.not.ok(await links.renew(before, tokens('c')), 'what was refused later stays refused')
  assert.ok((await found()).link.dead)
})

test('a link that is removed is gone for everybody, and gives back what it held, once', async () => {
  const { links, elsewhere, found } = world()
  await links.save(ALICE, 'f1', tokens('a'), [])
  await links.save(BOB, 'f1', tokens('b'), [])
  const before = await found()
  assert.equal((await elsewhere.remove(ALICE, 'f1'))?.tokens, tokens('a'))
  assert.is(await links.find(ALICE, 'f1'), undefined)
  assert.is(await links.remove(ALICE, 'f1'), undefined)
  assert.not.ok(await links.renew(before, tokens('c')), 'a refresh that was under way does not bring it back')
  assert.is(await links.find(ALICE, 'f1'), undefined)
  assert.equal((await found(BOB)).tokens, tokens('b'))
})

test('what is wanted is asked for next time, is forgotten once it was, and does not pile up', async () => {
  const { links, found } = world()
  await links.save(ALICE, 'f1', tokens('a'), ['repo'])
  assert.ok(await links.want(await found(), ['repo', 'gist']))
  assert.ok(await links.want(await found(), ['admin']))
  assert.equal((await found()).link.wanted, ['gist', 'admin'])
  await links.save(ALICE, 'f1', tokens('b'), ['repo', 'gist'])
  assert.equal((await found()).link.wanted, ['admin'], 'demanded while the person was away')

  const many = Array.from({ length: 50 }, (_, index) => `s${index}`)
  assert.not.ok(await links.want(await found(), many), 'there is room for 49')
  assert.not.ok(await links.want(await found(), ['x'.repeat(101)]))
  assert.equal((await found()).link.wanted, ['admin'])
  await links.save(
    ALICE,
    'f1',
    tokens('c'),
    Array.from({ length: 200 }, (_, index) => `asked${index}`),
  )
  assert.not.ok(await links.want(await found(), ['one-more']), 'people are asked for 200 at most')
})

test('what the server refuses is wanted no more, until it is demanded again or asked for', async () => {
  const { links, found, clock } = world()
  await links.save(ALICE, 'f1', tokens('a'), ['repo'])
  await links.want(await found(), ['gist', 'admin'])
  await links.refuse(await found(), ['gist'])
  const atMs = clock.nowMs
  assert.equal(
    [(await found()).link.wanted, (await found()).link.refused],
    [['admin'], { scopes: ['gist'], atMs }],
  )

  await links.save(ALICE, 'f1', tokens('b'), ['repo', 'admin'])
  assert.equal((await found()).link.refused?.scopes, ['gist'], 'a new sign-in has not asked for it')
  await links.want(await found(), ['gist'])
  assert.equal([(await found()).link.wanted, (await found()).link.refused?.scopes], [['gist'], []])
  await links.refuse(await found(), ['gist', 'repo'])
  await links.save(ALICE, 'f1', tokens('c'), ['gist'])
  assert.equal((await found()).link.refused?.scopes, ['repo'])

  const many = Array.from({ length: 250 }, (_, index) => `s${index}`)
  await links.refuse(await found(), many)
  assert.is((await found()).link.refused?.scopes.length, 200, 'it does not pile up')
  assert.not.ok(await links.want(await found(), ['one-more']), 'nor is anybody asked for ever more')
})

test('a link in use is kept, one that nobody used for 90 days is gone', async () => {
  const { links, clock } = world()
  await links.save(ALICE, 'f1', tokens('a'), [])
  for (let days = 0; days < 100; days += 20) {
    clock.nowMs += 20 * DAY_MS
    assert.ok(await links.find(ALICE, 'f1'), `day ${days + 20}`)
  }
  clock.nowMs += 90 * DAY_MS
  assert.is(await links.find(ALICE, 'f1'), undefined)
})

test('sec-L14: a link is listed as its person’s after every write of it, and each keeps it for 90 days', async () => {
  const writes: Record<string, (links: Links) => Promise<unknown>> = {
    'a sign-in': (links) => links.save(ALICE, 'f1', tokens('a'), []),
    'a refresh': async (links) => links.renew(await opened(links), tokens('b')),
    'a demand': async (links) => links.want(await opened(links), ['more']),
    'a burial': async (links) => links.bury(await opened(links)),
    'its use': (links) => opened(links),
  }
  const opened = async (links: Links) => {
    const found = await links.find(ALICE, 'f1')
    if (found === undefined) throw new Error('no link')
    return found
  }
  for (const [name, write] of Object.entries(writes)) {
    const { links, store, stored, clock } = world()
    await links.save(ALICE, 'f1', tokens('first'), [])
    clock.nowMs += 2 * DAY_MS
    await write(links)
    const listed: string[] = []
    for await (const key of store.list(indexes.bySubject(ALICE))) listed.push(key)
    assert.equal(listed, [keys.link(hashToken(ALICE), 'f1')], name)
    clock.nowMs += 90 * DAY_MS - 1
    assert.ok(await stored(ALICE, 'f1'), name)
    clock.nowMs += 1
    assert.is(await stored(ALICE, 'f1'), undefined, name)
  }
})

test('reading a link that is in daily use writes nothing', async () => {
  const { links, store, clock } = world()
  await links.save(ALICE, 'f1', tokens('a'), [])
  const key = keys.link(hashToken(ALICE), 'f1')
  const { version } = (await store.get(key)) ?? {}
  for (let hour = 0; hour < 23; hour++) {
    clock.nowMs += DAY_MS / 24
    await links.find(ALICE, 'f1')
  }
  assert.is((await store.get(key))?.version, version)
})

test('a link that is used while it is removed is removed all the same', async () => {
  const { store, sealer, clock } = world()
  const now = () => clock.nowMs
  let isUsed = false
  const links = createLinks(
    {
      ...store,
      async cas(key, expected, value, options) {
        if (value === undefined && !isUsed) {
          isUsed = true
          // Touched by a call of another process.
          await store.put(key, (await store.get(key))?.value)
        }
        return store.cas(key, expected, value, options)
      },
    },
    sealer,
    now,
  )
  await links.save(ALICE, 'f1', tokens('a'), [])
  assert.equal((await links.remove(ALICE, 'f1'))?.tokens, tokens('a'))
  assert.ok(isUsed)
  assert.is(await links.find(ALICE, 'f1'), undefined)
})

test('each sign-in is another account unless it is said to be the same; a refresh is not', async () => {
  const { links, found } = world()
  const accounts: unknown[] = []
  const save = async (name: string, sameAs?: Awaited<ReturnType<typeof found>>) => {
    await links.save(ALICE, 'f1', tokens(name), [], sameAs)
    accounts.push(accountOf(await found()))
  }
  await save('one')
  await save('two')
  await save('three', await found())
  await links.renew(await found(), tokens('four'))
  accounts.push(accountOf(await found()))
  const [first, second, ...same] = accounts
  assert.ok(Number(second) > Number(first), 'also in one millisecond')
  assert.equal(same, [second, second])
})

test.run()
