// Which endpoints of a server's metadata are taken.
import * as assert from 'uvu/assert'
import { UpstreamError } from '../../src/errors.ts'
import { checkServerMetadata } from '../../src/upstream/server-metadata.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/server-metadata')
const ISSUER = 'https://as.example'
const GOOD = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  code_challenge_methods_supported: ['S256'],
}
const check = (change: object) =>
  checkServerMetadata({ ...GOOD, ...change }, { issuer: ISSUER, isAssumed: false }, 'sign_in')

const UNUSABLE = [
  'https://user@as.example/x',
  'https://:secret@as.example/x',
  'http://as.example/x',
  'javascript:alert(1)',
  'urn:as:x',
  '/x',
  7,
]
for (const url of UNUSABLE)
  test(`sec-C12: ${url} is no endpoint`, () => {
    for (const name of ['authorization_endpoint', 'token_endpoint', 'registration_endpoint'])
      assert.throws(
        () => check({ [name]: url }),
        (error: unknown) => error instanceof UpstreamError,
      )
    assert.is(check({ revocation_endpoint: url }).revocationEndpoint, undefined)
  })

test('an https address is, and on loopback an http one', () => {
  assert.is(check({}).tokenEndpoint, `${ISSUER}/token`)
  assert.is(
    check({ token_endpoint: 'http://127.0.0.1:8080/token' }).tokenEndpoint,
    'http://127.0.0.1:8080/token',
  )
})

test.run()
