// An upstream that has published where people sign in, and does not for a while: nobody is signed out for it, and nobody
// is sent anywhere else.
import * as assert from 'uvu/assert'
import { Client, callMcp, type Tokens, tokensOf } from '../security/client.ts'
import { ATTACKER, newBrowser, PASSWORD_HASHES, TWO_USERS, VICTIM } from '../security/world.ts'
import { type DiscoveryUpstream, RESOURCE, SERVER } from '../support/discovery-upstream.ts'
import type { TestGateway } from '../support/gateway.ts'
import { type Person, signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { discoverable, gatewayFor, registrations, route } from './discovering.ts'

const test = suite('flow/upstream-unpublished')

const NO_LONGER =
  'an upstream no longer publishes where people sign in for it: if that is meant to stay, write its authorization_server, and the resource it expects, into the configuration'

const withUsers = (upstream: DiscoveryUpstream, auth?: string) => TWO_USERS + route(upstream, auth)
const start = (context: TestContext, yaml: string) => gatewayFor(context, yaml, PASSWORD_HASHES)

interface Connected extends Tokens {
  readonly client: Client
}

async function signInAs(person: Person, { url }: TestGateway): Promise<Connected | Record<string, string>> {
  const client = await Client.register(url)
  const trip = client.trip()
  const { callback } = await signIn(newBrowser(), trip.url, person)
  const { code, ...answer } = Object.fromEntries(callback.searchParams)
  if (code === undefined) return answer
  return { client, ...tokensOf(await client.redeem(code, trip.verifier)) }
}

async function connects(person: Person, gateway: TestGateway): Promise<Connected> {
  const outcome = await signInAs(person, gateway)
  if (!('client' in outcome)) throw new Error(JSON.stringify(outcome))
  return outcome as Connected
}

async function isTurnedAway(person: Person, gateway: TestGateway): Promise<string> {
  const outcome = await signInAs(person, gateway)
  assert.is('error' in outcome && outcome.error, 'temporarily_unavailable')
  return String((outcome as Record<string, string>).error_description)
}

async function worksOn({ url }: TestGateway, { client, access, refresh }: Connected): Promise<void> {
  assert.is((await callMcp(`${url}/demo`, access)).status, 200, 'who was connected goes on')
  assert.is((await client.refresh(refresh)).status, 200)
}

/** Its issuer is not what anybody would assume, and its challenge says nothing. */
function publishes(upstream: DiscoveryUpstream): void {
  const issuer = `${upstream.origin}/`
  upstream.knobs.challenge = {}
  upstream.knobs.documents = {
    [`${RESOURCE}/mcp`]: upstream.resourceDocument({ authorization_servers: [issuer] }),
    [SERVER]: upstream.serverDocument({ issuer }),
  }
}

for (const status of [401, 403, 404, 408, 410, 425, 429, 500]) {
  test(`its well-known addresses answer ${status} while somebody signs in: that waits, and who was connected stays so`, async (context) => {
    const upstream = await discoverable(context)
    publishes(upstream)
    const gateway = await start(context, withUsers(upstream))
    const first = await connects(VICTIM, gateway)
    const sent = () =>
      upstream.recorder.requests.filter(({ path }) => /register|authorize|token/.test(path)).length
    const before = sent()

    upstream.knobs.wellKnown = () => status
    await isTurnedAway(ATTACKER, gateway)
    assert.is(sent(), before, 'nobody registered or was sent anywhere')
    await worksOn(gateway, first)

    upstream.knobs.wellKnown = () => undefined
    await worksOn(gateway, await connects(ATTACKER, gateway))
    await worksOn(gateway, first)
    assert.is(registrations(upstream).length, 1)
  })
}

const LOST: Record<string, (upstream: DiscoveryUpstream) => void> = {
  'the document of the resource, which named another server than its own': ({ knobs, serverDocument }) => {
    knobs.documents = { [SERVER]: serverDocument() }
  },
  'every document': ({ knobs }) => {
    knobs.documents = {}
  },
}

for (const [what, lose] of Object.entries(LOST)) {
  test(`${what} is gone for good: the operator is told, and writes down where people sign in`, async (context) => {
    const upstream = await discoverable(context)
    publishes(upstream)
    const gateway = await start(context, withUsers(upstream))
    const first = await connects(VICTIM, gateway)
    lose(upstream)
    assert.match(await isTurnedAway(ATTACKER, gateway), 'the operator of this gateway has to write')
    const { level, fields } = await gateway.logged(NO_LONGER)
    assert.equal(
      [level, fields],
      [
        'error',
        {
          upstream: new URL(upstream.origin).host,
          issuer: `${upstream.origin}/`,
          resource: upstream.mcpUrl,
        },
      ],
    )
    await worksOn(gateway, first)
    assert.is(registrations(upstream).length, 1)

    const { origin } = upstream
    const server = `{ authorization_endpoint: "${origin}/authorize", token_endpoint: "${origin}/token", client_id: ours }`
    await gateway.write(withUsers(upstream, `{ type: authorization_code, authorization_server: ${server} }`))
    await gateway.follower.reload()
    await worksOn(gateway, await connects(ATTACKER, gateway))
  })
}

test('spec-D13: metadata of a 2025-03-26 server that is gone is not replaced by its assumed endpoints', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.challenge = {}
  upstream.knobs.documents = { [SERVER]: upstream.serverDocument() }
  const gateway = await start(context, withUsers(upstream))
  const first = await connects(VICTIM, gateway)
  upstream.knobs.documents = {}
  await isTurnedAway(ATTACKER, gateway)
  await worksOn(gateway, first)
  upstream.knobs.documents = { [SERVER]: upstream.serverDocument() }
  await connects(ATTACKER, gateway)
})

