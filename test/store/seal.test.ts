import * as assert from 'uvu/assert'
import { keyringFrom, randomKeyring } from '../../src/store/keyring.ts'
import { createSealer, openUnder, sealUnder } from '../../src/store/seal.ts'
import { suite } from '../support/suite.ts'

const test = suite('store/seal')

const KEY_A = Buffer.alloc(32, 'a').toString('base64url')
const KEY_B = Buffer.alloc(32, 'b').toString('base64url')

test('what was sealed opens again, and every sealing looks different', () => {
  const sealer = createSealer(randomKeyring())
  for (const text of ['', 'token', 'é€😀\0', 'x'.repeat(100_000)]) {
    const sealed = sealer.seal('link', 'link/a', text)
    assert.is(sealer.open('link', 'link/a', sealed), text)
    assert.is.not(sealer.seal('link', 'link/a', text), sealed)
    assert.match(sealed, /^[\w-]{8}\.[\w-]{38,}$/)
  }
})

test('sec-S2: a sealed text moved to another record or another purpose does not open', () => {
  const sealer = createSealer(randomKeyring())
  const sealed = sealer.seal('link', 'link/victim/f', 'token')
  assert.is(sealer.open('link', 'link/attacker/f', sealed), undefined)
  assert.is(sealer.open('link', 'link/victim/g', sealed), undefined)
  assert.is(sealer.open('transaction', 'link/victim/f', sealed), undefined)
})

test('sec-S2: purpose and identity cannot be shifted into each other', () => {
  const sealer = createSealer(randomKeyring())
  const pairs = [
    ['a', 'b/c'],
    ['a/b', 'c'],
    ['a","b', 'c'],
    ['a', 'b","c'],
    ['', 'a/b/c'],
    ['a/b/c', ''],
  ] as const
  for (const [purpose, identity] of pairs) {
    const sealed = sealer.seal(purpose, identity, 'token')
    const opening = pairs.filter(([p, i]) => sealer.open(p, i, sealed) !== undefined)
    assert.equal(opening, [[purpose, identity]])
  }
})

test('a text changed in any character does not open', () => {
  const sealer = createSealer(randomKeyring())
  const sealed = sealer.seal('link', 'a', 'token')
  for (let at = 0; at < sealed.length; at++) {
    const other = sealed[at] === 'A' ? 'B' : 'A'
    const changed = sealed.slice(0, at) + other + sealed.slice(at + 1)
    assert.is(sealer.open('link', 'a', changed), undefined, `character ${at}`)
  }
})

test('a text opens in one spelling only, so that it can be listed as revoked', () => {
  const sealer = createSealer(randomKeyring())
  for (const plain of ['t', 'to', 'tok', 'toke']) {
    const sealed = sealer.seal('registration', 'a', plain)
    const spellings = [`${sealed}=`, `${sealed} `, `${sealed}\n`, ` ${sealed}`, `${sealed}.`, `${sealed}*`]
    const ends = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/']
    spellings.push(...ends.map((end) => sealed.slice(0, -1) + end).filter((text) => text !== sealed))
    for (const text of spellings) assert.is(sealer.open('registration', 'a', text), undefined, text)
  }
})

test('what was never sealed does not open and does not throw', () => {
  const sealer = createSealer(keyringFrom([KEY_A]))
  const keyId = sealer.seal('link', 'a', 'x').slice(0, 8)
  for (const text of [
    '',
    '.',
    'x',
    `${keyId}`,
    `${keyId}.`,
    `${keyId}.AAAA`,
    `.${'A'.repeat(60)}`,
    '\0',
    '😀.😀',
  ]) {
    assert.is(sealer.open('link', 'a', text), undefined)
    assert.is(openUnder('secret', 'a', text), undefined)
  }
})

test('sec-S3: after a rotation old texts open and new ones are sealed under the new key', () => {
  const before = createSealer(keyringFrom([KEY_A]))
  const old = before.seal('link', 'a', 'old')
  const during = createSealer(keyringFrom([KEY_B, KEY_A]))
  assert.is(during.open('link', 'a', old), 'old')
  const fresh = during.seal('link', 'a', 'fresh')
  assert.is(before.open('link', 'a', fresh), undefined)
  const after = createSealer(keyringFrom([KEY_B]))
  assert.is(after.open('link', 'a', fresh), 'fresh')
  assert.is(after.open('link', 'a', old), undefined, 'the retired key is gone')
})

test('sec-S3: a process that has the new key as its second one opens what the others seal', () => {
  const ahead = createSealer(keyringFrom([KEY_B, KEY_A]))
  const behind = createSealer(keyringFrom([KEY_A, KEY_B]))
  assert.is(behind.open('link', 'a', ahead.seal('link', 'a', 'x')), 'x')
  assert.is(ahead.open('link', 'a', behind.seal('link', 'a', 'x')), 'x')
})

test('subkeys differ by key and purpose, are stable, and survive a rotation in the second place', () => {
  const a = createSealer(keyringFrom([KEY_A]))
  const both = createSealer(keyringFrom([KEY_B, KEY_A]))
  assert.is(a.subkey('registration').length, 32)
  assert.equal(a.subkey('registration'), createSealer(keyringFrom([KEY_A])).subkey('registration'))
  assert.not.equal(a.subkey('registration'), a.subkey('cookie'))
  assert.not.equal(a.subkey('registration'), both.subkey('registration'))
  assert.equal(both.subkeys('registration'), [both.subkey('registration'), a.subkey('registration')])
})

test('whoever overwrites a subkey does not change it for others', () => {
  const sealer = createSealer(keyringFrom([KEY_A]))
  const before = sealer.subkey('registration').toString('hex')
  sealer.subkey('registration').fill(0)
  sealer.subkeys('registration')[0]?.fill(0)
  assert.is(sealer.subkey('registration').toString('hex'), before)
})

test('a text under a secret opens with that secret and identity only', () => {
  const sealed = sealUnder('spent refresh token', 'grant/1', 'the next pair')
  assert.is(openUnder('spent refresh token', 'grant/1', sealed), 'the next pair')
  assert.is(openUnder('another token', 'grant/1', sealed), undefined)
  assert.is(openUnder('spent refresh token', 'grant/2', sealed), undefined)
  assert.is(openUnder('spent refresh token', 'grant/1', sealed.slice(0, -4)), undefined)
})

test.run()
