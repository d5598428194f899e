// Two gateways, two processes, one store: what one does counts for the other at once.

import { writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { serve } from '../../durable/process.ts'
import { type Standby, standby } from '../../durable/standby.ts'
import { Client, callMcp, postForm, tokensOf } from '../../security/client.ts'
import { obtainCode, obtainTokens } from '../../security/world.ts'
import { temporaryFolder } from '../../store/temporary.ts'
import { startDiscoveryUpstream } from '../../support/discovery-upstream.ts'
import { USER } from '../../support/gateway.ts'
import { type Oidc, startOidc } from '../../support/oidc.ts'
import { freePort } from '../../support/ports.ts'
import { CLIENT, startServiceUpstream } from '../../support/service-upstream.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { document, oidcRoute } from '../../support/yaml.ts'

const test = suite('long/durable/processes')

const HOUR_MS = 3_600_000
const person = USER

interface Pair {
  oidc: Oidc
  gateways: [Standby, Standby]
  /** Of each, though both are known by the first one. */
  urls: [string, string]
}

/** Clients know the first one; the second one answers for it, as behind a load balancer. */
async function startPair(context: TestContext, login = ''): Promise<Pair> {
  const oidc = await startOidc({ rotateRefreshTokens: true })
  context.after(() => oidc.close())
  const folder = await temporaryFolder(context)
  const ports = [await freePort(), await freePort()] as const
  const env = { MCP_GATEWAY_PASSWORD: USER.password }
  const launch = async (port: number) => {
    const file = join(folder, `${port}.yaml`)
    const known = `port: ${port}, public_url: "http://localhost:${ports[0]}", allowed_hosts: ["localhost:${port}"]`
    const kept = `store: { path: kept/store }\ntokens: { access_ttl: 12h }\n${login}`
    await writeFile(file, document(oidcRoute('oidc', oidc)).replace('port: 0', known) + kept)
    const gateway = standby(context, file, join(folder, 'state'), env)
    await gateway.begin()
    return gateway
  }
  const [first, second] = await Promise.all([launch(ports[0]), launch(ports[1])])
  return {
    oidc,
    gateways: [first, second],
    urls: [`http://localhost:${ports[0]}`, `http://localhost:${ports[1]}`],
  }
}

const refreshes = ({ oidc }: Pair) =>
  oidc.recorder.to('POST /token').filter(({ form }) => form.get('grant_type') === 'refresh_token').length

test('25 calls through each of two processes on an expired link: one refresh at the upstream, all 50 answered', async (context) => {
  const pair = await startPair(context)
  const { gateways, urls } = pair
  const client = await Client.register(urls[0])
  const { tokens } = await obtainTokens({ client, person })
  for (const round of [1, 2]) {
    await Promise.all(gateways.map((gateway) => gateway.forward(2 * HOUR_MS)))
    const calls = Array.from({ length: 50 }, (_, n) => callMcp(`${urls[n % 2]}/oidc`, tokens.access))
    const answers = await Promise.all(calls)
    assert.equal(
      answers.map(({ status }) => status),
      Array(50).fill(200),
    )
    // Its refresh tokens work once: a second refresh would have ended the link.
    assert.is(refreshes(pair), round)
  }
})

/** The lock's whole time is longer: of a refresh 25 s, of anything else a minute. */
const SOON_MS = 20_000
const PATIENCE = { timeoutMs: 90_000 }

test(
  'a process that dies in the middle of a refresh holds the other one up for seconds, not for as long as its lock could be held',
  async (context) => {
    const pair = await startPair(context)
    const { oidc, gateways, urls } = pair
    const client = await Client.register(urls[0])
    const { tokens } = await obtainTokens({ client, person })
    const swallowed = swallowOne(oidc, '/token')
    await Promise.all(gateways.map((gateway) => gateway.forward(2 * HOUR_MS)))
    const lost = callMcp(`${urls[0]}/oidc`, tokens.access).catch(() => 'lost')
    await swallowed
    await gateways[0].kill()
    assert.is(await lost, 'lost')
    const begun = performance.now()
    assert.is((await callMcp(`${urls[1]}/oidc`, tokens.access)).status, 200)
    assert.ok(performance.now() - begun < SOON_MS)
    assert.is(refreshes(pair), 1)
  },
  PATIENCE,
)

test(
  'killed between the rotation at the upstream and the write: that one link is signed in to again, and nothing else happens',
  async (context) => {
    const pair = await startPair(context, 'login: { none: {} }\n')
    const { oidc, gateways, urls } = pair
    const client = await Client.register(urls[0])
    const [unlucky, other] = [await obtainTokens({ client, person }), await obtainTokens({ client, person })]
    const rotated = loseAnswer(oidc, '/token')
    await Promise.all(gateways.map((gateway) => gateway.forward(2 * HOUR_MS)))
    const lost = callMcp(`${urls[0]}/oidc`, unlucky.tokens.access).catch(() => 'lost')
    await rotated
    await gateways[0].kill()
    assert.is(await lost, 'lost')

    const begun = performance.now()
    const call = (tokens: { access: string }) => callMcp(`${urls[1]}/oidc`, tokens.access)
    assert.is((await call(unlucky.tokens)).status, 401, 'its refresh token was spent')
    assert.ok(performance.now() - begun < SOON_MS)
    const refreshed = await postForm(`${urls[1]}/token`, {
      grant_type: 'refresh_token',
      refresh_token: unlucky.tokens.refresh,
      client_id: client.id,
    })
    assert.equal([refreshed.status, refreshed.body.error], [400, 'invalid_grant'])
    assert.is((await call(other.tokens)).status, 200, 'another person goes on')
    const asked = refreshes(pair)
    assert.is((await call(unlucky.tokens)).status, 401)
    assert.is(refreshes(pair), asked, 'and the upstream is not asked again and again')
  },
  PATIENCE,
)

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(
    `${signal} while a token endpoint hangs: started again, the route is there within seconds`,
    async (context) => {
      const upstream = await startServiceUpstream()
      context.after(() => upstream.close())
      const server = `{ token_endpoint: "${upstream.tokenEndpoint}", client_id: ${CLIENT.id}, client_secret: "\${SECRET}" }`
      const auth = `{ type: client_credentials, authorization_server: ${server} }`
      const options = {
        folder: await temporaryFolder(context),
        yaml: document(`\n  tools: { upstream: "${upstream.mcpUrl}", auth: ${auth} }\n`),
        env: { SECRET: CLIENT.secret },
      }
      upstream.knobs.hold = new Promise(() => {})
      const first = await serve(context, options)
      await upstream.recorder.arrival('POST /token')
      await first.stop(signal)
      upstream.knobs.hold = undefined
      const asked = upstream.recorder.count('POST /token')
      const begun = performance.now()
      await serve(context, options)
      await upstream.recorder.arrival('POST /token', asked + 1)
      assert.ok(performance.now() - begun < SOON_MS)
    },
    PATIENCE,
  )
}

