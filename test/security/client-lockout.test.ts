// A gateway that has just started remembers no client's document, and somebody asks it for nonsense from that client's host.
import * as assert from 'uvu/assert'
import { type App, startApp } from '../../src/app.ts'
import { openEnvironment } from '../../src/store/environment.ts'
import { statePaths } from '../../src/store/state-folder.ts'
import { temporaryFolder } from '../store/temporary.ts'
import { startClientHost } from '../support/client-host.ts'
import { recordingLog, USER } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { freePort, onPort } from '../support/ports.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'
import { send } from './client.ts'
import { documentClient, documentClientWorks, REDIRECT } from './document-world.ts'

const test = suite('security/client-lockout')

/** One gateway after another on the same folder. Its clock stands still, so that a host never rests. */
async function startScene(context: TestContext) {
  const { after } = context
  const host = await startClientHost(REDIRECT)
  after(() => host.close())
  const upstream = await startMcpServer()
  after(() => upstream.close())
  const folder = await temporaryFolder(context)
  const port = await freePort()
  const url = `http://localhost:${port}`
  const rules = 'clients: { cimd: { allow_private_hosts: [127.0.0.1] } }\n'
  const nowMs = Date.now()
  const start = async (): Promise<App> => {
    const app = await startApp({
      source: {
        name: 'gateways.yaml',
        folder,
        text: rules + onPort(port, document(openRoute('open', upstream))),
      },
      env: { MCP_GATEWAY_PASSWORD: USER.password },
      stateFolder: folder,
      log: recordingLog().log,
      now: () => nowMs,
    })
    after(() => app.close())
    return app
  }
  const client = documentClient(url, host)
  const authorize = async (path: string) =>
    (await send(client.trip({ client_id: `${host.origin}${path}` }).url)).status
  const records = async () => {
    const environment = await openEnvironment(statePaths(folder).store)
    try {
      return environment.records.getCount() + environment.rows.getCount()
    } finally {
      await environment.close()
    }
  }
  return { host, url, start, client, authorize, records }
}

test('sec-R2, sec-R14: nonsense from the host of a client that people use does not lock them out after a restart, is no flood on that host, and costs no record', async (context) => {
  const { host, url, start, client, authorize, records } = await startScene(context)
  const unused = { client_id: `${host.origin}/unused.json`, client_name: 'Unused', redirect_uris: [REDIRECT] }
  host.paths.set('/unused.json', {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(unused),
  })
  const first = await start()
  await documentClientWorks(client, url)
  await first.close()

  await start()
  host.recorder.clear()
  const before = await records()
  for (let wave = 0; wave < 4; wave++) {
    const junk = Array.from({ length: 50 }, (_, index) => authorize(`/junk-${wave}-${index}.json`))
    assert.equal([...new Set(await Promise.all(junk))], [400])
  }
  assert.is(host.recorder.count(), 5)
  assert.is(await authorize('/unused.json'), 400, 'there is nothing left for strangers')
  assert.is(await authorize('/client.json'), 200)
  assert.is(await records(), before)
  await documentClientWorks(client, url)
  assert.is(host.recorder.count('/client.json'), 1)
  assert.is(host.recorder.count(), 6)
})

test('sec-F7: a document that is gone, of a client that people use, is not asked for without end either', async (context) => {
  const { host, url, start, client, authorize } = await startScene(context)
  const first = await start()
  await documentClientWorks(client, url)
  await first.close()

  await start()
  host.recorder.clear()
  host.paths.delete('/client.json')
  for (let wave = 0; wave < 40; wave++) assert.is(await authorize('/client.json'), 400)
  assert.is(host.recorder.count(), 7, 'its own share, and that of strangers')
})

test.run()
