// A transaction in the consent form and in the store: what opens, for how long, and who moves it on.
import * as assert from 'uvu/assert'
import type { Deps } from '../../src/endpoints/endpoint.ts'
import {
  advance,
  loadTransaction,
  openForm,
  sealForm,
  startTransaction,
} from '../../src/endpoints/transactions.ts'
import { PageError } from '../../src/errors.ts'
import type { Gateway } from '../../src/gateway.ts'
import type { VerifiedRedirect } from '../../src/oauth/redirect-uri.ts'
import { type Keyring, randomKeyring } from '../../src/store/keyring.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { createSealer } from '../../src/store/seal.ts'
import { suite } from '../support/suite.ts'

const test = suite('endpoints/transactions')
const MINUTE_MS = 60_000
const HERE = { issuer: 'https://gateway.example' } as Gateway
const ELSEWHERE = { issuer: 'https://staging.example' } as Gateway

function scene(keyring: Keyring = randomKeyring()) {
  const clock = { now: Date.UTC(2026, 0, 1) }
  const now = () => clock.now
  const deps = { store: memoryStore(now), sealer: createSealer(keyring), now } as Deps
  const { transaction } = startTransaction(
    {
      clientId: 'client',
      clientName: undefined,
      clientHost: undefined,
      redirectUri: 'https://client.test/cb' as VerifiedRedirect,
      state: 'state of the client',
      codeChallenge: 'challenge',
      route: 'route',
      scopes: [],
      wished: [],
      upstreamUrl: 'https://upstream.test/mcp',
    },
    deps,
  )
  return { clock, deps, transaction, form: sealForm(transaction, HERE, deps) }
}

const isExpired = (error: unknown) => error instanceof PageError && error.status === 400
const isUsed = (error: unknown) => error instanceof PageError && error.status === 409

async function assertFails(work: Promise<unknown>, fits: (error: unknown) => boolean) {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  assert.ok(fits(error), String(error))
}

test('what went into the form comes out of it, and nobody can read it there', async () => {
  const { deps, form, transaction } = scene()
  const { value, version } = await openForm(form, HERE, deps)
  assert.equal([JSON.stringify(value), version], [JSON.stringify(transaction), 0])
  assert.not.match(
    Buffer.from(form.split('.')[1] ?? '', 'base64url').toString('latin1'),
    'state of the client',
  )
})

test('a form opens under an older key, and not at another gateway that has the same keys', async () => {
  const old = randomKeyring()
  const { form } = scene(old)
  const rotated = scene([randomKeyring()[0], old[0]])
  await openForm(form, HERE, rotated.deps)
  await assertFails(openForm(form, ELSEWHERE, rotated.deps), isExpired)
  await assertFails(openForm(form, HERE, scene().deps), isExpired)
})

test('sec-C5: of two who hold the same form one moves it on', async () => {
  const { deps, form } = scene()
  const [first, second] = [await openForm(form, HERE, deps), await openForm(form, HERE, deps)]
  await advance(first, { stage: 'done' }, deps)
  await assertFails(advance(second, { stage: 'done' }, deps), isUsed)
  assert.is((await openForm(form, HERE, deps)).value.stage, 'done')
})

test('sec-C5, sec-C16: after ten minutes nothing opens and nothing moves, also what began in time', async () => {
  const { clock, deps, form, transaction } = scene()
  clock.now += 10 * MINUTE_MS - 1
  const begun = await openForm(form, HERE, deps)
  clock.now += 1
  await assertFails(openForm(form, HERE, deps), isExpired)
  await assertFails(advance(begun, { stage: 'upstream' }, deps), isExpired)
  await assertFails(loadTransaction(transaction.id, deps), isExpired)
})

test('sec-C5: the record of what was used outlives every form of it, also for a clock that is behind', async () => {
  const { clock, deps, form, transaction } = scene()
  await advance(await openForm(form, HERE, deps), { stage: 'done' }, deps)
  clock.now += 10 * MINUTE_MS + 30_000
  await assertFails(loadTransaction(transaction.id, deps), isExpired)
  const behind = { ...deps, now: () => clock.now - MINUTE_MS }
  assert.is((await openForm(form, HERE, behind)).value.stage, 'done')
})

test.run()
