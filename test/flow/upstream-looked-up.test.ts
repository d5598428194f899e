// An edit after which it is not known yet who signs people in for a route: the next call looks it up, and until that can be
// done nobody is told to sign in.
import * as assert from 'uvu/assert'
import { Client, callMcp, send, type Tokens, tokensOf } from '../security/client.ts'
import { newBrowser } from '../security/world.ts'
import { type DiscoveryUpstream, RESOURCE, SERVER } from '../support/discovery-upstream.ts'
import { type TestGateway, USER } from '../support/gateway.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document } from '../support/yaml.ts'
import { discoverable, gatewayFor, registrations } from './discovering.ts'

const test = suite('flow/upstream-looked-up')

interface Member extends Tokens {
  readonly client: Client
  readonly url: string
}

async function arrive({ url }: TestGateway, route: string) {
  const client = await Client.register(url)
  const trip = client.trip({ resource: `${url}/${route}` })
  const { callback } = await signIn(newBrowser(), trip.url, USER)
  return { client, trip, answer: callback.searchParams }
}

async function member(gateway: TestGateway, route: string): Promise<Member> {
  const { url } = gateway
  const { client, trip, answer } = await arrive(gateway, route)
  const code = answer.get('code') ?? ''
  return { client, url: `${url}/${route}`, ...tokensOf(await client.redeem(code, trip.verifier)) }
}

const HELLO = { jsonrpc: '2.0', id: 1, method: 'ping' }

async function call({ url, access }: Member) {
  const { status, headers, text } = await send(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${access}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify(HELLO),
  })
  return { status, retry: headers.get('retry-after'), challenge: headers.get('www-authenticate'), text }
}

const works = async ({ url, access }: Member) => assert.is((await callMcp(url, access)).status, 200)

/** One token stands for all that follow. */
async function refreshed(one: Member): Promise<Member> {
  const answer = await one.client.refresh(one.refresh)
  assert.is(answer.status, 200)
  return { ...one, ...tokensOf(answer) }
}

const EDITS: Readonly<Record<string, (upstream: DiscoveryUpstream) => string>> = {
  'the issuer that was found is written down': ({ mcpUrl, origin }) =>
    `{ upstream: "${mcpUrl}", auth: { type: authorization_code, authorization_server: { issuer: "${origin}" } } }`,
  'the path changes, where the resource is the whole origin': ({ mcpUrl }) =>
    `{ upstream: "${mcpUrl}?x=1", auth: { type: authorization_code } }`,
}
const plain = ({ mcpUrl }: DiscoveryUpstream) =>
  `{ upstream: "${mcpUrl}", auth: { type: authorization_code } }`
const routes = (demo: string, other: string) => document(`\n  demo: ${demo}\n  other: ${other}\n`)

/** Somebody on each of two routes, whose upstreams' tokens are for their whole origins. */
async function connected(context: TestContext) {
  const [upstream, elsewhere] = await Promise.all([discoverable(context), discoverable(context)])
  for (const { knobs, origin, resourceDocument } of [upstream, elsewhere])
    knobs.documents[`${RESOURCE}/mcp`] = resourceDocument({ resource: origin })
  let passedMs = 0
  const yaml = routes(plain(upstream), plain(elsewhere))
  const gateway = await gatewayFor(context, yaml, {}, () => Date.now() + passedMs)
  const one = await member(gateway, 'demo')
  const other = await member(gateway, 'other')
  await works(one)
  await works(other)
  const edit = async (demo: string) => {
    await gateway.write(routes(demo, plain(elsewhere)))
    assert.is((await gateway.follower.reload()).kind, 'applied')
  }
  const pass = (ms: number) => {
    passedMs += ms
  }
  return { upstream, elsewhere, gateway, one, other, edit, pass }
}

