// What is written about somebody while they leave the configuration, at every moment between the two.
import * as assert from 'uvu/assert'
import { admitUsers, forgetDepartedUsers } from '../../src/departed.ts'
import type { Deps } from '../../src/endpoints/endpoint.ts'
import { codeReply } from '../../src/endpoints/grants.ts'
import { epochOf } from '../../src/endpoints/known-subjects.ts'
import { currentSession, startSession } from '../../src/endpoints/sessions.ts'
import { issueAccessToken, type TokenRequest } from '../../src/endpoints/token/issue.ts'
import { OAuthError, PageError } from '../../src/errors.ts'
import type { Gateway, Route } from '../../src/gateway.ts'
import type { Login, Subject } from '../../src/slots.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { indexes, keys, type Transaction } from '../../src/store/records.ts'
import { suite } from '../support/suite.ts'

const test = suite('endpoints/known-subjects')
const ANN = 'users/ann' as Subject
const BOB = 'users/bob' as Subject

const route = { name: 'a', scopes: [], auth: {}, hierarchy: undefined } as unknown as Route
const transaction = { clientId: 'client', redirectUri: 'https://client.test/cb', scopes: [], wished: [] }

/** A generation whose file names these users. */
function naming(...names: Subject[]): Gateway {
  const reusableNames = new Set(names)
  return {
    issuer: 'https://gateway.example',
    cookies: { session: 'session' },
    tokens: { access_ttl_ms: 1000 },
    routes: new Map([['a', route]]),
    reusableNames,
    knows: (subject: Subject) => reusableNames.has(subject),
    profile: (subject: Subject) => (reusableNames.has(subject) ? { name: subject } : undefined),
  } as unknown as Gateway
}

function scene() {
  const store = memoryStore(() => 0)
  const events: string[] = []
  const log = { info: (event: string) => events.push(event), warn: (event: string) => events.push(event) }
  const deps = { store, now: () => 0, log } as unknown as Deps
  const both = naming(ANN, BOB)
  const login = { reusableNames: both.reusableNames, sessionTtlMs: 1000 } as Login

  async function keysOf(subject: Subject) {
    const found: string[] = []
    for await (const key of store.list(indexes.bySubject(subject)))
      if ((await store.get(key)) !== undefined) found.push(key)
    return found.sort()
  }

  const request = { gateway: both, deps } as TokenRequest
  const person = async (subject: Subject) => ({ subject, epoch: await epochOf(subject, deps) })
  type Person = Awaited<ReturnType<typeof person>>
  return {
    deps,
    both,
    events,
    keysOf,
    recordsOf: async (subject: Subject) => (await keysOf(subject)).map((key) => key.split('/')[0]),
    person,
    signIn: (who: Person) => startSession(who, login, both, deps),
    consent: (who: Person) => codeReply(transaction as unknown as Transaction, who, route, both, deps, []),
    token: ({ subject, epoch }: Person) =>
      issueAccessToken({ subject, clientId: 'client', route: 'a', scopes: [] }, epoch, request),
    async leaves() {
      await forgetDepartedUsers(naming(BOB), deps)
    },
    async comesBack() {
      await admitUsers(both, deps)
      await forgetDepartedUsers(both, deps)
    },
    sessionOf(setCookie: string) {
      const cookie = /=([^;]*)/.exec(setCookie)?.[1] ?? ''
      return currentSession({ cookies: new Map([['session', cookie]]) } as never, both, deps)
    },
  }
}

const WRITES = [
  ['signIn', 'session', PageError],
  ['consent', 'grant', PageError],
  ['token', 'grant', OAuthError],
] as const

for (const [write, kind, refusal] of WRITES) {
  test(`sec-L14: ${write} of somebody who leaves meanwhile is refused and leaves nothing, also their very first`, async () => {
    for (const isBack of [false, true]) {
      const world = scene()
      await admitUsers(world.both, world.deps)
      const ann = await world.person(ANN)
      await world.leaves()
      if (isBack) await world.comesBack()
      assert.instance(await world[write](ann).catch((error: unknown) => error), refusal)
      assert.equal(await world.recordsOf(ANN), [])
    }
  })

  test(`sec-L14: ${write} that began where the name had not left is refused as well once it is another person’s`, async () => {
    const world = scene()
    await admitUsers(world.both, world.deps)
    await world.leaves()
    const ann = await world.person(ANN)
    await world.comesBack()
    assert.instance(await world[write](ann).catch((error: unknown) => error), refusal)
    assert.equal(await world.recordsOf(ANN), [])
  })

  test(`${write} of somebody who stays goes on, whoever leaves and however often`, async () => {
    const world = scene()
    await admitUsers(world.both, world.deps)
    const bob = await world.person(BOB)
    await world.leaves()
    await world[write](bob)
    await world.comesBack()
    await world.leaves()
    assert.equal(await world.recordsOf(BOB), [kind])
  })
}

test('sec-L14: what a process wrote that died before it could look is forgotten when the name comes back, and only then', async () => {
  const { deps, both, signIn, consent, person, leaves, comesBack, recordsOf, events } = scene()
  await admitUsers(both, deps)
  await leaves()
  await deps.store.put(keys.link('hash', 'f'), { subject: ANN }, { indexes: [indexes.bySubject(ANN)] })
  await comesBack()
  assert.equal(await recordsOf(ANN), [])
  assert.equal(events.filter((event) => event === 'user forgotten').length, 1)
  const ann = await person(ANN)
  await signIn(ann)
  await consent(ann)
  await comesBack()
  assert.equal(await recordsOf(ANN), ['grant', 'session'])
})

test('sec-L14: a session of another epoch is worth nothing, whoever left it', async () => {
  const { deps, keysOf, person, signIn, sessionOf, leaves, comesBack, both } = scene()
  await admitUsers(both, deps)
  const cookie = await signIn(await person(ANN))
  const [key = ''] = await keysOf(ANN)
  const session = await deps.store.get(key)
  assert.is((await sessionOf(cookie))?.subject, ANN)
  await leaves()
  await comesBack()
  await deps.store.put(key, session?.value, { indexes: [indexes.bySubject(ANN)] })
  assert.is(await sessionOf(cookie), undefined)
})

test('a person whose name left elsewhere signs in again here, where it did not', async () => {
  const { deps, both, person, signIn, sessionOf, leaves } = scene()
  await admitUsers(both, deps)
  await leaves()
  const cookie = await signIn(await person(ANN))
  assert.is((await sessionOf(cookie))?.subject, ANN)
})

test('a session from before there were epochs is good still', async () => {
  const { deps, keysOf, both, signIn, person, sessionOf } = scene()
  const cookie = await signIn(await person(ANN))
  const [key = ''] = await keysOf(ANN)
  const { epoch: _, ...older } = (await deps.store.get<{ epoch?: number }>(key))?.value ?? {}
  await deps.store.put(key, older, { indexes: [indexes.bySubject(ANN)] })
  await admitUsers(both, deps)
  assert.is((await sessionOf(cookie))?.subject, ANN)
})

test('a disk that takes no new record keeps no configuration from taking effect', async () => {
  const { deps, both, events } = scene()
  const full = { ...deps.store, cas: () => Promise.reject(new Error('the disk is nearly full')) }
  await admitUsers(both, { ...deps, store: full })
  assert.equal(events, ['not all users could be noted yet'])
})

test.run()
