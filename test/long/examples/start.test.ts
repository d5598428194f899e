// `npm start` on the built gateway: the main job works with nothing configured, and ends without leavings.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { EXIT } from '../../../src/cli/exit.ts'
import { connectV1 } from '../../support/clients.ts'
import { listen } from '../../support/http.ts'
import { freePort } from '../../support/ports.ts'
import { suite } from '../../support/suite.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const PASSWORD = 'correct horse battery'

const test = suite('long/examples/start')
const testBuilt = test.skipUnless(existsSync(join(root, 'dist/index.js')), 'not built: npm run build')

interface Started {
  child: ChildProcess
  /** Settles with the first capture once the output matches; rejects when the process ends before. */
  said(pattern: RegExp): Promise<string>
  ended: Promise<number | null>
}

function start(args: string[], env: Record<string, string>): Started {
  const child = spawn(process.execPath, [join(root, 'examples/start.mjs'), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
      for (const listener of listeners) listener()
    })
  }
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const said = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        const found = pattern.exec(output)
        if (found) resolve(found[1] ?? found[0])
      }
      listeners.add(check)
      check()
      ended.then(() => reject(new Error(`ended without saying ${pattern}: ${output}`)))
    })
  return { child, said, ended }
}

/** The committed gateways.yaml on free ports. */
async function prepare(change: (yaml: string) => string = (yaml) => yaml) {
  const folder = await mkdtemp(join(tmpdir(), 'start-'))
  const yaml = readFileSync(join(root, 'gateways.yaml'), 'utf8').replace(
    'version: 1',
    'version: 1\nserver: { port: 0 }\nstore: { type: memory }',
  )
  const config = join(folder, 'gateways.yaml')
  await writeFile(config, change(yaml))
  const demoPort = await freePort()
  const env = { DEMO_PORT: String(demoPort), MCP_GATEWAY_PASSWORD: PASSWORD, XDG_STATE_HOME: folder }
  return {
    args: ['--config', config],
    env,
    demoPort,
    remove: () => rm(folder, { recursive: true }),
  }
}

const isClosed = (url: string) =>
  fetch(url).then(
    () => false,
    () => true,
  )

testBuilt(
  'a client signs in on both screens and calls a tool; SIGTERM ends both servers',
  async ({ after }) => {
    const { args, env, demoPort, remove } = await prepare()
    after(remove)
    const { child, said, ended } = start(args, env)
    after(() => child.kill('SIGKILL'))
    const url = await said(/"url":"(http:[^"]+)"/)
    const person = { username: 'gateway_user', password: PASSWORD, upstreamName: 'newcomer' }
    const client = await connectV1(`${url}/demo`, { person })
    assert.is(client.provider.signIns[0]?.pages.length, 2)
    assert.match(await client.call('whoami'), 'You are newcomer')
    assert.equal(await client.countdown(2), ['1', '0'])
    await client.close()
    child.kill('SIGTERM')
    assert.is(await ended, 0)
    assert.ok(await isClosed(url))
    assert.ok(await isClosed(`http://127.0.0.1:${demoPort}/`))
  },
)

testBuilt(
  'after a restart people can sign in again: both servers still know each other',
  async ({ after }) => {
    const port = await freePort()
    const onDisk = (yaml: string) =>
      yaml.replace('port: 0', `port: ${port}`).replace('{ type: memory }', '{}')
    const { args, env, remove } = await prepare(onDisk)
    after(remove)
    for (const upstreamName of ['before', 'after']) {
      const { child, said, ended } = start(args, env)
      after(() => child.kill('SIGKILL'))
      const url = await said(/"url":"(http:[^"]+)"/)
      const person = { username: 'gateway_user', password: PASSWORD, upstreamName }
      const client = await connectV1(`${url}/demo`, { person })
      assert.match(await client.call('whoami'), 'You are')
      await client.close()
      child.kill('SIGTERM')
      assert.is(await ended, 0)
    }
  },
)

testBuilt('a taken demo port is said, and nothing is left running', async ({ after }) => {
  const { args, env, demoPort, remove } = await prepare()
  after(remove)
  const squatter = await listen(() => {}, demoPort)
  after(squatter.close)
  const { said, ended } = start(args, env)
  await said(new RegExp(`Port ${demoPort} is taken.*DEMO_PORT`, 's'))
  assert.is(await ended, 1)
})

testBuilt(
  'when the gateway refuses its configuration, the demo ends with the same exit code',
  async ({ after }) => {
    const { args, env, demoPort, remove } = await prepare((yaml) => `${yaml}\nnonsense: true\n`)
    after(remove)
    const { said, ended } = start(args, env)
    await said(/nonsense/)
    assert.is(await ended, EXIT.config)
    assert.ok(await isClosed(`http://127.0.0.1:${demoPort}/`))
  },
)

test.run()
