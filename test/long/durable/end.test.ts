// The end of a gateway on request: what is under way is finished, streams are not waited for too long, and what was
// acknowledged on the way out counts afterwards.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { type HeldUpstream, startHeldUpstream } from '../../durable/held-upstream.ts'
import { startNext } from '../../durable/next.ts'
import { openStream } from '../../durable/open-stream.ts'
import { serve } from '../../durable/process.ts'
import { type Answer, Client, callMcp, type Tokens, tokensOf } from '../../security/client.ts'
import { newBrowser, obtainTokens } from '../../security/world.ts'
import { temporaryFolder } from '../../store/temporary.ts'
import { USER } from '../../support/gateway.ts'
import { startGithub } from '../../support/github.ts'
import type { Oidc } from '../../support/oidc.ts'
import { startOidc } from '../../support/oidc.ts'
import { signIn } from '../../support/person.ts'
import { freePort } from '../../support/ports.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { document, githubEnv, githubRoute, oidcRoute } from '../../support/yaml.ts'

const test = suite('long/durable/end')

/** With streams that are waited for so long. */
const drained = (timeout: string, yaml: string, port = 0) =>
  `${yaml.replace('port: 0', `port: ${port}, drain_timeout: ${timeout}`)}store: { path: kept/store }\n`

async function held(context: TestContext): Promise<HeldUpstream> {
  const upstream = await startHeldUpstream()
  context.after(() => upstream.close())
  return upstream
}

const openRoute = ({ url }: HeldUpstream) => `\n  held: { upstream: ${url}, auth: none }\n`

async function tokensAt(url: string): Promise<{ client: Client; tokens: Tokens }> {
  const client = await Client.register(url)
  const { tokens } = await obtainTokens({ client, person: USER })
  return { client, tokens }
}

const openStreams = (url: string, { access }: Tokens, count: number) =>
  Promise.all(Array.from({ length: count }, () => openStream(url, access)))

test('SIGTERM: nobody new gets in, a call under way is answered, streams end in time, and the exit code is 0', async (context) => {
  const upstream = await held(context)
  const folder = await temporaryFolder(context)
  const gateway = await serve(context, { folder, yaml: drained('2s', document(openRoute(upstream))) })
  const { tokens } = await tokensAt(gateway.url)
  const streams = await openStreams(`${gateway.url}/held`, tokens, 20)
  const call = callMcp(`${gateway.url}/held`, tokens.access)
  await upstream.recorder.arrival('POST /mcp')

  const begun = performance.now()
  gateway.signal('SIGTERM')
  await gateway.logged('ending')
  await refusesConnections(gateway.url)
  upstream.push('still here')
  await Promise.all(streams.map((stream) => stream.received('still here')))
  upstream.answer()
  assert.match((await call).text, 'in full')
  assert.equal(await gateway.ended, { code: 0, signal: null })
  assert.ok(performance.now() - begun < 10_000)
  await Promise.all(streams.map(({ ended }) => ended))
})

/** Within moments: the log line comes just before. */
async function refusesConnections(url: string): Promise<void> {
  for (;;) {
    const refused = await fetch(`${url}/.well-known/oauth-protected-resource`).then(
      () => false,
      (error: Error) => String((error.cause as NodeJS.ErrnoException).code) === 'ECONNREFUSED',
    )
    if (refused) return
    await delay(10)
  }
}

test('a second SIGTERM ends it at once, streams or not', async (context) => {
  const upstream = await held(context)
  const folder = await temporaryFolder(context)
  const gateway = await serve(context, { folder, yaml: drained('20s', document(openRoute(upstream))) })
  const { tokens } = await tokensAt(gateway.url)
  const [stream] = await openStreams(`${gateway.url}/held`, tokens, 1)
  gateway.signal('SIGTERM')
  await gateway.logged('ending')
  assert.ok(stream?.isOpen())
  const begun = performance.now()
  assert.equal(await gateway.stop('SIGTERM'), { code: 1, signal: null })
  assert.ok(performance.now() - begun < 2_000)
  await stream?.ended
})

