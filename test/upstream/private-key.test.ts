// Keys of the configuration: those that can sign do, and all others say at once why not.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import * as assert from 'uvu/assert'
import { importPrivateKey, privateKeyFault } from '../../src/upstream/private-key.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/private-key')
const pem = (key: KeyObject) => String(key.export({ type: 'pkcs8', format: 'pem' }))

const GOOD: [name: string, key: KeyObject, algorithm: string][] = [
  ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'ECDSA'],
  ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey, 'ECDSA'],
  ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey, 'ECDSA'],
  ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'RSASSA-PKCS1-v1_5'],
  ['Ed25519', generateKeyPairSync('ed25519').privateKey, 'Ed25519'],
]
for (const [name, key, algorithm] of GOOD)
  test(`${name} is taken, in PKCS #8 or as older tools write it`, async () => {
    assert.is((await importPrivateKey(pem(key))).algorithm.name, algorithm)
    const older =
      key.asymmetricKeyType === 'rsa' ? 'pkcs1' : key.asymmetricKeyType === 'ec' ? 'sec1' : 'pkcs8'
    const text = String(key.export({ type: older as 'pkcs8', format: 'pem' }))
    assert.is(privateKeyFault(text), undefined)
    assert.equal(createPrivateKey(text).asymmetricKeyType, key.asymmetricKeyType)
  })

const BAD: [name: string, text: string, why: string][] = [
  ['RSA of 1024 bits', pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey), '1024 bits'],
  ['secp256k1', pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey), 'secp256k1'],
  ['RSA-PSS', pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey), 'rsa-pss'],
  ['X25519', pem(generateKeyPairSync('x25519').privateKey), 'x25519'],
  ['Ed448', pem(generateKeyPairSync('ed448').privateKey), 'ed448'],
  [
    'a public key',
    String(generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' })),
    'no private key',
  ],
  ['no key', 'hunter2', 'no private key'],
]
for (const [name, text, why] of BAD)
  test(`${name} is refused with the reason, and nothing of it is said`, async () => {
    const message = await importPrivateKey(text).then(String, ({ message }: Error) => message)
    assert.is(message, `private_key ${privateKeyFault(text)}`)
    assert.match(message, why)
    assert.not.match(message, text.split('\n')[1] ?? text)
  })

test.run()
