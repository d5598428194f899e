// The control socket: where it lies, who may open it, what is left of it, and what it answers.
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { ask, NotRunning, stateFoldersOf } from '../../src/control/client.ts'
import type { Control } from '../../src/control/protocol.ts'
import { startControlServer } from '../../src/control/server.ts'
import type { Log } from '../../src/ops/log.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('control/socket')

const control: Control = {
  status: () => Promise.reject(new Error('the store is closed')),
  routes: () => [],
  config: () => ({ source: 'gateways.yaml', text: 'version: 1\n', generation: 7 }),
  numbers: async () => ({}),
  reload: async () => ({ outcome: 'unchanged', generation: 7 }),
}

function scene({ after }: TestContext, folderName = 'state') {
  const root = mkdtempSync(join(tmpdir(), 'control-'))
  after(() => rmSync(root, { recursive: true, force: true }))
  const env = { XDG_STATE_HOME: join(root, folderName), HOME: root }
  const file = join(root, 'gateways.yaml')
  writeFileSync(file, 'version: 1\n')
  const [stateFolder = ''] = stateFoldersOf(file, env)
  const warnings: string[] = []
  const note = (event: string, fields = {}) => void warnings.push(`${event} ${JSON.stringify(fields)}`)
  const log: Log = { debug: note, info: note, warn: note, error: note }
  const start = async () => {
    const server = await startControlServer({ control, stateFolder, log })
    if (server) after(() => server.close())
    return server
  }
  return { root, env, file, stateFolder, warnings, start }
}

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

test('it lies in the state folder, both for this user only, and is gone with the gateway', async (context) => {
  const { env, file, stateFolder, start } = scene(context)
  const server = await start()
  const socket = join(stateFolder, 'control.sock')
  assert.is(server?.socket, socket)
  assert.equal([modeOf(stateFolder), modeOf(socket)], ['700', '600'])
  assert.is((await ask(file, env, 'GET /config')).generation, 7)
  await server?.close()
  assert.not.ok(existsSync(socket))
  const error = await ask(file, env, 'GET /config').catch((reason: unknown) => reason)
  assert.instance(error, NotRunning)
})

test('a state folder that others may enter gets no socket, and the log says how to mend it', async (context) => {
  const { stateFolder, start, warnings } = scene(context)
  await (await start())?.close()
  chmodSync(stateFolder, 0o755)
  assert.is(await start(), undefined)
  assert.match(warnings.join('\n'), 'chmod 700')
})

test('a path too long for a socket leads to a short folder of its own, which goes with it', async (context) => {
  const { env, file, stateFolder, start } = scene(context, 'x'.repeat(120))
  const server = await start()
  assert.ok(server)
  const folder = dirname(server.socket)
  assert.is.not(folder, stateFolder)
  assert.equal([modeOf(folder), modeOf(server.socket)], ['700', '600'])
  assert.is(modeOf(join(stateFolder, 'control.path')), '600')
  assert.is((await ask(file, env, 'GET /config')).generation, 7)
  await server.close()
  assert.equal([existsSync(folder), existsSync(join(stateFolder, 'control.path'))], [false, false])
})

for (const [where, name] of [
  ['beside the state', 'state'],
  ['in a short folder', 'x'.repeat(120)],
] as const) {
  test(`the socket of a process that was killed is replaced, ${where}`, async (context) => {
    const { env, file, stateFolder, start } = scene(context, name)
    const dead = await killedWithSocket(stateFolder)
    const error = await ask(file, env, 'GET /config').catch((reason: unknown) => reason)
    assert.instance(error, NotRunning)
    const server = await start()
    assert.ok(server)
    assert.is((await ask(file, env, 'GET /config')).generation, 7)
    if (dead !== server.socket) assert.not.ok(existsSync(dirname(dead)), 'nothing is left in the way')
  })
}

test('a socket that somebody answers at is left alone, and the log says so', async (context) => {
  const { env, file, start, warnings } = scene(context)
  const first = await start()
  assert.is(await start(), undefined)
  assert.match(warnings.join('\n'), 'another gateway runs on this file')
  assert.is((await ask(file, env, 'GET /config')).generation, 7)
  await first?.close()
})

test('closing leaves a socket alone that another gateway has by now', async (context) => {
  const { stateFolder, start } = scene(context)
  const first = await start()
  const socket = join(stateFolder, 'control.sock')
  rmSync(socket)
  const other = createServer().listen(socket)
  await new Promise((resolve) => other.once('listening', resolve))
  context.after(() => other.close())
  await first?.close()
  assert.ok(existsSync(socket))
})

test('a file found through a link is found by the name of the link when the link moved', async (context) => {
  const { root, env, file } = scene(context)
  const link = join(root, 'link.yaml')
  symlinkSync(file, link)
  const [stateFolder = '', ...alsoIn] = stateFoldersOf(link, env)
  assert.is(alsoIn.length, 1)
  const log: Log = { debug() {}, info() {}, warn() {}, error() {} }
  const server = await startControlServer({ control, stateFolder, alsoIn, log })
  context.after(() => server?.close())
  writeFileSync(join(root, 'other.yaml'), '')
  symlinkSync(join(root, 'other.yaml'), `${link}.new`)
  renameSync(`${link}.new`, link)
  assert.is((await ask(link, env, 'GET /config')).generation, 7)
})

test('it knows five requests, answers the rest with 404, and a failure with its reason', async (context) => {
  const { env, file, start } = scene(context)
  const server = await start()
  assert.is(await statusOf(server?.socket, 'GET', '/reload'), 404)
  assert.is(await statusOf(server?.socket, 'POST', '/status'), 404)
  assert.is(await statusOf(server?.socket, 'GET', '/constructor'), 404)
  assert.equal(await ask(file, env, 'POST /reload'), { outcome: 'unchanged', generation: 7 })
  const error = await ask(file, env, 'GET /status').catch((reason: unknown) => reason)
  assert.match(String(error), 'the store is closed')
})

/** A process that opens the socket and dies without a word. */
async function killedWithSocket(stateFolder: string): Promise<string> {
  const server = new URL('../../src/control/server.ts', import.meta.url)
  const script = `
    const { startControlServer } = await import(${JSON.stringify(server.href)})
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const server = await startControlServer({ control: {}, stateFolder: ${JSON.stringify(stateFolder)}, log })
    process.stdout.write(server.socket)
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50)`
  const tsx = import.meta.resolve('tsx')
  const child = spawn(process.execPath, ['--import', tsx, '--input-type=module', '-e', script])
  const [socket] = await Promise.all([
    text(child.stdout),
    new Promise((resolve) => child.once('close', resolve)),
  ])
  assert.ok(existsSync(socket))
  return socket
}

function statusOf(socketPath = '', method: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ socketPath, method, path }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .once('error', reject)
      .end()
  })
}

test.run()
