// What is taken for the name of an upstream account. Where it is shown is in flow/account.
import * as assert from 'uvu/assert'
import { accountName, accountOfIdToken } from '../../src/upstream/account.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/account')

test('sec-R6: a name is not longer than a line, and no character of it is cut in two', () => {
  assert.is(accountName('x'.repeat(5_000)), 'x'.repeat(128))
  assert.is(accountName(`${'x'.repeat(127)}😀😀`), `${'x'.repeat(127)}😀`)
  assert.is(accountName('x'.repeat(128)), 'x'.repeat(128))
})

test('an id_token of more than 16 KiB is not read', () => {
  const idToken = (length: number) => {
    const payload = Buffer.from(JSON.stringify({ name: 'Ann' })).toString('base64url')
    return `e30.${payload}.`.padEnd(length, 's')
  }
  assert.is(accountOfIdToken(idToken(16 * 1024)), 'Ann')
  assert.is(accountOfIdToken(idToken(16 * 1024 + 1)), undefined)
})

test.run()