test('a sign-in that waits for the upstream when SIGTERM comes is finished, and its code works after the restart', async (context) => {
  const github = await startGithub({ delayMs: 1_500 })
  context.after(() => github.close())
  const folder = await temporaryFolder(context)
  const yaml = drained('5s', document(githubRoute('github', github)), await freePort())
  const first = await serve(context, { folder, yaml, env: githubEnv(github) })
  const client = await Client.register(first.url)
  const trip = client.trip()
  const signedIn = signIn(newBrowser(), trip.url, USER)
  await github.recorder.arrival('POST /login/oauth/access_token')
  const ended = first.stop()
  const code = (await signedIn).callback.searchParams.get('code') ?? ''
  assert.equal(await ended, { code: 0, signal: null })

  const second = await startNext(context, { folder, yaml, env: githubEnv(github) })
  const { access } = tokensOf(await client.redeem(code, trip.verifier))
  assert.is((await callMcp(`${second.url}/github`, access)).status, 200)
})

/** From now on the upstream's token endpoint answers nothing until it is let go. */
function holdTokens({ server }: Oidc): { arrived: Promise<void>; letGo: () => void } {
  const own = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  let arrive = () => {}
  let letGo = () => {}
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const free = new Promise<void>((resolve) => {
    letGo = resolve
  })
  server.removeAllListeners('request')
  server.on('request', async (request, response) => {
    if (request.url === '/token') {
      arrive()
      await free
    }
    for (const listener of own) listener(request, response)
  })
  return { arrived, letGo }
}

test('a refresh at the upstream that nobody waits for any more is kept: its token works once only', async (context) => {
  const oidc = await startOidc({ rotateRefreshTokens: true, accessTokenTtlSeconds: 1 })
  context.after(() => oidc.close())
  const folder = await temporaryFolder(context)
  const yaml = drained('5s', document(oidcRoute('oidc', oidc)), await freePort())
  const first = await serve(context, { folder, yaml })
  const { tokens } = await tokensAt(first.url)
  await delay(1_100)
  const refresh = holdTokens(oidc)
  const leaving = new AbortController()
  const headers = { authorization: `Bearer ${tokens.access}` }
  const call = fetch(`${first.url}/oidc`, { method: 'POST', headers, body: '{}', signal: leaving.signal })
  await refresh.arrived
  leaving.abort()
  assert.is(await call.catch(() => 'left'), 'left')
  const ended = first.stop()
  await first.logged('ending')
  await refusesConnections(first.url)
  refresh.letGo()
  assert.equal(await ended, { code: 0, signal: null })

  const second = await startNext(context, { folder, yaml })
  assert.is((await callMcp(`${second.url}/oidc`, tokens.access)).status, 200)
})

test('an upstream that never answers a refresh does not hold the end up', async (context) => {
  const oidc = await startOidc({ accessTokenTtlSeconds: 1 })
  context.after(() => oidc.close())
  const folder = await temporaryFolder(context)
  const gateway = await serve(context, { folder, yaml: drained('1s', document(oidcRoute('oidc', oidc))) })
  const { tokens } = await tokensAt(gateway.url)
  await delay(1_100)
  const refresh = holdTokens(oidc)
  const call = callMcp(`${gateway.url}/oidc`, tokens.access).catch(() => 'cut off')
  await refresh.arrived
  const begun = performance.now()
  assert.equal(await gateway.stop(), { code: 0, signal: null })
  assert.ok(performance.now() - begun < 10_000)
  assert.is(await call, 'cut off')
})

test('refreshes that were answered on the way out count, and those that were not can be asked for again', async (context) => {
  const upstream = await held(context)
  const folder = await temporaryFolder(context)
  const yaml = drained('1s', document(openRoute(upstream)), await freePort())
  const first = await serve(context, { folder, yaml })
  const clients = await Promise.all(Array.from({ length: 10 }, () => tokensAt(first.url)))
  let answered = 0
  const busy = clients.map(async ({ client, tokens }) => {
    let newest = tokens
    for (;;) {
      const answer: Answer | undefined = await client.refresh(newest.refresh).catch(() => undefined)
      // 503: it was on a connection from before, and is told to come back.
      if (answer === undefined || answer.status === 503) return { client, newest }
      newest = tokensOf(answer)
      answered += 1
      if (answered === 50) first.signal('SIGTERM')
    }
  })
  const left = await Promise.all(busy)
  assert.equal(await first.ended, { code: 0, signal: null })
  assert.ok(answered >= 50)

  const second = await startNext(context, { folder, yaml })
  for (const { client, newest } of left) {
    const next = tokensOf(await client.refresh(newest.refresh))
    const stream = await openStream(`${second.url}/held`, next.access)
    stream.close()
  }
})

test.run()
