// The package @modelcontextprotocol/inspector: its terminal client, one process for each request, in front of the gateway.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { modernNode, WHY_SKIPPED as WHY_NO_NODE } from '../../conformance/conformance.ts'
import { type Scene, startScene } from '../../personas/scene.ts'
import type { Person } from '../../support/person.ts'
import { suite } from '../../support/suite.ts'
import { inspector, WHY_SKIPPED } from './packages.ts'
import { watch } from './person.ts'

const suiteTest = suite('long/clients/inspector')
const test = suiteTest.skipUnless(inspector && modernNode, inspector ? WHY_NO_NODE : WHY_SKIPPED)

let scene: Scene
suiteTest.before(async () => {
  scene = await startScene([], 2)
})
suiteTest.after(() => scene?.close())

/** Runs it once. Its state is in the folder, secrets in a file there: no keychain of this machine is asked. */
async function run(folder: string, person: Person, ...parameters: string[]) {
  const child = spawn(modernNode ?? '', [inspector ?? '', '--cli', ...parameters, '--format', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      MCP_STORAGE_DIR: folder,
      MCP_INSPECTOR_SECRET_STORE: 'file',
      // Without a terminal it signs in only if it may open a browser itself; the one it finds does nothing.
      MCP_AUTO_OPEN_ENABLED: 'true',
      BROWSER: 'true',
    },
  })
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  const watching = watch([child.stdout, child.stderr], scene, person)
  await once(child, 'close')
  await watching.done()
  assert.is(child.exitCode, 0, watching.heard())
  return { printed, visits: watching.visits() }
}

for (const name of ['github', 'demo']) {
  test(
    `spec-C10, spec-T3: the inspector signs in once on the route ${name}, lists and calls tools, and refreshes`,
    async (context) => {
      const folder = await mkdtemp(join(tmpdir(), 'inspector-'))
      context.after(() => rm(folder, { recursive: true, force: true }))
      const { url } = scene.route(name)
      const person = scene.newPerson()
      const whoami = ['--method', 'tools/call', '--tool-name', 'whoami']
      const target = ['--server-url', url, '--transport', 'http']

      const listed = await run(folder, person, ...target, '--method', 'tools/list')
      assert.is(listed.visits, 1)
      assert.match(listed.printed, '"whoami"')
      const called = await run(folder, person, ...target, ...whoami)
      assert.equal([called.visits, called.printed.includes(person.upstreamName)], [0, true])
      scene.advance(3601)
      const later = await run(folder, person, ...target, ...whoami)
      assert.equal([later.visits, later.printed.includes(person.upstreamName)], [0, true])
    },
    { timeoutMs: 180_000 },
  )
}

suiteTest.run()
