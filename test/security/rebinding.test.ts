// Pages of other sites and the MCP path: DNS rebinding and foreign origins end at the door.
import * as assert from 'uvu/assert'
import { sendRaw } from '../support/raw.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute } from '../support/yaml.ts'
import { Client } from './client.ts'
import { raw, startWithToken } from './proxy-world.ts'
import { NO_LOGIN, obtainTokens, startWorld, withoutUpstream } from './world.ts'

const test = suite('security/rebinding')

test('sec-P19, spec-R6: a page of another site reaches no route, by its own name or by its Origin', async (context) => {
  const { world, access } = await startWithToken(context)
  const { host, port } = new URL(world.url)
  const refused: [headers: [string, string][], statuses: number[]][] = [
    [[['Origin', 'https://evil.test']], [403]],
    [[['Origin', 'null']], [403]],
    [[['Origin', `http://localhost.evil.test:${port}`]], [403]],
    [[['Origin', `http://evil.test:${port}`]], [403]],
    [[['Origin', 'chrome-extension://abc']], [403]],
    [[['Origin', '']], [403]],
    // 421 is what RFC 9110 §15.5.20 has for a Host that is not served here; the request goes no further either way.
    [[['Host', 'evil.test']], [403, 421]],
    [[['Host', `evil.test:${port}`]], [403, 421]],
    [[['Host', `${host}.evil.test`]], [403, 421]],
    [[['Host', `localhost.evil.test:${port}`]], [403, 421]],
    [[['Host', `127.0.0.1.evil.test:${port}`]], [403, 421]],
    [[['Host', `localhost:${port}@evil.test`]], [400, 403, 421]],
    [[['Host', '']], [400, 403, 421]],
    [
      [
        ['Host', `evil.test:${port}`],
        ['Origin', `http://evil.test:${port}`],
      ],
      [403, 421],
    ],
  ]
  await withoutUpstream(world, async () => {
    for (const [headers, statuses] of refused) {
      for (const method of ['POST', 'GET', 'DELETE']) {
        const answer = await raw(world, access, { method, headers, ...(method !== 'POST' && { body: '' }) })
        assert.ok(
          statuses.includes(answer.status),
          `${method} ${JSON.stringify(headers)}: ${answer.statusLine}`,
        )
        assert.is(answer.header('access-control-allow-origin'), undefined)
      }
    }
  })
  for (const headers of [
    [],
    [['Origin', world.url]],
    [['Host', `127.0.0.1:${port}`]],
    [['Host', `LOCALHOST:${port}`]],
  ] as [string, string][][]) {
    assert.is((await raw(world, access, { headers })).status, 200, JSON.stringify(headers))
  }
})

test('sec-P19: DNS rebinding gets through a gateway without login neither by itself nor with a willing click', async (context) => {
  const world = await startWorld(context, {
    yaml: (github) => document(githubRoute('github', github)) + NO_LOGIN,
  })
  const { port } = new URL(world.url)
  const rebound = `evil.test:${port}`
  const client = await Client.register(world.url, { redirect_uris: ['https://evil.test/cb'] })
  const { url } = client.trip()
  const shown = await sendRaw(world.url, { target: url.pathname + url.search, headers: [['Host', rebound]] })
  // The page of a stranger's own making: what counts is that its script cannot send the form.
  const fields = [...shown.body.matchAll(/name="(transaction|scopes|csrf)" value="([^"]+)"/g)].map(
    ([, name = '', value = '']) => [name, value],
  )
  const form = new URLSearchParams({ ...Object.fromEntries(fields), decision: 'allow' }).toString()
  const cookie = shown
    .all('set-cookie')
    .map((line) => line.split(';')[0])
    .join('; ')
  assert.ok(fields.length === 3 && cookie !== '')
  const headers: [string, string][] = [
    ['Host', rebound],
    ['Origin', `http://${rebound}`],
    ['Sec-Fetch-Site', 'same-origin'],
    ['Cookie', cookie],
    ['Content-Type', 'application/x-www-form-urlencoded'],
  ]
  const sent = await withoutUpstream(world, () =>
    sendRaw(world.url, { method: 'POST', target: '/consent', headers, body: form }),
  )
  assert.equal([sent.status, sent.header('location')], [403, undefined])
  const { tokens } = await obtainTokens({ client: await Client.register(world.url) })
  const call = await withoutUpstream(world, () => raw(world, tokens.access, { headers: [['Host', rebound]] }))
  assert.ok([403, 421].includes(call.status))
})

test.run()
