// The gateway's own signing key: one for all processes, sealed, replaced in time, and never unknown to whoever verifies.
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import * as assert from 'uvu/assert'
import { keyringFrom } from '../../src/store/keyring.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { createSealer } from '../../src/store/seal.ts'
import { createSigningKeys } from '../../src/store/signing-keys.ts'
import { suite } from '../support/suite.ts'

const test = suite('store/signing-keys')

const KEY_A = Buffer.alloc(32, 'a').toString('base64url')
const KEY_B = Buffer.alloc(32, 'b').toString('base64url')
const DAY_MS = 24 * 60 * 60_000

function world() {
  let nowMs = 1_800_000_000_000
  const now = () => nowMs
  const store = memoryStore(now)
  return {
    store,
    pass: (days: number) => {
      nowMs += days * DAY_MS
    },
    process: (...keys: string[]) =>
      createSigningKeys(store, createSealer(keyringFrom(keys.length === 0 ? [KEY_A] : keys)), now),
  }
}

const kidOf = (jwt: string) => decodeProtectedHeader(jwt).kid

test('what is signed verifies with what is published; the store and the key set hold no private key', async () => {
  const { store, process } = world()
  const keys = process()
  const jwt = await keys.sign({ iss: 'https://gw.example' }, 'assertion+jwt')
  const published = (await keys.published()) as JSONWebKeySet
  const { payload, protectedHeader } = await jwtVerify(jwt, createLocalJWKSet(published))
  assert.is(payload.iss, 'https://gw.example')
  assert.equal([protectedHeader.alg, protectedHeader.typ], ['ES256', 'assertion+jwt'])
  const [key, ...others] = published.keys
  assert.equal(Object.keys(key ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  assert.equal(others, [])
  assert.not.match(JSON.stringify(await store.get('signing/keys')), '"d"')
})

test('20 processes that need a key at once have the same one', async () => {
  const { process } = world()
  const kids = await Promise.all(
    Array.from({ length: 20 }, async () => kidOf(await process().sign({}, 'JWT'))),
  )
  assert.is(new Set(kids).size, 1)
})

test('a new key is published a day before it signs, and the old one a day longer than it signs', async () => {
  const { pass, process } = world()
  const keys = process()
  const kids = async () => (await keys.published()).keys.map(({ kid }) => kid)
  const first = kidOf(await keys.sign({}, 'JWT'))
  assert.equal(await kids(), [first])
  pass(88)
  assert.equal([await kids(), kidOf(await keys.sign({}, 'JWT'))], [[first], first])
  pass(1)
  const second = (await kids())[0]
  assert.equal(await kids(), [second, first], 'published')
  assert.is(kidOf(await keys.sign({}, 'JWT')), first, 'and not used')
  pass(1)
  assert.is(kidOf(await keys.sign({}, 'JWT')), second)
  assert.equal(await kids(), [second, first])
  pass(1)
  assert.equal(await kids(), [second])
})

test('a keyring that no longer opens it: a new key signs at once, and what the old one signed still verifies', async () => {
  const { process } = world()
  const jwt = await process(KEY_A).sign({ sub: 'before' }, 'JWT')
  const rotated = process(KEY_B)
  assert.is.not(kidOf(await rotated.sign({}, 'JWT')), kidOf(jwt))
  const published = (await rotated.published()) as JSONWebKeySet
  assert.is((await jwtVerify(jwt, createLocalJWKSet(published))).payload.sub, 'before')
  assert.is(
    kidOf(await process(KEY_B, KEY_A).sign({}, 'JWT')),
    kidOf(jwt),
    'while the keyring still has both',
  )
})

test('a key that somebody asks for by its name is there for as long, neither published nor used for anything else', async () => {
  const { pass, process } = world()
  const keys = process()
  const kids = async () => (await keys.published()).keys.map(({ kid }) => kid)
  const { kid } = await keys.current()
  for (let days = 0; days < 800; days += 100) {
    pass(100)
    await keys.current()
    assert.is((await process().named(kid))?.kid, kid)
    if (days > 0) assert.not.ok((await kids()).includes(kid))
    assert.is.not((await keys.current()).kid, kid)
  }
  pass(366)
  await keys.current()
  assert.is(await process().named(kid), undefined, 'nobody asked for a year')
  assert.is(await keys.named('unheard-of'), undefined)
})

test('a gateway that slept for a year begins anew', async () => {
  const { pass, process } = world()
  const first = kidOf(await process().sign({}, 'JWT'))
  pass(365)
  const keys = process()
  const jwt = await keys.sign({}, 'JWT')
  assert.is.not(kidOf(jwt), first)
  assert.equal(
    (await keys.published()).keys.map(({ kid }) => kid),
    [kidOf(jwt)],
  )
})

test.run()
