// Registrations outlive whatever happens to the process and to its store: many clients can't recover from being unknown.
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { serve } from '../../durable/process.ts'
import { Client, callTool } from '../../security/client.ts'
import { newBrowser, obtainTokens, openConsent } from '../../security/world.ts'
import { temporaryFolder } from '../../store/temporary.ts'
import { USER } from '../../support/gateway.ts'
import { startMcpServer } from '../../support/mcp-server.ts'
import { freePort, onPort } from '../../support/ports.ts'
import { suite } from '../../support/suite.ts'
import { document, openRoute } from '../../support/yaml.ts'

const test = suite('long/security/survival')

test(
  'sec-R3, spec-C13: after a kill, a restored backup and a lost store every client is known, and signs in',
  async (context) => {
    const upstream = await startMcpServer()
    context.after(() => upstream.close())
    const folder = await temporaryFolder(context)
    const store = join(folder, 'kept', 'store')
    const text = `${document(openRoute('open', upstream))}store: { path: kept/store }\n`
    const options = { folder, yaml: onPort(await freePort(), text) }
    const first = await serve(context, options)
    const { url } = first
    const clients = [
      await Client.register(url),
      await Client.register(url, { token_endpoint_auth_method: 'client_secret_basic' }),
    ]
    const browser = newBrowser()
    const signIn = (client: Client) => obtainTokens({ client, browser, person: USER })
    const held = await signIn(clients[0] as Client)

    const assertKnown = async () => {
      for (const client of clients) {
        const { page } = await openConsent(browser, client)
        assert.equal([page.status, page.sentTo], [200, undefined])
        const { tokens } = await signIn(client)
        assert.is(await callTool(`${url}/open`, tokens.access, 'add', { a: 2, b: 3 }), '5')
      }
    }
    await first.stop('SIGKILL')
    const backup = join(folder, 'backup')
    await cp(store, backup, { recursive: true })

    const second = await serve(context, options)
    await assertKnown()
    assert.is((await clients[0]?.refresh(held.tokens.refresh))?.status, 200, 'nobody was signed out')
    await second.stop('SIGKILL')
    await rm(store, { recursive: true })
    await cp(backup, store, { recursive: true })

    const third = await serve(context, options)
    await assertKnown()
    await third.stop('SIGKILL')
    await rm(store, { recursive: true })

    await serve(context, options)
    await assertKnown()
  },
  { timeoutMs: 60_000 },
)

test.run()
