// What is flooded: a gateway as a process with its store on disk, an open upstream, and a client that is known by its
// document. What the gateway holds is looked at from outside.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEnvironment } from '../../../src/store/environment.ts'
import type { Client } from '../../security/client.ts'
import { documentClient, REDIRECT } from '../../security/document-world.ts'
import { temporaryFolder } from '../../store/temporary.ts'
import { startClientHost } from '../../support/client-host.ts'
import { startMcpServer } from '../../support/mcp-server.ts'
import type { TestContext } from '../../support/suite.ts'
import { document, openRoute } from '../../support/yaml.ts'

/** What the gateway's process and its folder hold. */
export interface Held {
  readonly rssMiB: number
  readonly heapMiB: number
  readonly rows: number
  readonly dataMiB: number
}
export interface Scene {
  readonly url: string
  readonly mcpUrl: string
  readonly documentClient: Client
  held(): Promise<Held>
}

const MIB = 2 ** 20
const script = fileURLToPath(new URL('child.ts', import.meta.url))

export async function startScene(context: TestContext): Promise<Scene> {
  const { after } = context
  const host = await startClientHost(REDIRECT)
  after(() => host.close())
  const upstream = await startMcpServer({ jsonResponses: true })
  after(() => upstream.close())
  const folder = await temporaryFolder(context)
  const file = join(folder, 'gateways.yaml')
  const rules = 'clients: { cimd: { allow_private_hosts: [127.0.0.1] } }\n'
  await writeFile(file, rules + document(openRoute('open', upstream)))
  const child = fork(script, [file, join(folder, 'state')], {
    execArgv: ['--import', import.meta.resolve('tsx'), '--expose-gc'],
    env: { PATH: process.env.PATH },
  })
  after(() => child.kill('SIGKILL'))
  const [{ url }] = (await once(child, 'message')) as [{ url: string }]
  const store = join(folder, 'state', 'store')

  async function held(): Promise<Held> {
    child.send('memory')
    const [{ rss, heapUsed }] = (await once(child, 'message')) as [NodeJS.MemoryUsage]
    const { size } = await stat(join(store, 'data.mdb'))
    return { rssMiB: rss / MIB, heapMiB: heapUsed / MIB, rows: await countRows(store), dataMiB: size / MIB }
  }
  return { url, mcpUrl: `${url}/open`, documentClient: documentClient(url, host), held }
}

/** As a second process would read them: records, and the rows of their indexes. */
async function countRows(folder: string): Promise<number> {
  const environment = await openEnvironment(folder)
  try {
    return environment.records.getCount() + environment.rows.getCount()
  } finally {
    await environment.close()
  }
}
