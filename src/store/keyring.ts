// The keys that seal secrets at rest: from the config, or from a 0600 file beside the store (never inside it, so that
// a copy of the store alone opens nothing). Keys never appear in an error.
import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { assertPrivate, createPrivateFile, hasCode } from './private-files.ts'

const KEY_BYTES = 32
const KEY_ID_CHARACTERS = 8

export interface SealingKey {
  /** Start of the key's SHA-256. Written before every sealed text, so it names the key without telling it. */
  readonly id: string
  readonly bytes: Buffer
}

/** The first key seals, all of them open. */
export type Keyring = readonly [SealingKey, ...SealingKey[]]

/** Keys as the config holds them: base64url of 32 bytes each. */
export function keyringFrom(base64urlKeys: readonly string[]): Keyring {
  return parseKeys(base64urlKeys, (at) => `store.keys[${at}]`)
}

export function randomKeyring(): Keyring {
  return [sealingKey(randomBytes(KEY_BYTES))]
}

/**
 * The keys of a file, one a line; a file with one new key is made when there is none. Put a new key on the first
 * line to rotate. Two processes that start at once end with the same key.
 */
export async function loadOrCreateKeyFile(path: string): Promise<Keyring> {
  const text = (await readKeyFile(path)) ?? (await createKeyFile(path))
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return parseKeys(lines, (at) => `${path}:${at + 1}`)
}

async function createKeyFile(path: string): Promise<string> {
  await createPrivateFile(path, `${randomBytes(KEY_BYTES).toString('base64url')}\n`)
  // Read back whatever stands there now: another process may have been first.
  return readFile(path, 'utf8')
}

async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    await assertPrivate(path)
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function parseKeys(texts: readonly string[], where: (at: number) => string): Keyring {
  const [first, ...rest] = texts.map((text, at) => parseKey(text.trim(), where(at)))
  if (first === undefined) throw new Error(`${where(0)}: there is no key, and nothing is stored unsealed`)
  return [first, ...rest]
}

function parseKey(text: string, where: string): SealingKey {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== KEY_BYTES || bytes.toString('base64url') !== text) {
    throw new Error(
      `${where}: not a key: it must be 32 random bytes in base64url, 43 characters without "=". ` +
        `Make one with: openssl rand -base64 32 | tr '+/' '-_' | tr -d '='`,
    )
  }
  return sealingKey(bytes)
}

function sealingKey(bytes: Buffer): SealingKey {
  const id = createHash('sha256').update(bytes).digest('base64url').slice(0, KEY_ID_CHARACTERS)
  return { id, bytes }
}
