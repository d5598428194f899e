// Auth type api_key on the wire: the shared key is where the upstream looks for it, and the client's own copy is not.
import * as assert from 'uvu/assert'
import { Client, callMcp } from '../security/client.ts'
import { newBrowser, obtainTokens, PASSWORD_HASHES, TWO_USERS } from '../security/world.ts'
import { startGateway } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { suite } from '../support/suite.ts'

const test = suite('flow/api-key')

for (const place of ['header', 'query'] as const)
  test(`in the ${place}: whatever the client sends there itself stays behind`, async ({ after }) => {
    const upstream = await startMcpServer({ key: { in: place, name: 'api_key', value: 'shared key&1' } })
    after(() => upstream.close())
    const yaml = `version: 1
server: { port: 0 }
${TWO_USERS}
routes:
  keyed:
    upstream: "${upstream.url}?tenant=one"
    auth: { type: api_key, in: ${place}, name: api_key, value: "\${KEY}" }
`
    const gateway = await startGateway({ yaml, env: { ...PASSWORD_HASHES, KEY: 'shared key&1' } })
    after(() => gateway.close())
    const client = await Client.register(gateway.url)
    const { access } = (await obtainTokens({ client, browser: newBrowser() })).tokens
    const url = `${gateway.url}/keyed?api_key=forged&api_key=twice&tenant=two`
    const { status } = await callMcp(url, access, undefined, { api_key: 'forged' })
    assert.is(status, 200)
    const sent = upstream.recorder.requests.at(-1)
    assert.equal(
      [sent?.query.getAll('api_key'), sent?.query.getAll('tenant'), sent?.headers.api_key],
      place === 'query' ? [['shared key&1'], ['one'], undefined] : [[], ['one'], 'shared key&1'],
    )
    assert.not.ok(upstream.recorder.saw('forged'))
    assert.not.ok(upstream.recorder.saw(access))
  })

test.run()
