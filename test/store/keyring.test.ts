import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { keyringFrom, loadOrCreateKeyFile } from '../../src/store/keyring.ts'
import { suite } from '../support/suite.ts'
import { temporaryFolder } from './temporary.ts'

const test = suite('store/keyring')

const KEY_A = Buffer.alloc(32, 'a').toString('base64url')
const KEY_B = Buffer.alloc(32, 'b').toString('base64url')

async function loadError(path: string): Promise<string> {
  return loadOrCreateKeyFile(path).then(
    () => 'loaded',
    (error: Error) => error.message,
  )
}

test('a key file is made once, 0600 in a 0700 folder, and read again from then on', async (context) => {
  const folder = join(await temporaryFolder(context), 'not', 'yet')
  const path = join(folder, 'store.key')
  const [made] = await loadOrCreateKeyFile(path)
  const [read] = await loadOrCreateKeyFile(path)
  assert.is(made.bytes.length, 32)
  assert.equal(read, made)
  assert.equal(await readdir(folder), ['store.key'], 'no draft is left behind')
  assert.match(await readFile(path, 'utf8'), /^[\w-]{43}\n$/)
  if (process.platform === 'win32') return
  assert.is((await stat(path)).mode & 0o777, 0o600)
  assert.is((await stat(folder)).mode & 0o777, 0o700)
  assert.is((await stat(join(folder, '..'))).mode & 0o777, 0o700)
})

test('of many that make the same key file at once all end with the same key', async (context) => {
  const folder = await temporaryFolder(context)
  const path = join(folder, 'store.key')
  const rings = await Promise.all(Array.from({ length: 20 }, () => loadOrCreateKeyFile(path)))
  assert.is(new Set(rings.map(([key]) => key.bytes.toString('hex'))).size, 1)
  assert.equal(await readdir(folder), ['store.key'])
})

test('two key files hold different keys', async (context) => {
  const folder = await temporaryFolder(context)
  const [a] = await loadOrCreateKeyFile(join(folder, 'a.key'))
  const [b] = await loadOrCreateKeyFile(join(folder, 'b.key'))
  assert.not.equal(a.bytes, b.bytes)
  assert.is.not(a.id, b.id)
})

test('sec-S3: a key file may hold several keys, one a line, and the first one seals', async (context) => {
  const path = join(await temporaryFolder(context), 'store.key')
  await writeFile(path, `${KEY_B}\r\n\n${KEY_A}`, { mode: 0o600 })
  const ring = await loadOrCreateKeyFile(path)
  assert.equal(ring, keyringFrom([KEY_B, KEY_A]))
})

test.skipUnless(process.platform !== 'win32', 'no file modes')(
  'sec-S8: a key file that others may read is refused with the command that repairs it',
  async (context) => {
    const path = join(await temporaryFolder(context), 'store.key')
    await loadOrCreateKeyFile(path)
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o644]) {
      await chmod(path, mode)
      assert.match(await loadError(path), `chmod 600 '${path}'`)
    }
    await chmod(path, 0o600)
    assert.is(await loadError(path), 'loaded')
  },
)

test('a key file with anything but keys is refused without quoting it', async (context) => {
  const path = join(await temporaryFolder(context), 'store.key')
  const secret = Buffer.alloc(31, 's').toString('base64url')
  for (const text of [secret, `${KEY_A}\n${secret}\n`, `${KEY_A}A`, 'secret words', `${KEY_A}=`]) {
    await writeFile(path, text, { mode: 0o600 })
    const message = await loadError(path)
    assert.match(message, 'must be 32 random bytes in base64url')
    assert.match(message, `${path}:`)
    for (const line of text.split('\n')) if (line !== '') assert.not(message.includes(line))
  }
  await writeFile(path, '\n')
  assert.match(await loadError(path), 'there is no key')
})

test('sec-S4: keys of the config must be 32 bytes, and the error says which one is not', () => {
  const short = Buffer.alloc(16, 'k').toString('base64url')
  assert.throws(() => keyringFrom([]), /store\.keys\[0\].*no key/)
  assert.throws(() => keyringFrom([KEY_A, short]), /store\.keys\[1\]: not a key/)
  assert.throws(() => keyringFrom([Buffer.alloc(32, 'k').toString('hex')]), /store\.keys\[0\]/)
  assert.throws(() => keyringFrom(['']), /store\.keys\[0\]/)
  try {
    keyringFrom([short])
  } catch (error) {
    assert.not(String(error).includes(short))
  }
})

test('the command in that error makes a key that is accepted', async () => {
  const { execFileSync } = await import('node:child_process')
  let message = ''
  try {
    keyringFrom(['short'])
  } catch (error) {
    message = String(error)
  }
  const command = /Make one with: (.*)$/.exec(message)?.[1] ?? 'false'
  const made = execFileSync('sh', ['-c', command], { encoding: 'utf8' })
  assert.is(keyringFrom([made])[0].bytes.length, 32)
})

test.run()
