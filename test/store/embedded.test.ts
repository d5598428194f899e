import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { open } from 'lmdb'
import * as assert from 'uvu/assert'
import { isWholeDataFile } from '../../src/store/data-file.ts'
import { openEmbeddedStore } from '../../src/store/embedded.ts'
import { randomKeyring } from '../../src/store/keyring.ts'
import { createSealer } from '../../src/store/seal.ts'
import type { Store } from '../../src/store/store.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { temporaryFolder } from './temporary.ts'

const test = suite('store/embedded')
const hasModes = process.platform !== 'win32'

async function newFolder(context: TestContext): Promise<string> {
  return join(await temporaryFolder(context), 'not-yet', 'example.com')
}

async function filledStore(context: TestContext, records = 300): Promise<string> {
  const folder = await newFolder(context)
  const store = await openEmbeddedStore(folder, Date.now)
  await Promise.all(
    Array.from({ length: records }, (_, at) =>
      store.put(`grant/${at}`, `canary-${at}-${'x'.repeat(200)}`, { indexes: ['all'] }),
    ),
  )
  await store.close()
  return folder
}

async function openError(folder: string): Promise<string> {
  try {
    const store = await openEmbeddedStore(folder, Date.now)
    await store.close()
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
  return 'opened'
}

async function isListed(store: Store, index: string): Promise<boolean> {
  for await (const _key of store.list(index)) return true
  return false
}

test('what was written is there after closing and opening again', async (context) => {
  const folder = await newFolder(context)
  const first = await openEmbeddedStore(folder, Date.now)
  await first.put('grant/1', { a: 1 }, { indexes: ['all'] })
  await first.put('grant/1', { a: 2 }, { indexes: ['all'] })
  await first.close()
  const second = await openEmbeddedStore(folder, Date.now)
  context.after(() => second.close())
  assert.equal(await second.get('grant/1'), { value: { a: 2 }, version: 2 })
  assert.ok(await isListed(second, 'all'))
})

test('close waits for writes that are under way', async (context) => {
  const folder = await newFolder(context)
  const first = await openEmbeddedStore(folder, Date.now)
  const writes = Promise.all(Array.from({ length: 100 }, (_, at) => first.put(`grant/${at}`, at)))
  await first.close()
  await writes
  const second = await openEmbeddedStore(folder, Date.now)
  context.after(() => second.close())
  assert.is((await second.get('grant/99'))?.value, 99)
})

test('two stores on one folder see each other at once, and one outlives the other', async (context) => {
  const folder = await newFolder(context)
  const one = await openEmbeddedStore(folder, Date.now)
  const two = await openEmbeddedStore(folder, Date.now)
  context.after(() => two.close())
  await one.put('grant/1', 'of one')
  assert.is((await two.get('grant/1'))?.value, 'of one')
  assert.ok(await two.cas('grant/1', 1, 'of two'))
  assert.not(await one.cas('grant/1', 1, 'late'))
  await one.close()
  assert.is((await two.get('grant/1'))?.value, 'of two')
  await two.put('grant/2', 'still writes')
})

test('the sweeper deletes dead records and their rows, and no others', async (context) => {
  let nowMs = 1_700_000_000_000
  const store = await openEmbeddedStore(await newFolder(context), () => nowMs, { sweepEveryMs: 5 })
  context.after(() => store.close())
  const expiresAtMs = nowMs + 1000
  const numbers = Array.from({ length: 600 }, (_, at) => at)
  await Promise.all(
    numbers.map((at) => store.put(`session/${at}`, at, { expiresAtMs, indexes: ['mortal', `one/${at}`] })),
  )
  await store.put('session/renewed', 'x', { expiresAtMs, indexes: ['renewed'] })
  await store.put('session/renewed', 'x', { expiresAtMs: nowMs + 10_000_000, indexes: ['renewed'] })
  await store.put('session/kept', 'x', { indexes: ['kept'] })
  await store.put('session/late', 'x', { expiresAtMs: nowMs + 990_000, indexes: ['late'] })
  nowMs += 1_000_000
  while (await isListed(store, 'mortal')) await new Promise((done) => setTimeout(done, 5))
  assert.not(await isListed(store, 'one/599'))
  assert.ok(await isListed(store, 'kept'))
  assert.ok(await isListed(store, 'late'), 'only just dead, so it still counts versions')
  assert.ok(await isListed(store, 'renewed'))
  assert.is((await store.get('session/renewed'))?.version, 2)
  await store.put('session/0', 'anew')
  assert.is((await store.get('session/0'))?.version, 1, 'nothing of the swept record is left')
})

test.skipUnless(hasModes, 'no file modes')(
  'sec-S8: the folder is made 0700 and all files in it 0600, whatever the umask says',
  async (context) => {
    const before = process.umask(0)
    context.after(() => process.umask(before))
    const folder = await filledStore(context)
    for (const made of [folder, join(folder, '..')]) assert.is((await stat(made)).mode & 0o777, 0o700)
    const files = await readdir(folder)
    assert.equal(files.sort(), ['data.mdb', 'lock.mdb'])
    for (const file of files) assert.is((await stat(join(folder, file))).mode & 0o777, 0o600)
  },
)

test.skipUnless(hasModes, 'no file modes')(
  'sec-S8: a folder or file open to others is refused, and the error holds the command that repairs it',
  async (context) => {
    const folder = await filledStore(context)
    const cases = [
      [folder, 0o710, 'chmod 700'],
      [folder, 0o702, 'chmod 700'],
      [join(folder, 'data.mdb'), 0o640, 'chmod 600'],
      [join(folder, 'data.mdb'), 0o602, 'chmod 600'],
      [join(folder, 'lock.mdb'), 0o604, 'chmod 600'],
    ] as const
    for (const [path, mode, command] of cases) {
      await chmod(path, mode)
      const message = await openError(folder)
      assert.match(message, `${command} '${path}'`)
      execFileSync('sh', ['-c', /`(.*)`/.exec(message)?.[1] ?? 'false'])
      assert.is(await openError(folder), 'opened')
    }
  },
)

test('a store of a newer format is refused and left as it is', async (context) => {
  const folder = await filledStore(context)
  const root = open({ path: folder, noSubdir: false, overlappingSync: false })
  await root.openDB<string, string>('meta', { encoding: 'string' }).put('format', '2')
  await root.close()
  assert.match(await openError(folder), /store format 2, this version knows format 1/)
  assert.match(await openError(folder), /store format 2/)
})

test('a damaged data file is refused with an error, not with a crash', async (context) => {
  const folder = await filledStore(context)
  const dataFile = join(folder, 'data.mdb')
  const sound = await readFile(dataFile)
  const zeroed = Buffer.from(sound).fill(0, 0, 8192)
  const farRoot = Buffer.from(sound)
  for (const meta of [0, 4096]) farRoot.writeBigUInt64LE(1_000_000n, meta + 136)
  const damages = [Buffer.from('not a database'), Buffer.alloc(100_000, 'noise'), zeroed, farRoot]
  for (const bytes of damages) {
    await writeFile(dataFile, bytes)
    assert.match(await openError(folder), /is damaged: restore it/)
  }
  for (const size of [1, 4096, 8192, 20_480, sound.length - 1]) {
    await writeFile(dataFile, sound)
    await truncate(dataFile, size)
    assert.match(await openError(folder), /is damaged: restore it/, `cut to ${size} of ${sound.length}`)
  }
  await writeFile(dataFile, sound)
  assert.is(await openError(folder), 'opened')
})

/** Says what LMDB says after a sweep whose last pages were taken and freed in one transaction: they were never written. */
function claimingMore(bytes: Buffer, pages: number): Buffer {
  const changed = Buffer.from(bytes)
  for (const meta of [0, 4096]) changed.writeBigUInt64LE(BigInt(bytes.length / 4096 - 1 + pages), meta + 144)
  return changed
}

test('a data file without the free pages at its end is whole, and one that lacks a used page is not', async (context) => {
  const folder = await newFolder(context)
  const store = await openEmbeddedStore(folder, Date.now)
  const sizes = Array.from({ length: 400 }, (_, at) => (at % 9 === 0 ? 20_000 : 150))
  const put = (size: number, at: number) => store.put(`grant/${at}`, 'x'.repeat(size), { indexes: ['all'] })
  await Promise.all(sizes.map(put))
  for (let at = 0; at < 400; at += 2) await store.cas(`grant/${at}`, 1, undefined)
  await store.close()
  const dataFile = join(folder, 'data.mdb')
  const sound = await readFile(dataFile)
  const short = claimingMore(sound, 9)
  const cutTo = (pages: number) => writeFile(dataFile, short.subarray(0, pages * 4096))
  const all = sound.length / 4096
  const whole = []
  for (let pages = all; pages > 1; pages -= 1) {
    await cutTo(pages)
    if (await isWholeDataFile(dataFile)) whole.push(pages)
  }
  const least = whole.at(-1) ?? Number.NaN
  assert.equal(
    whole,
    Array.from({ length: all - least + 1 }, (_, at) => all - at),
    'no gap',
  )
  for (const pages of [all, least]) {
    await cutTo(pages)
    await readAll(folder, sizes)
  }
  await cutTo(least - 1)
  assert.match(await openError(folder), /is damaged: restore it/)
})

async function readAll(folder: string, sizes: readonly number[]): Promise<void> {
  const store = await openEmbeddedStore(folder, Date.now)
  for (const [at, size] of sizes.entries())
    assert.is((await store.get<string>(`grant/${at}`))?.value.length, at % 2 === 0 ? undefined : size)
  await store.close()
}

test('a path that is no folder, or whose data file is a folder, is refused', async (context) => {
  const folder = await newFolder(context)
  await mkdir(join(folder, 'data.mdb'), { recursive: true, mode: 0o700 })
  assert.match(await openError(folder), 'EISDIR')
  assert.match(await openError(join(folder, '..', '..', 'file')), 'opened')
  await writeFile(join(folder, 'file'), '', { mode: 0o600 })
  assert.match(await openError(join(folder, 'file')), /EEXIST|ENOTDIR/)
})

test('a damaged record is an error that quotes nothing of it, and the other records are still read', async (context) => {
  const folder = await filledStore(context, 3)
  const dataFile = join(folder, 'data.mdb')
  const bytes = await readFile(dataFile)
  const at = bytes.indexOf('{"value":"canary-1-')
  assert.ok(at > 0)
  await writeFile(dataFile, bytes.fill('X', at, at + 2))
  const store = await openEmbeddedStore(folder, Date.now)
  context.after(() => store.close())
  const error = await store.get('grant/1').catch((reason: Error) => reason)
  assert.instance(error, Error)
  assert.match(String(error), 'a grant record is unreadable')
  assert.not.match(String(error), 'canary')
  assert.match(String((await store.get('grant/2'))?.value), 'canary-2-')
})

test('with too little room on the disk new records are refused, and those that exist still change', async (context) => {
  const folder = await filledStore(context, 1)
  const store = await openEmbeddedStore(folder, Date.now, { minFreeBytes: Number.MAX_SAFE_INTEGER })
  context.after(() => store.close())
  const refused = await store.put('grant/new', 1).catch((reason: Error) => reason)
  assert.match(String(refused), 'nearly full')
  assert.ok(await store.cas('grant/0', 1, 'revoked'))
  assert.is((await store.get('grant/0'))?.value, 'revoked')
  assert.ok(await store.cas('grant/0', 2, undefined))
})

test('sec-S1: no file of the store holds a sealed secret in the clear', async (context) => {
  const folder = await newFolder(context)
  const store = await openEmbeddedStore(folder, Date.now)
  const { seal } = createSealer(randomKeyring())
  const secret = `upstream-refresh-token-${'canary'.repeat(5)}`
  const sealed = seal('link', 'link/a/b', JSON.stringify({ refresh_token: secret }))
  await store.put('link/a/b', { sealed }, { indexes: ['subject/users/alice'] })
  await store.put('link/a/b', { sealed: seal('link', 'link/a/b', secret) })
  await store.close()
  const names = await readdir(folder)
  const files = await Promise.all(names.map((name) => readFile(join(folder, name))))
  const everything = Buffer.concat(files)
  assert.ok(everything.includes(sealed), 'the sealed text is where the canary would be')
  for (const form of ['utf8', 'base64', 'base64url', 'hex', 'utf16le'] as const) {
    const canary = form === 'utf16le' ? Buffer.from(secret, form) : Buffer.from(secret).toString(form)
    assert.not(everything.includes(canary), form)
  }
})

test.run()
