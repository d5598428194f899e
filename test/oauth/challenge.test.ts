// The WWW-Authenticate header, read as clients read it.
import * as assert from 'uvu/assert'
import { bearerChallenge } from '../../src/oauth/challenge.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/challenge')
const resourceMetadata = 'https://gw.example/.well-known/oauth-protected-resource/github'

test('spec-R3: a request without a token learns where to get one, and no error (RFC 6750 §3.1)', () => {
  assert.is(
    bearerChallenge({ scopes: ['mcp:github'], resourceMetadata }),
    `Bearer scope="mcp:github", resource_metadata="${resourceMetadata}"`,
  )
})

test('a refused token is told why', () => {
  const challenge = {
    error: 'invalid_token',
    description: 'it expired',
    scopes: ['a', 'b'],
    resourceMetadata,
  } as const
  assert.is(
    bearerChallenge(challenge),
    `Bearer error="invalid_token", error_description="it expired", scope="a b", resource_metadata="${resourceMetadata}"`,
  )
})

test('an empty scope is left out', () => {
  assert.is(
    bearerChallenge({ scopes: [], resourceMetadata }),
    `Bearer resource_metadata="${resourceMetadata}"`,
  )
})

test('spec-R3: no value can end its quotes or the line', () => {
  const challenge = bearerChallenge({
    error: 'invalid_token',
    description: 'a "quoted\\" text\r\nSet-Cookie: x=y',
    scopes: [],
    resourceMetadata,
  })
  assert.is(
    challenge,
    `Bearer error="invalid_token", error_description="a quoted textSet-Cookie: x=y", resource_metadata="${resourceMetadata}"`,
  )
})

test.run()
