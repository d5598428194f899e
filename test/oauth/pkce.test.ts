// PKCE: S256 and nothing else.
import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import { OAuthError } from '../../src/errors.ts'
import { parseParameters } from '../../src/oauth/parameters.ts'
import { checkChallenge, isVerifierOf } from '../../src/oauth/pkce.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/pkce')

/** RFC 7636, appendix B. */
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

test('the example of RFC 7636 verifies', () => {
  assert.is(
    checkChallenge(parseParameters(`code_challenge=${CHALLENGE}&code_challenge_method=S256`)),
    CHALLENGE,
  )
  assert.ok(isVerifierOf(CHALLENGE, VERIFIER))
})

test('spec-A2: no challenge, another method or another form is invalid_request', () => {
  const refused = {
    'no challenge': 'code_challenge_method=S256',
    'no method, which means plain': `code_challenge=${CHALLENGE}`,
    plain: `code_challenge=${VERIFIER}&code_challenge_method=plain`,
    'another case': `code_challenge=${CHALLENGE}&code_challenge_method=s256`,
    'an unknown method': `code_challenge=${CHALLENGE}&code_challenge_method=S512`,
    'one character short': `code_challenge=${CHALLENGE.slice(1)}&code_challenge_method=S256`,
    'one character long': `code_challenge=${CHALLENGE}A&code_challenge_method=S256`,
    'with padding': `code_challenge=${CHALLENGE.slice(1)}%3D&code_challenge_method=S256`,
    'base64, not base64url': `code_challenge=${CHALLENGE.slice(1)}%2B&code_challenge_method=S256`,
    'a line break behind it': `code_challenge=${CHALLENGE}%0A&code_challenge_method=S256`,
  }
  for (const [name, text] of Object.entries(refused)) {
    const check = () => checkChallenge(parseParameters(text))
    assert.throws(
      check,
      (error: unknown) => error instanceof OAuthError && error.code === 'invalid_request',
      name,
    )
  }
})

test('only the verifier that was hashed fits, and only in the form of RFC 7636 §4.1', () => {
  const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url')
  const rightHashWrongForm = {
    'too short': 'a'.repeat(42),
    'too long': 'a'.repeat(129),
    'a space': `${'a'.repeat(42)} `,
    'a letter beyond ASCII': `${'a'.repeat(42)}é`,
    'a line break': `${'a'.repeat(43)}\n`,
    empty: '',
  }
  for (const [name, verifier] of Object.entries(rightHashWrongForm)) {
    assert.not.ok(isVerifierOf(challengeOf(verifier), verifier), name)
  }
  for (const verifier of ['a'.repeat(43), 'a'.repeat(128), `${'a'.repeat(40)}-._~`]) {
    assert.ok(isVerifierOf(challengeOf(verifier), verifier), verifier)
    assert.not.ok(isVerifierOf(CHALLENGE, verifier), verifier)
  }
  assert.not.ok(isVerifierOf(CHALLENGE, undefined))
  assert.not.ok(isVerifierOf(CHALLENGE, CHALLENGE), 'the challenge itself, as `plain` would have it')
})

test.run()
