import * as assert from 'uvu/assert'
import { hashPassword, PasswordsBusy, verifyPassword } from '../../src/login/password.ts'
import { suite } from '../support/suite.ts'

const test = suite('login/password')

test('a hash is a PHC string with the chosen parameters and its own salt', async () => {
  const [first, second] = await Promise.all([hashPassword('hunter2'), hashPassword('hunter2')])
  assert.match(first ?? '', /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]+\$[\w+/]+$/)
  assert.is.not(first, second)
})

test('the password fits its hash, and no other does', async () => {
  const phc = await hashPassword('correct horse')
  assert.ok(await verifyPassword(phc, 'correct horse'))
  assert.not.ok(await verifyPassword(phc, 'correct horse '))
  assert.not.ok(await verifyPassword(phc, ''))
})

test('a hash made elsewhere with other parameters fits', async () => {
  const { hash } = await import('@node-rs/argon2')
  const phc = await hash('password', { memoryCost: 4096, timeCost: 3, parallelism: 1, outputLen: 24 })
  assert.ok(await verifyPassword(phc, 'password'))
})

test('without a hash nothing fits', async () => {
  assert.not.ok(await verifyPassword(undefined, 'hunter2'))
  assert.not.ok(await verifyPassword(undefined, ''))
})

test('an accent fits however the keyboard composed it', async () => {
  const phc = await hashPassword('caf\u00e9')
  assert.ok(await verifyPassword(phc, 'cafe\u0301'))
})

test('a megabyte of password is refused without hashing it', async () => {
  const phc = await hashPassword('x')
  assert.not.ok(await verifyPassword(phc, 'x'.repeat(1_000_000)))
})

test('two run, sixteen wait, and the next is told to come again', async () => {
  const phc = await hashPassword('x')
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => verifyPassword(phc, 'x')))
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.is(refused.length, 2)
  for (const { reason } of refused) assert.instance(reason, PasswordsBusy)
  assert.ok(await verifyPassword(phc, 'x'), 'and afterwards there is room again')
})

test.run()