test(
  'SIGKILL while a registration hangs: started again, a person can sign in within seconds, and it registers once more',
  async (context) => {
    const upstream = await startDiscoveryUpstream()
    context.after(() => upstream.close())
    const folder = await temporaryFolder(context)
    // Where its answers come in is part of what it registers as.
    const port = `port: ${await freePort()}`
    const yaml = document(`\n  tools: { upstream: "${upstream.mcpUrl}" }\n`).replace('port: 0', port)
    const options = { folder, yaml }
    const swallowed = swallowOne(upstream, '/register')
    const first = await serve(context, options)
    await swallowed
    await first.stop('SIGKILL')
    const begun = performance.now()
    const { url } = await serve(context, options)
    const client = await Client.register(url)
    const { tokens } = await obtainTokens({ client, person })
    assert.ok(performance.now() - begun < SOON_MS)
    assert.is((await callMcp(`${url}/tools`, tokens.access)).status, 200)
    assert.is(upstream.recorder.count('POST /register'), 1, 'besides the one that was lost')
  },
  PATIENCE,
)

/** The next request to `path` is dealt with, and its answer never sent. Resolves when it would have been. */
function loseAnswer({ server }: Oidc, path: string): Promise<void> {
  const own = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  return new Promise((resolve) => {
    const instead = (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === path) {
        server.removeListener('request', instead)
        for (const listener of own) server.on('request', listener)
        response.write = () => true
        response.end = () => {
          resolve()
          return response
        }
      }
      for (const listener of own) listener(request, response)
    }
    server.removeAllListeners('request').on('request', instead)
  })
}

/** The next request to `path` is never answered, and leads to nothing. Resolves when it has come. */
function swallowOne({ server }: Pick<Oidc, 'server'>, path: string): Promise<void> {
  const own = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  server.removeAllListeners('request')
  return new Promise((resolve) => {
    server.on('request', (request, response) => {
      if (request.url !== path) {
        for (const listener of own) listener(request, response)
        return
      }
      server.removeAllListeners('request')
      for (const listener of own) server.on('request', listener)
      resolve()
    })
  })
}

test('each step of a life may go to another process: code, refresh, replay, revocation', async (context) => {
  const { urls } = await startPair(context)
  const [here, there] = urls
  const client = await Client.register(here)
  const elsewhere = new Client(there, {
    client_id: client.id,
    token_endpoint_auth_method: 'none',
    redirect_uris: [client.redirectUri],
  })
  const { code, trip } = await obtainCode({ client, person })
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) => [client, elsewhere][n % 2]?.redeem(code, trip.verifier)),
  )
  assert.is(answers.filter((answer) => answer?.status === 200).length, 1, 'one code, one redemption')

  const { tokens } = await obtainTokens({ client, person })
  const pairs = await Promise.all(
    Array.from({ length: 10 }, (_, n) => [client, elsewhere][n % 2]?.refresh(tokens.refresh)),
  )
  const [first, ...others] = pairs.map((answer) => answer && tokensOf(answer))
  for (const other of others) assert.equal(other, first, 'one token, one successor')
  assert.is((await callMcp(`${there}/oidc`, first?.access)).status, 200)
  assert.is((await postForm(`${there}/revoke`, { client_id: client.id, token: first?.refresh })).status, 200)
  for (const url of urls) assert.is((await callMcp(`${url}/oidc`, first?.access)).status, 401)
  for (const by of [client, elsewhere]) assert.is((await by.refresh(first?.refresh ?? '')).status, 400)
})

test.run()
