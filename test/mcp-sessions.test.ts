// What is kept of the MCP sessions that upstreams give out, and for how long. Who may use them is in flow/mcp-sessions.
import * as assert from 'uvu/assert'
import { HttpError } from '../src/errors.ts'
import { createMcpSessions } from '../src/mcp-sessions.ts'
import type { Log } from '../src/ops/log.ts'
import type { Caller, Subject } from '../src/slots.ts'
import { memoryStore } from '../src/store/memory.ts'
import type { Store } from '../src/store/store.ts'
import { suite } from './support/suite.ts'

const test = suite('mcp-sessions')
const HOUR_MS = 60 * 60_000
const DAY_MS = 24 * HOUR_MS
const UPSTREAM = new URL('https://mcp.example/mcp')
const SAME_ORIGIN = new URL('https://mcp.example/other?x=1')
const ELSEWHERE = new URL('https://mcp.example:8443/mcp')

const callerOf = (name: string): Caller => ({
  subject: `users/${name}` as Subject,
  profile: { kind: 'person', name, groups: [], claims: {} },
  clientId: 'c',
  grantId: 'g',
  tokenHash: 'h',
  route: 'one',
  scopes: [],
})
const OWNER = callerOf('owner')
const THIEF = callerOf('thief')

function scene() {
  let nowMs = 1_000_000
  const inner = memoryStore(() => nowMs)
  const written = new Set<string>()
  let before: (() => unknown) | undefined
  const store: Store = {
    ...inner,
    cas(key, ...rest) {
      written.add(key)
      const work = before
      before = undefined
      const write = () => inner.cas(key, ...rest)
      return work === undefined ? write() : Promise.resolve(work()).then(write)
    },
  }
  const warnings: string[] = []
  const quiet = () => {}
  const log = { debug: quiet, info: quiet, error: quiet, warn: (text: string) => warnings.push(text) }
  const inProcess = () => createMcpSessions(store, () => nowMs, log as unknown as Log)
  const sessions = inProcess()
  return {
    warnings,
    /** Another one beside that of the methods below, on the same store. */
    inProcess,
    /** What happens between the next write's look at its record and the write. */
    beforeWrite(work: () => unknown) {
      before = work
    },
    pass(ms: number) {
      nowMs += ms
    },
    remember: (id: string, caller = OWNER, upstream = UPSTREAM) => sessions.remember(id, caller, upstream),
    forget: (id: string, caller = OWNER) => sessions.forget(id, caller, UPSTREAM),
    use: (id: string, caller = OWNER, upstream = UPSTREAM) => sessions.check(id, caller, upstream),
    async isRefused(id: string, caller = THIEF, upstream = UPSTREAM): Promise<boolean> {
      try {
        await sessions.check(id, caller, upstream)
        return false
      } catch (error) {
        return error instanceof HttpError && error.status === 404
      }
    },
    /** Records that are there, once everything under way is written. */
    async count() {
      await new Promise(setImmediate)
      const entries = await Promise.all([...written].map((key) => inner.get(key)))
      return entries.filter((entry) => entry !== undefined).length
    },
  }
}

test('spec-R8: an id that nobody comes back with is kept for an hour, one that its person used for 30 days', async () => {
  const { remember, use, pass, count, isRefused } = scene()
  remember('used')
  remember('left')
  assert.is(await isRefused('left'), true, 'an attempt of somebody else is no use')
  await use('used')
  await use('used')
  assert.is(await count(), 2)
  pass(HOUR_MS + 1)
  assert.is(await count(), 1)
  assert.is(await isRefused('used'), true)
  pass(29 * DAY_MS)
  await use('used')
  assert.is(await count(), 1)
  pass(29 * DAY_MS)
  assert.is(await isRefused('used'), true, 'each use counts')
  pass(2 * DAY_MS)
  assert.is(await count(), 0)
})

test('spec-R8: an id is bound at its origin: no other path there is a way around, and another origin may give it to somebody else', async () => {
  const { remember, use, isRefused } = scene()
  remember('id')
  remember('id', THIEF, ELSEWHERE)
  assert.is(await isRefused('id', THIEF, SAME_ORIGIN), true)
  assert.is(await isRefused('id', OWNER, ELSEWHERE), true)
  await use('id')
  await use('id', OWNER, SAME_ORIGIN)
  await use('id', THIEF, ELSEWHERE)
})

