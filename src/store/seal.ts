// Authenticated encryption of secrets at rest: AES-256-GCM under a subkey per purpose, bound to the record it lies in.
// Knows nothing of what it seals, and never says why a text did not open.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { Keyring, SealingKey } from './keyring.ts'

const CIPHER = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16

export interface Sealer {
  /** `identity` names the record the text lies in: moved to another record it does not open (sec-S2). */
  seal(purpose: string, identity: string, plaintext: string): string
  /** Undefined when no key opens it: the key was retired, or the text was changed or moved. */
  open(purpose: string, identity: string, sealed: string): string | undefined
  /** Key material of the sealing key, for uses other than sealing (HMAC). Independent of what seals this purpose. */
  subkey(purpose: string): Buffer
  /** The same of every key, the sealing one first: what an older key made is still recognised after a rotation. */
  subkeys(purpose: string): readonly Buffer[]
}

export function createSealer(keyring: Keyring): Sealer {
  const derived = new Map<string, Buffer>()

  const derive = (key: SealingKey, use: 'seal' | 'subkey', purpose: string): Buffer => {
    const info = `mcp-oauth-gateway/1/${use}/${purpose}`
    const name = `${key.id}/${info}`
    const known = derived.get(name) ?? hkdf(key.bytes, info)
    derived.set(name, known)
    return known
  }

  const subkeys = (purpose: string): readonly Buffer[] =>
    keyring.map((key) => Buffer.from(derive(key, 'subkey', purpose)))

  return {
    seal(purpose, identity, plaintext) {
      const [key] = keyring
      return `${key.id}.${encrypt(derive(key, 'seal', purpose), associated(purpose, identity), plaintext)}`
    },
    open(purpose, identity, sealed) {
      const [id, body] = splitOnce(sealed)
      for (const key of keyring) {
        if (key.id !== id) continue
        const opened = decrypt(derive(key, 'seal', purpose), associated(purpose, identity), body)
        if (opened !== undefined) return opened
      }
      return undefined
    },
    subkey: (purpose) => Buffer.from(derive(keyring[0], 'subkey', purpose)),
    subkeys,
  }
}

/** Seals under a secret that the store never holds, such as the spent refresh token whose successor this is. */
export function sealUnder(secret: string, identity: string, plaintext: string): string {
  return encrypt(keyUnder(secret), associated('under', identity), plaintext)
}

/** Undefined when `secret` is not the one it was sealed under, or the text was changed or moved. */
export function openUnder(secret: string, identity: string, sealed: string): string | undefined {
  return decrypt(keyUnder(secret), associated('under', identity), sealed)
}

function keyUnder(secret: string): Buffer {
  return hkdf(Buffer.from(secret), 'mcp-oauth-gateway/1/under')
}

// RFC 5869 without a salt: the input is uniformly random already (§3.1), what is wanted is separation by `info`.
function hkdf(key: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', info, 32))
}

// JSON, because plain joining would let ("a", "b/c") open what ("a/b", "c") sealed.
function associated(purpose: string, identity: string): Buffer {
  return Buffer.from(JSON.stringify([purpose, identity]))
}

// 96 random bits per text (NIST SP 800-38D §8.2.2): safe for 2^32 texts under one subkey.
function encrypt(key: Buffer, aad: Buffer, plaintext: string): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(aad)
  const body = Buffer.concat([iv, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return body.toString('base64url')
}

function decrypt(key: Buffer, aad: Buffer, sealed: string): string | undefined {
  const body = Buffer.from(sealed, 'base64url')
  if (body.length < IV_BYTES + TAG_BYTES) return undefined
  // One spelling only: a second text that opens alike would slip past a list of revoked texts.
  if (body.toString('base64url') !== sealed) return undefined
  const decipher = createDecipheriv(CIPHER, key, body.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(aad).setAuthTag(body.subarray(-TAG_BYTES))
  try {
    const plain = decipher.update(body.subarray(IV_BYTES, -TAG_BYTES))
    return Buffer.concat([plain, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

function splitOnce(sealed: string): readonly [string, string] {
  const dot = sealed.indexOf('.')
  return [sealed.slice(0, Math.max(dot, 0)), sealed.slice(dot + 1)]
}
