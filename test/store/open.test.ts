import { existsSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { openStore, type StoreConfig } from '../../src/store/open.ts'
import { statePaths } from '../../src/store/state-folder.ts'
import { suite } from '../support/suite.ts'
import { temporaryFolder } from './temporary.ts'

const test = suite('store/open')

const KEY_A = Buffer.alloc(32, 'a').toString('base64url')
const KEY_B = Buffer.alloc(32, 'b').toString('base64url')

test('an embedded store keeps records and opens what it sealed over a restart', async (context) => {
  const paths = statePaths(await temporaryFolder(context))
  const first = await openStore({ type: 'embedded' }, paths, Date.now)
  await first.store.put('link/a', first.sealer.seal('link', 'link/a', 'token'))
  await first.store.close()
  assert.ok(existsSync(paths.key))
  const second = await openStore({ type: 'embedded' }, paths, Date.now)
  context.after(() => second.store.close())
  const sealed = await second.store.get<string>('link/a')
  assert.is(second.sealer.open('link', 'link/a', sealed?.value ?? ''), 'token')
})

test('with keys in the config no key file is made', async (context) => {
  const paths = statePaths(await temporaryFolder(context))
  const { store } = await openStore({ type: 'embedded', keys: [KEY_A] }, paths, Date.now)
  context.after(() => store.close())
  assert.not(existsSync(paths.key))
})

test('a key that is none is refused before anything is made', async (context) => {
  const folder = join(await temporaryFolder(context), 'state')
  const config: StoreConfig = { type: 'embedded', keys: ['too-short'] }
  const error = await openStore(config, statePaths(folder), Date.now).catch((reason: Error) => reason)
  assert.match(String(error), 'store.keys[0]')
  assert.not(existsSync(folder))
})

test('sec-S3: keys of the config rotate, and a retired key opens nothing', async (context) => {
  const paths = statePaths(await temporaryFolder(context))
  const open = async (...keys: string[]) => {
    const opened = await openStore({ type: 'memory', keys }, paths, Date.now)
    context.after(() => opened.store.close())
    return opened.sealer
  }
  const sealed = (await open(KEY_A)).seal('link', 'a', 'token')
  assert.is((await open(KEY_B, KEY_A)).open('link', 'a', sealed), 'token')
  assert.is((await open(KEY_B)).open('link', 'a', sealed), undefined)
})

test('a memory store touches no disk and has a key of its own', async (context) => {
  const folder = join(await temporaryFolder(context), 'state')
  const one = await openStore({ type: 'memory' }, statePaths(folder), Date.now)
  const two = await openStore({ type: 'memory' }, statePaths(folder), Date.now)
  await one.store.put('grant/1', 1)
  assert.is(await two.store.get('grant/1'), undefined)
  assert.is(two.sealer.open('link', 'a', one.sealer.seal('link', 'a', 'x')), undefined)
  assert.not(existsSync(folder))
  await Promise.all([one.store.close(), two.store.close()])
})

test.run()