/** What somebody who only calls must not cost: a sign-in, a registration, a new token. */
const costs = (upstream: DiscoveryUpstream) => [
  upstream.recorder.count('/authorize'),
  // Besides those for the question whether it still knows the gateway.
  upstream.recorder.to('POST /token').filter(({ form }) => !form.get('code')?.startsWith('made-up')).length,
  registrations(upstream).length,
]

const bearers = ({ recorder }: DiscoveryUpstream) =>
  recorder.to('/mcp').filter(({ headers }) => headers.authorization !== undefined).length

for (const [what, edited] of Object.entries(EDITS)) {
  test(`${what}: the very next call is good, with the link that there was`, async (context) => {
    const { upstream, one, other, edit } = await connected(context)
    const before = costs(upstream)
    await edit(edited(upstream))
    assert.equal(
      (await Promise.all([call(one), call(one), call(one)])).filter(({ status }) => status === 401),
      [],
    )
    await works(one)
    await works(await refreshed(one))
    await works(other)
    assert.equal(costs(upstream), before)
  })

  test(`${what} while the upstream cannot say: 503 with Retry-After for that route alone, and the link is good when it can`, async (context) => {
    const { upstream, gateway, one, other, edit, pass } = await connected(context)
    const before = costs(upstream)
    upstream.knobs.wellKnown = () => 503
    await edit(edited(upstream))
    const sent = bearers(upstream)
    for (let time = 0; time < 2; time++) {
      pass(2_000)
      for (const answer of await Promise.all(Array.from({ length: 10 }, () => call(one)))) {
        assert.equal([answer.status, answer.retry, answer.challenge], [503, '5', null])
        assert.is(JSON.parse(answer.text).id, 1)
      }
    }
    const asked = upstream.recorder.count()
    assert.is((await call(one)).status, 503)
    assert.is(upstream.recorder.count(), asked, 'for a second nobody asks it again')
    assert.is(bearers(upstream), sent, 'no token goes to where it may not belong')
    const later = await refreshed(one)
    await works(other)
    const { answer } = await arrive(gateway, 'demo')
    assert.is(answer.get('error'), 'temporarily_unavailable', 'a sign-in is told so')

    upstream.knobs.wellKnown = () => undefined
    pass(2_000)
    await works(later)
    await works(await refreshed(later))
    assert.equal(costs(upstream), before)
  })
}

test('an upstream that says something unusable: 502, and nobody is told to sign in', async (context) => {
  const { upstream, one, edit, pass } = await connected(context)
  const { documents } = upstream.knobs
  upstream.knobs.documents = { ...documents, [SERVER]: upstream.serverDocument({ issuer: 'https://a.test' }) }
  await edit(plain(upstream).replace('/mcp', '/mcp?x=1'))
  const { status, challenge } = await call(one)
  assert.equal([status, challenge], [502, null])
  const later = await refreshed(one)
  upstream.knobs.documents = documents
  pass(2_000)
  await works(later)
})

test('sec-H4: whose link is of another server than the one that is found signs in again, once it is found, and no token goes along', async (context) => {
  const { upstream, gateway, one, other, edit, pass } = await connected(context)
  const next = await discoverable(context)
  const named = `{ upstream: "${upstream.mcpUrl}", auth: { type: authorization_code, authorization_server: { issuer: "${next.origin}" } } }`
  next.knobs.wellKnown = () => 503
  await edit(named)
  const sent = bearers(upstream)
  assert.is((await call(one)).status, 503)
  const later = await refreshed(one)
  next.knobs.wellKnown = () => undefined
  pass(2_000)
  const { status, challenge } = await call(later)
  assert.is(status, 401)
  assert.match(String(challenge), `${gateway.url}/.well-known/oauth-protected-resource/demo`)
  assert.is((await later.client.refresh(later.refresh)).status, 400)
  assert.equal([bearers(upstream), bearers(next), costs(next)], [sent, 0, [0, 0, 1]])
  await works(other)
  await edit(plain(upstream))
  await works(later)
})

test.run()
