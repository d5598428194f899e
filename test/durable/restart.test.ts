// A gateway that ends and begins again on the same folder: nobody notices, and what is not as it was left is refused.
import { chmod, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { open } from 'lmdb'
import * as assert from 'uvu/assert'
import { Client, callMcp, send } from '../security/client.ts'
import { temporaryFolder } from '../store/temporary.ts'
import { Browser } from '../support/browser.ts'
import { connectV1, connectV2 } from '../support/clients.ts'
import { USER } from '../support/gateway.ts'
import type { MemoryProvider } from '../support/oauth-provider.ts'
import { type Oidc, startOidc } from '../support/oidc.ts'
import { freePort } from '../support/ports.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import { type Next, startNext } from './next.ts'
import { launch, type ServeOptions, serve } from './process.ts'

const test = suite('durable/restart')
const hasModes = process.platform !== 'win32'
const person = { ...USER, upstreamName: 'ann' }

interface Place {
  /** As given to `serve`, again and again. */
  options: ServeOptions
  store: string
  key: string
  password: string
}

/** A route that finds out everything by itself, so that what it found has to outlive the process too. */
async function place(context: TestContext, upstream: string): Promise<Place> {
  const folder = await temporaryFolder(context)
  const store = join(folder, 'kept', 'store')
  const port = `port: ${await freePort()}, drain_timeout: 500ms`
  const yaml = `${document(`\n  demo: { upstream: ${upstream} }\n`)}store: { path: kept/store }\n`.replace(
    'port: 0',
    port,
  )
  return { options: { folder, yaml }, store, key: `${store}.key`, password: `${store}.password` }
}

async function demo(context: TestContext): Promise<{ oidc: Oidc; at: Place }> {
  const oidc = await startOidc()
  context.after(() => oidc.close())
  return { oidc, at: await place(context, oidc.mcpUrl) }
}

/** Both kinds of client, each signed in and in the middle of its work. */
async function connectBoth({ after }: TestContext, url: string) {
  const first = await connectV1(url, { person })
  after(() => first.close())
  const second = await connectV2(url, { person, mode: 'auto' })
  after(() => second.close())
  return [first, second] as const
}

test('SIGTERM and start again: both SDK clients go on, nobody signs in, no registration is forgotten', async (context) => {
  const { oidc, at } = await demo(context)
  const before = await serve(context, at.options)
  const sessions = await connectBoth(context, `${before.url}/demo`)
  const waiting = await Client.register(before.url)
  const exchanges = oidc.recorder.count('POST /token')
  assert.equal(await before.stop(), { code: 0, signal: null })

  const after = await startNext(context, at.options)
  assert.is(after.url, before.url)
  for (const session of sessions) {
    assert.match(await session.call('whoami'), 'ann')
    await session.refresh()
    assert.is(await session.call('add', { a: 1, b: 2 }), '3')
    assert.is(session.provider.signIns.length, 1, 'nobody signed in again')
    assert.equal(session.provider.invalidated, [])
  }
  const browser = new Browser({ stopAt: ['https://'] })
  assert.is((await browser.goto(waiting.trip().url)).status, 200, 'a client that never signed in is known')
  assert.is(oidc.recorder.count('POST /token'), exchanges, 'one link, still fresh')
  assert.is(oidc.recorder.count('POST /register'), 1, 'registered there once')
})

/** Modes of a folder and everything in it, by path. */
async function modesIn(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true })
  const modes = await Promise.all(
    ['.', ...entries].map(async (name) => {
      const { mode } = await stat(join(folder, name))
      return [name, (mode & 0o777).toString(8)] as const
    }),
  )
  return Object.fromEntries(modes)
}

test.skipUnless(hasModes, 'modes mean nothing on Windows')(
  'sec-S8: folders are 0700 and files 0600, and it refuses to start where somebody opened them',
  async (context) => {
    const at = await place(context, 'http://127.0.0.1:9/mcp')
    // The generated password is state too, so none is given.
    const options = { ...at.options, env: { MCP_GATEWAY_PASSWORD: '' } }
    const first = await startNext(context, options)
    await first.close()
    const files = { store: '700', 'store.key': '600', 'store.password': '600' }
    const inStore = { 'store/data.mdb': '600', 'store/lock.mdb': '600' }
    assert.equal(await modesIn(join(at.options.folder, 'kept')), { '.': '700', ...files, ...inStore })

    const opened: [name: string, mode: number][] = [
      ['store.key', 0o644],
      ['store.password', 0o640],
      ['store', 0o755],
      ['store/data.mdb', 0o604],
    ]
    await Promise.all(
      opened.map(async ([name, mode]) => {
        const folder = await temporaryFolder(context)
        await cp(join(at.options.folder, 'kept'), join(folder, 'kept'), { recursive: true })
        const path = join(folder, 'kept', name)
        await chmod(path, mode)
        const refused = await launch(context, { ...options, folder })
        assert.is((await refused.ended).code, 1, name)
        const { reason } = await refused.logged('cannot start')
        const wanted = (await stat(path)).isDirectory() ? '700' : '600'
        const found = mode.toString(8).padStart(4, '0')
        assert.is(reason, `${path} is open to other users (mode ${found}): run \`chmod ${wanted} '${path}'\``)
      }),
    )
  },
)