test('a document of the resource that is gone and said nothing else than what is assumed: people sign in as before', async (context) => {
  const upstream = await discoverable(context)
  upstream.knobs.challenge = {}
  const gateway = await start(context, withUsers(upstream))
  const first = await connects(VICTIM, gateway)
  delete upstream.knobs.documents[`${RESOURCE}/mcp`]
  await worksOn(gateway, await connects(ATTACKER, gateway))
  await worksOn(gateway, first)
  assert.is(registrations(upstream).length, 1)
})

test('with an issuer in the configuration: a resource that is no longer named is not guessed, unless the configuration names it', async (context) => {
  for (const isWritten of [false, true]) {
    const upstream = await discoverable(context)
    upstream.knobs.challenge = {}
    upstream.knobs.documents[`${RESOURCE}/mcp`] = upstream.resourceDocument({ resource: upstream.origin })
    const resource = isWritten ? `, resource: "${upstream.origin}"` : ''
    const auth = `{ type: authorization_code, authorization_server: { issuer: "${upstream.origin}" }${resource} }`
    const gateway = await start(context, withUsers(upstream, auth))
    const first = await connects(VICTIM, gateway)
    delete upstream.knobs.documents[`${RESOURCE}/mcp`]
    if (isWritten) await connects(ATTACKER, gateway)
    else await isTurnedAway(ATTACKER, gateway)
    await worksOn(gateway, first)
    const asked = upstream.recorder.to('/authorize').map(({ query }) => query.get('resource'))
    assert.equal([...new Set(asked)], [upstream.origin])
  }
})

test('what was only assumed gives way to what is published', async (context) => {
  const upstream = await discoverable(context)
  const published = upstream.knobs.documents
  upstream.knobs.challenge = {}
  upstream.knobs.documents = {}
  const gateway = await start(context, withUsers(upstream))
  await connects(VICTIM, gateway)
  upstream.knobs.documents = published
  upstream.knobs.documents[SERVER] = upstream.serverDocument({
    authorization_endpoint: `${upstream.origin}/authorize?v=2`,
  })
  await worksOn(gateway, await connects(ATTACKER, gateway))
  assert.is(upstream.recorder.to('/authorize').at(-1)?.query.get('v'), '2')
})

test.run()
