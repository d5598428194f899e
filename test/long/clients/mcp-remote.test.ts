// The package mcp-remote, as an MCP client's stdio server, in front of the gateway.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import * as assert from 'uvu/assert'
import { type Scene, startScene } from '../../personas/scene.ts'
import type { Person } from '../../support/person.ts'
import { freePort } from '../../support/ports.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { mcpRemote, WHY_SKIPPED } from './packages.ts'
import { watch } from './person.ts'

const suiteTest = suite('long/clients/mcp-remote')
const test = suiteTest.skipUnless(mcpRemote, WHY_SKIPPED)

let scene: Scene
suiteTest.before(async () => {
  scene = await startScene([], 2)
})
suiteTest.after(() => scene?.close())

interface Start {
  readonly url: string
  /** Of its redirect URI. When the one it would choose is taken for a moment, it takes another and registers anew. */
  readonly port: number
  readonly folder: string
  readonly person: Person
}

async function start({ after }: TestContext, { url, port, folder, person }: Start) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [mcpRemote ?? '', url, String(port)],
    // Whatever browser there is stays shut: this person reads the URL.
    env: { PATH: process.env.PATH ?? '', HOME: folder, MCP_REMOTE_CONFIG_DIR: folder, BROWSER: 'true' },
    stderr: 'pipe',
  })
  const watching = watch([transport.stderr as Readable | null], scene, person)
  const client = new Client({ name: 'test-client', version: '1.0.0' })
  after(() => client.close())
  try {
    await client.connect(transport, { timeout: 60_000 })
  } catch (error) {
    throw new Error(`${error}: ${watching.heard()}`)
  }
  await watching.done()
  const whoami = async () => {
    const result = await client.callTool({ name: 'whoami', arguments: {} })
    const [first] = result.content as { text: string }[]
    return first?.text ?? ''
  }
  return { client, watching, whoami }
}

async function savedToken(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true })
  const [name] = names.filter((file) => file.endsWith('_tokens.json'))
  if (name === undefined) throw new Error(`no tokens among ${names}`)
  const { access_token: token } = JSON.parse(await readFile(join(folder, name), 'utf8')) as {
    access_token: string
  }
  return token
}

for (const name of ['github', 'demo']) {
  test(
    `spec-C9, spec-T3: mcp-remote signs in once on the route ${name}, calls a tool, starts again and refreshes`,
    async (context) => {
      const folder = await mkdtemp(join(tmpdir(), 'mcp-remote-'))
      context.after(() => rm(folder, { recursive: true, force: true }))
      const person = scene.newPerson()
      const from = { url: scene.route(name).url, port: await freePort(), folder, person }
      const first = await start(context, from)
      const { tools } = await first.client.listTools()
      assert.ok(tools.some((tool) => tool.name === 'whoami'))
      assert.match(await first.whoami(), person.upstreamName)
      assert.is(first.watching.visits(), 1)
      await first.client.close()

      const token = await savedToken(folder)
      const second = await start(context, from)
      assert.match(await second.whoami(), person.upstreamName)
      assert.is(await savedToken(folder), token, 'the same token after a restart')

      scene.advance(3601)
      assert.match(await second.whoami(), person.upstreamName)
      const renewed = await savedToken(folder)
      assert.is.not(renewed, token, 'refreshed')
      assert.is(second.watching.visits(), 0, 'nobody was asked again')
      for (const { recorder } of scene.routes) assert.not.ok(recorder.saw(token) || recorder.saw(renewed))
    },
    { timeoutMs: 120_000 },
  )
}

suiteTest.run()