test('sec-S3: without its key file it starts with a new key: everybody signs in again, and nothing fails', async (context) => {
  const { oidc, at } = await demo(context)
  const before = await startNext(context, at.options)
  const [first, second] = await connectBoth(context, `${before.url}/demo`)
  // Applications that end and come back: one that stays would sign in by itself as soon as its stream breaks.
  await Promise.all([first.close(), second.close()])
  await before.close()
  await rm(at.key)

  const after = await startNext(context, at.options)
  const url = `${after.url}/demo`
  for (const { provider } of [first, second]) await assertSignedOut(url, provider)
  // Left to themselves, the clients register and sign in anew.
  const again = await connectV1(url, { provider: first.provider })
  context.after(() => again.close())
  assert.match(await again.call('whoami'), 'ann')
  const too = await connectV2(url, { provider: second.provider, mode: 'auto' })
  context.after(() => too.close())
  assert.match(await too.call('whoami'), 'ann')
  assert.is(oidc.recorder.count('POST /register'), 2, 'the gateway itself registered anew')
  assertNoFault(after)
})

test('sec-S3: a new key before the old one signs nobody out; the old one taken away does, and nothing fails', async (context) => {
  const { at } = await demo(context)
  const before = await startNext(context, at.options)
  const [first, second] = await connectBoth(context, `${before.url}/demo`)
  await before.close()
  const [oldKey, newKey] = [await readFile(at.key, 'utf8'), Buffer.alloc(32, 7).toString('base64url')]
  await writeFile(at.key, `${newKey}\n${oldKey}`)

  const rotated = await startNext(context, at.options)
  for (const session of [first, second]) {
    await session.refresh()
    assert.match(await session.call('whoami'), 'ann')
    assert.is(session.provider.signIns.length, 1)
    await session.close()
  }
  await rotated.close()
  await writeFile(at.key, newKey)

  const after = await startNext(context, at.options)
  for (const { provider } of [first, second]) await assertSignedOut(`${after.url}/demo`, provider)
  assertNoFault(after)
})

/** Every way to go on leads to signing in again, each in the words of OAuth. */
async function assertSignedOut(url: string, { current, clientInfo }: MemoryProvider): Promise<void> {
  const call = await callMcp(url, current?.access_token)
  assert.is(call.status, 401)
  assert.match(call.headers.get('www-authenticate') ?? '', 'error="invalid_token"')
  const gateway = new URL(url).origin
  const redirects = { redirect_uris: ['https://client.test/cb'] }
  const client = new Client(gateway, { ...redirects, token_endpoint_auth_method: 'none', ...clientInfo })
  const refused = await client.refresh(current?.refresh_token ?? '')
  assert.equal([refused.status, refused.body.error], [401, 'invalid_client'])
  const page = await new Browser({ stopAt: ['https://'] }).goto(client.trip().url)
  assert.is(page.status, 400)
  assert.match(page.text, 'registers anew')
}

function assertNoFault({ log }: Next): void {
  const faults = log.filter(({ level, fields }) => level === 'error' || Number(fields.status) >= 500)
  assert.equal(faults, [])
}

test('a store of a newer format is refused with what to do, and left as it is', async (context) => {
  const at = await place(context, 'http://127.0.0.1:9/mcp')
  await mkdir(at.store, { recursive: true, mode: 0o700 })
  const root = open({ path: at.store, noSubdir: false, overlappingSync: false })
  await root.openDB<string, string>('meta', { encoding: 'string' }).put('format', '999')
  await root.close()
  for (const name of await readdir(at.store)) await chmod(join(at.store, name), 0o600)
  await chmod(join(at.options.folder, 'kept'), 0o700)
  const before = await readFile(join(at.store, 'data.mdb'))

  const refused = await launch(context, at.options)
  assert.equal(await refused.ended, { code: 1, signal: null })
  const { reason } = await refused.logged('cannot start')
  assert.match(
    String(reason),
    `${at.store} has store format 999, this version knows format 1: run the version`,
  )
  assert.equal(await readFile(join(at.store, 'data.mdb')), before)
  const nobody = await send(`http://localhost:${/port: (\d+)/.exec(at.options.yaml)?.[1]}/`).catch(
    () => 'refused',
  )
  assert.is(nobody, 'refused')
})

test.run()
