// The form of the gateway's own tokens: what is taken for one, and what is stored of it.
import * as assert from 'uvu/assert'
import {
  hashToken,
  mintGrantId,
  mintSecret,
  mintToken,
  parseToken,
  sameHash,
  type TokenKind,
} from '../../src/oauth/tokens.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/tokens')
const KINDS: readonly TokenKind[] = ['code', 'access', 'refresh']

test('a minted token is found by its grant id and known by its hash alone', () => {
  for (const kind of KINDS) {
    const grantId = mintGrantId()
    const token = mintToken(kind, grantId)
    assert.equal(parseToken(kind, token), { kind, grantId, hash: hashToken(token) })
    const [, secret = ''] = token.split('.')
    assert.is(Buffer.from(secret, 'base64url').length, 32, '256 bits')
    assert.not.ok(hashToken(token).includes(secret))
  }
})

test('a token of one kind is none of another', () => {
  for (const kind of KINDS) {
    const token = mintToken(kind, mintGrantId())
    for (const other of KINDS) {
      if (other !== kind) assert.is(parseToken(other, token), undefined, `${kind} as ${other}`)
    }
  }
})

test('whatever was not minted here is no token', () => {
  const token = mintToken('access', mintGrantId())
  const near = [
    undefined,
    '',
    token.slice(0, -1),
    `${token}A`,
    `${token}\n`,
    ` ${token}`,
    token.replace('mga_', 'mga-'),
    token.replace('mga_', 'MGA_'),
    token.replace('.', ''),
    token.replace('.', '..'),
    token.replace(/.$/, '='),
    token.replace(/.$/, 'é'),
    'eyJhbGciOiJub25lIn0.e30.',
    'gho_16C7e42F292c6912E7710c838347Ae178B4a',
    'mga_../../session/x.',
  ]
  for (const presented of near) assert.is(parseToken('access', presented), undefined, String(presented))
})

test('no two are alike', () => {
  const minted = Array.from({ length: 1000 }, () => [
    mintSecret(),
    mintToken('access', 'x'),
    mintGrantId(),
  ]).flat()
  assert.is(new Set(minted).size, 3000)
})

test('hashes are compared whole', () => {
  const hash = hashToken('a')
  assert.ok(sameHash(hash, hashToken('a')))
  assert.not.ok(sameHash(hash, hashToken('b')))
  assert.not.ok(sameHash(hash, hash.slice(0, -1)))
  assert.not.ok(sameHash(hash, ''))
  assert.not.ok(sameHash(hash, 'é'.repeat(43)), 'as long in characters, not in bytes')
})

test.run()
