// A stream outlives the request that opened it by hours, so what let it in is looked at again and again: what was
// revoked, removed or forbidden ends within seconds, what was merely replaced may go on for a while (design §5).
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { Client, postForm, type Tokens, tokensOf } from '../security/client.ts'
import { obtainTokens, PASSWORD_HASHES, TWO_USERS, VICTIM } from '../security/world.ts'
import { temporaryFolder } from '../store/temporary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import { type HeldUpstream, startHeldUpstream } from './held-upstream.ts'
import { type ClientStream, openStream } from './open-stream.ts'
import { serve } from './process.ts'

const test = suite('durable/streams')

const HOUR_MS = 3_600_000
const DRAIN_MS = 20_000

interface World {
  gateway: TestGateway
  upstream: HeldUpstream
  yaml: string
  client: Client
  tokens: Tokens
  code: string
  verifier: string
  stream: ClientStream
  /** Moves the clock of the gateway. */
  forward(ms: number): void
}

const routeTo = (upstream: HeldUpstream, more = '') =>
  `\n  held:\n    upstream: ${upstream.url}\n    auth: none\n${more}`

/** Two people, one of them with an open stream; a second route, so that there is always one. */
async function world(context: TestContext, more = ''): Promise<World> {
  const upstream = await startHeldUpstream()
  context.after(() => upstream.close())
  const other = `\n  other: { upstream: ${upstream.url}, auth: none }\n`
  const yaml = document(routeTo(upstream), other) + TWO_USERS + more
  let offsetMs = 0
  const now = () => Date.now() + offsetMs
  const gateway = await startGateway({ yaml, env: PASSWORD_HASHES, now })
  context.after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const visit = { client, person: VICTIM, overrides: { resource: `${gateway.url}/held` } }
  const { tokens, code, trip } = await obtainTokens(visit)
  const stream = await openStream(`${gateway.url}/held`, tokens.access)
  context.after(() => stream.close())
  const forward = (ms: number) => {
    offsetMs += ms
  }
  return { gateway, upstream, yaml, client, tokens, code, verifier: trip.verifier, stream, forward }
}

/** At both ends. */
async function endsSoon({ stream, upstream }: World): Promise<void> {
  const patience = new AbortController()
  const late = delay(5_000, 'still open', { signal: patience.signal }).catch(() => '')
  assert.is.not(await Promise.race([stream.ended, late]), 'still open')
  while (upstream.streams() > 0) assert.is.not(await Promise.race([late, delay(10)]), 'still open')
  patience.abort()
}

/** Every edit has all streams looked over, so a save is the way to have that done now. */
const look = ({ gateway, yaml }: World, text = yaml) => gateway.app.reload(text)

/** It carries data, after it was looked at. */
async function goesOn(open: World, text?: string): Promise<void> {
  await look(open, text)
  const data = `at ${performance.now()}`
  open.upstream.push(data)
  await open.stream.received(data)
}

const revoke = ({ gateway, client }: World, token: string, url = gateway.url) =>
  postForm(`${url}/revoke`, { token, client_id: client.id })

const ENDS: Record<string, (open: World) => Promise<unknown>> = {
  'its refresh token is revoked': (open) => revoke(open, open.tokens.refresh),
  'its access token is revoked': (open) => revoke(open, open.tokens.access),
  'its code comes back, so that whoever has its tokens may be a thief': ({ client, code, verifier }) =>
    client.redeem(code, verifier),
  'its user leaves the configuration': (open) => look(open, open.yaml.replace(/ {4}victim:.*\n/, '')),
  'its route is removed': (open) => look(open, open.yaml.replace(routeTo(open.upstream), '')),
  'its user is no longer admitted': (open) =>
    look(
      open,
      open.yaml.replace(
        routeTo(open.upstream),
        routeTo(open.upstream, '    access: { users: [attacker] }\n'),
      ),
    ),
  'its user is denied': (open) =>
    look(
      open,
      open.yaml.replace(
        routeTo(open.upstream),
        routeTo(open.upstream, '    access: { deny: { users: [victim] } }\n'),
      ),
    ),
}

for (const [event, cause] of Object.entries(ENDS)) {
  test(`a stream ends within seconds when ${event}`, async (context) => {
    const open = await world(context)
    await goesOn(open)
    await cause(open)
    await endsSoon(open)
  })
}

test('a stream ends within seconds when its token is revoked at another process on the same store', async (context) => {
  const folder = await temporaryFolder(context)
  const shared = `store: { path: ${join(folder, 'store')} }\n`
  const open = await world(context, shared)
  const port = await freePort()
  const elsewhere = `port: ${port}, public_url: "${open.gateway.url}", allowed_hosts: ["localhost:${port}"]`
  const yaml = open.yaml.replace('port: 0', elsewhere)
  await serve(context, { folder, yaml, env: PASSWORD_HASHES })
  await goesOn(open)
  assert.is((await revoke(open, open.tokens.refresh, `http://localhost:${port}`)).status, 200)
  await endsSoon(open)
})

test('a stream lives on when its token is refreshed, and when another one of its client is revoked', async (context) => {
  const open = await world(context)
  const next = tokensOf(await open.client.refresh(open.tokens.refresh))
  await goesOn(open)
  const second = tokensOf(await open.client.refresh(next.refresh))
  assert.is((await revoke(open, second.access)).status, 200)
  await goesOn(open)
})

test('a stream outlives its access token by the drain timeout', async (context) => {
  const open = await world(context)
  open.forward(HOUR_MS + 1)
  await goesOn(open)
  open.forward(DRAIN_MS - 1_000)
  await goesOn(open)
  open.forward(1_000)
  await endsSoon(open)
})

test('a stream outlives an edit of its upstream by the drain timeout, and an edit that takes it back for good', async (context) => {
  const open = await world(context)
  const elsewhere = await startHeldUpstream()
  context.after(() => elsewhere.close())
  const swapped = open.yaml.replace(routeTo(open.upstream), routeTo(elsewhere))
  await goesOn(open, swapped)
  open.forward(DRAIN_MS - 1_000)
  await goesOn(open, swapped)
  await goesOn(open, open.yaml)
  open.forward(DRAIN_MS)
  await goesOn(open, open.yaml)
  await goesOn(open, swapped)
  open.forward(DRAIN_MS)
  await look(open, swapped)
  await endsSoon(open)
  assert.is(elsewhere.recorder.count(), 0, 'nothing was sent to the new one')
})

test.run()