test('an id that two processes give to two people at once is of both', async () => {
  const { remember, use, inProcess } = scene()
  const other = inProcess()
  remember('constant')
  other.remember('constant', THIEF, UPSTREAM)
  await use('constant')
  await other.check('constant', THIEF, UPSTREAM)
  await use('constant', THIEF)
})

test('a session that its person ends while another process keeps it is gone', async () => {
  const { remember, use, forget, count, inProcess, beforeWrite } = scene()
  remember('a')
  await count()
  beforeWrite(async () => {
    await inProcess().check('a', OWNER, UPSTREAM)
    await count()
  })
  forget('a')
  await use('a', THIEF)
  assert.is(await count(), 0)
})

test('a store that fails is told to the log, and nobody else has to mind', async () => {
  const { remember, use, warnings, beforeWrite, isRefused } = scene()
  beforeWrite(() => Promise.reject(new Error('disk full')))
  remember('lost')
  await use('lost')
  assert.equal(warnings, ['session not bound to its person'])
  remember('lost')
  assert.is(await isRefused('lost'), true)
})

test('a request waits for all that is being written about its id', async () => {
  const { remember, use, beforeWrite, count } = scene()
  let go = () => {}
  const held = new Promise<void>((resolve) => {
    go = resolve
  })
  remember('constant')
  remember('constant', THIEF)
  beforeWrite(() => beforeWrite(() => held))
  await count()
  const used = use('constant', THIEF)
  go()
  await used
})

test('a session that its person ended leaves no record, also when it is ended at its first use', async () => {
  const { remember, use, forget, count } = scene()
  for (const id of ['a', 'b']) {
    remember(id)
    await use(id)
    forget(id)
  }
  remember('never used')
  forget('never used')
  assert.is(await count(), 0)
})

test('nobody ends the session of somebody else, nor one of several people', async () => {
  const { remember, forget, count, isRefused, use } = scene()
  remember('own')
  forget('own', THIEF)
  assert.is(await count(), 1)
  assert.is(await isRefused('own'), true)
  remember('constant')
  remember('constant', THIEF)
  forget('constant')
  assert.is(await count(), 2)
  await use('constant')
  await use('constant', THIEF)
})

test('an id of several people stays one of theirs for as long as any of them uses it', async () => {
  const { remember, pass, use } = scene()
  remember('constant')
  remember('constant', THIEF)
  for (let day = 0; day < 60; day += 20) {
    await use('constant')
    pass(20 * DAY_MS)
  }
  remember('constant')
  await use('constant', THIEF)
})

test('a person gets a thousand ids at once and one a second later; what is beyond is not to be given out and leaves no record', async () => {
  const { remember, pass, count, isRefused, warnings } = scene()
  const taken = Array.from({ length: 1_500 }, (_, index) => remember(`id ${index}`))
  assert.is(taken.filter(Boolean).length, 1_000)
  assert.is(taken.lastIndexOf(true), 999)
  assert.is(await count(), 1_000)
  assert.equal(warnings, ['too many MCP sessions of one person'])
  assert.is(await isRefused('id 999'), true)
  assert.is(remember('mine', THIEF), true, 'others go on')
  pass(1_000)
  assert.is(remember('next'), true)
  assert.is(remember('and next'), false)
})

test('spec-R8: a session is of one upstream account; where nobody says which, and where one id is given to two, it is of none', async () => {
  const sessions = scene().inProcess()
  const isRefused = (id: string, account?: number) =>
    sessions.check(id, OWNER, UPSTREAM, account).then(
      () => false,
      (error: unknown) => error instanceof HttpError && error.status === 404,
    )
  sessions.remember('a', OWNER, UPSTREAM, 1)
  assert.equal([await isRefused('a', 1), await isRefused('a', 2), await isRefused('a')], [false, true, false])
  await new Promise(setImmediate)
  assert.is(await isRefused('a', 2), true, 'also after a use was written')
  sessions.remember('untold', OWNER, UPSTREAM)
  assert.is(await isRefused('untold', 2), false)
  for (const account of [1, 2]) sessions.remember('constant', OWNER, UPSTREAM, account)
  for (const account of [1, 2, 3]) assert.is(await isRefused('constant', account), false)
})

test.run()
