// A route whose tokens another issuer makes: what it says of itself, who is let in by what the token says, and what an
// edit of the file does to those who are in.
import { readFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { type HeldUpstream, startHeldUpstream } from '../durable/held-upstream.ts'
import { type ClientStream, openStream } from '../durable/open-stream.ts'
import { basic, Client, callMcp, postForm, send } from '../security/client.ts'
import {
  allow,
  assertErrorPage,
  newBrowser,
  obtainTokens,
  openConsent,
  PASSWORD_HASHES,
  TWO_USERS,
  VICTIM,
} from '../security/world.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { challengeOf, type IssuerWorld, startIssuerWorld, stillWorks, upstreamRequests } from './world.ts'

const test = suite('issuers/route')

const resourceDocument = async ({ url }: IssuerWorld, path = '') =>
  (await send(`${url}/.well-known/oauth-protected-resource${path}`)).body

test('spec-D1: without a token: 401 that leads to the document of the route, and that to the issuer', async (context) => {
  const world = await startIssuerWorld(context, { tokenIssuer: ', scopes: [mcp.read]' })
  const answer = await callMcp(world.mcpUrl, undefined)
  assert.is(answer.status, 401)
  assert.is(
    challengeOf(answer),
    `Bearer scope="mcp.read", resource_metadata="${world.url}/.well-known/oauth-protected-resource/reports"`,
  )
  const document = await resourceDocument(world, '/reports')
  assert.equal(document.resource, world.mcpUrl)
  assert.equal(document.authorization_servers, [world.idp.issuer])
  assert.equal(document.scopes_supported, ['mcp.read'])
  const own = await resourceDocument(world, '/own')
  assert.equal([own.authorization_servers, own.scopes_supported], [[world.url], ['mcp:own']])
})

test('spec-R4: a token without the scopes is answered with 403 and all of them', async (context) => {
  const world = await startIssuerWorld(context, {
    tokenIssuer: ', scopes: [mcp.read, mcp.call]',
    route: '    scopes: { required: [team], implies: { mcp.all: [mcp.read, mcp.call] } }\n',
  })
  const before = upstreamRequests(world)
  for (const scope of [undefined, 'mcp.read', 'mcp.read mcp.call', 'mcp:reports team']) {
    const answer = await callMcp(world.mcpUrl, await world.token({ scope }))
    assert.is(answer.status, 403, scope)
    assert.match(challengeOf(answer), 'error="insufficient_scope"')
    assert.match(challengeOf(answer), 'scope="mcp.read mcp.call team"')
  }
  assert.is(upstreamRequests(world), before)
  for (const claims of [
    { scope: 'mcp.read mcp.call team other' },
    { scope: 'mcp.all team' },
    { scp: ['team', 'mcp.read', 'mcp.call'] },
    { scp: 'team mcp.read mcp.call' },
  ])
    assert.is(await world.status(await world.token(claims)), 200, JSON.stringify(claims))
})

test('spec-X5: the gateway issues no token for it: /authorize and /token say invalid_target, the picker offers the others', async (context) => {
  const world = await startIssuerWorld(context, {
    more: `${TWO_USERS}clients: { static: { batch: { client_secret: "\${VICTIM_HASH}", grant_types: [client_credentials] } } }\n`,
  })
  const client = await Client.register(world.url)
  for (const overrides of [{ resource: world.mcpUrl }, { scope: 'mcp:reports' }]) {
    const { sentTo } = await newBrowser().goto(client.trip(overrides).url)
    assert.is(sentTo?.searchParams.get('error'), 'invalid_target')
  }
  const { tokens } = await obtainTokens({ client })
  assert.is(
    (await callMcp(`${world.url}/own`, tokens.access)).status,
    200,
    'the only one of its own is meant',
  )
  const machine = (resource: string) =>
    postForm(
      `${world.url}/token`,
      { grant_type: 'client_credentials', resource },
      { authorization: basic('batch', encodeURIComponent(PASSWORD_HASHES.VICTIM_HASH)) },
    )
  assert.is((await machine(world.mcpUrl)).body.error, 'invalid_target')
  assert.is((await machine(`${world.url}/own`)).status, 200)
})

test('spec-X5: a page that was opened before the route took tokens of another issuer leads to none of the gateway’s', async (context) => {
  const world = await startIssuerWorld(context, { more: TWO_USERS })
  const client = await Client.register(world.url)
  const [browser, again] = [newBrowser(), newBrowser()]
  const { page } = await openConsent(browser, client)
  const { text } = world.gateway.app.running()
  await world.gateway.app.reload(text.replace(/^( {2}own:.*)$/m, '$1\n    token_issuer: { name: idp }'))
  const before = upstreamRequests(world)
  const refused = await allow(browser, page)
  assertErrorPage(refused, [400])
  assert.match(refused.text, 'configuration changed')
  assert.is(upstreamRequests(world), before)
  await world.gateway.app.reload(text)
  await obtainTokens({ client, browser: again })
})

const ACCESS: readonly (readonly [access: string, admitted: object, refused: readonly object[]])[] = [
  [
    '{ email_domains: [example.com] }',
    { email: 'dora@Example.com', email_verified: true },
    [
      {},
      { email: 'dora@example.com' },
      { email: 'dora@example.com', email_verified: false },
      { email: 'dora@example.com', email_verified: 'true' },
      { email: 'dora@mail.example.com', email_verified: true },
      { email: ['dora@example.com'], email_verified: true },
      { email: 'x@evil.test @example.com', email_verified: true },
    ],
  ],
  ['{ groups: [staff] }', { groups: ['all', 'staff'] }, [{}, { groups: ['staffs'] }, { roles: ['staff'] }]],
  ['{ groups: [staff] }', { groups: 'staff' }, [{ groups: 'all staff' }]],
  [
    '{ claims: { department: [research, engineering], tier: 1 } }',
    { department: 'engineering' },
    [{}, { department: 'sales' }, { department: { name: 'research' } }, { tier: 2 }],
  ],
  ['{ claims: { tier: 1 } }', { tier: 1 }, [{ tier: [2, 3] }, { tier: null }]],
  ['{ deny: { claims: { contractor: true } } }', {}, [{ contractor: true }, { contractor: 'true' }]],
  [
    '{ email_domains: [example.com], deny: { groups: [left] } }',
    { email: 'dora@example.com', email_verified: true },
    [{ email: 'dora@example.com', email_verified: true, groups: ['left'] }],
  ],
  [
    '{ groups: [staff], deny: { groups: [left] } }',
    { groups: ['staff'] },
    [
      { groups: ['staff'], hasgroups: true },
      { groups: ['staff'], _claim_names: { groups: 'src1' } },
      { groups: ['staff', 'left'] },
    ],
  ],
  [
    '{ deny: { email_domains: [evil.test] } }',
    { email: 'dora@example.com', hasgroups: true },
    [{ email: 'dora@evil.test' }, { email: 'dora@Evil.test', email_verified: true }],
  ],
  [
    '{ deny: { clients: [agent, oldsuite] } }',
    { client_id: 'suite' },
    [{}, { client_id: 'suite', azp: 'oldsuite' }, { client_id: undefined, appid: 'agent', sub: 'agent' }],
  ],
]

for (const [access, admitted, refused] of ACCESS) {
  test(`access ${access} is judged by what each token says`, async (context) => {
    const world = await startIssuerWorld(context, { route: `    access: ${access}\n` })
    const before = upstreamRequests(world)
    for (const claims of refused) {
      const answer = await callMcp(world.mcpUrl, await world.token({ ...claims }))
      assert.equal([answer.status, answer.body.error], [403, 'access_denied'], JSON.stringify(claims))
      assert.is(answer.headers.get('www-authenticate'), null, 'signing in again would not help')
    }
    assert.is(upstreamRequests(world), before)
    assert.is(await world.status(await world.token({ ...admitted })), 200)
  })
}

test('nobody becomes a user, or a machine client, of the gateway by choosing a name', async (context) => {
  const world = await startIssuerWorld(context, {
    route: '    access: { users: [victim, admin], clients: [batch] }\n',
    more: `${TWO_USERS}clients: { static: { batch: { client_secret: "\${VICTIM_HASH}", grant_types: [client_credentials] } } }\n`,
  })
  const names = ['victim', 'users/victim', 'batch', 'clients/batch']
  for (const sub of names) {
    const claims = { sub, name: sub, preferred_username: sub, client_id: sub }
    assert.is(await world.status(await world.token(claims)), 403, sub)
  }
  await world.edit({ route: `    access: { claims: { sub: victim, iss: nobody } }\n` })
  assert.is(await world.status(await world.token({ sub: 'victim' })), 200)
})

test('names of the claims with address and groups are the issuer’s', async (context) => {
  const world = await startIssuerWorld(context, {
    issuer: ', claims: { email: mail, groups: "https://example.com/roles" }',
    route: '    access: { email_domains: [example.com], groups: [staff] }\n',
  })
  const may = async (claims: object) => world.status(await world.token({ ...claims }))
  assert.is(await may({ mail: 'dora@example.com', email_verified: true }), 200)
  assert.is(await may({ 'https://example.com/roles': ['staff'] }), 200)
  assert.is(await may({ email: 'dora@example.com', email_verified: true, groups: ['staff'] }), 403)
})

interface Watched {
  readonly world: IssuerWorld
  readonly held: HeldUpstream
  readonly stream: ClientStream
  route(more?: string): { readonly route: string }
}

/** A stream with an issuer's token, on an upstream that holds it open. */
async function watched(
  context: TestContext,
  lifetimeSeconds = 300,
  aud: string | string[] = 'held',
): Promise<Watched> {
  const held = await startHeldUpstream()
  context.after(() => held.close())
  const world = await startIssuerWorld(context)
  const route = (more = '') => ({ route: `  held:\n    upstream: ${held.url}\n    auth: none\n${more}` })
  await world.edit(route('    token_issuer: { name: idp, audience: held }\n'))
  const exp = Math.floor(Date.now() / 1000) + lifetimeSeconds
  const token = await world.idp.token('held', { aud, exp, groups: ['staff'], scope: 'mcp.read' })
  const stream = await openStream(`${world.url}/held`, token)
  context.after(() => stream.close())
  return { world, held, stream, route }
}

async function goesOn({ held, stream }: Watched): Promise<void> {
  const data = `at ${performance.now()}`
  held.push(data)
  await stream.received(data)
}

const TAKEN = '    token_issuer: { name: idp, audience: held }\n'

test('a stream ends when an edit shuts its caller out, and goes on when it does not', async (context) => {
  const all = await watched(context)
  await all.world.edit(all.route(`${TAKEN}    access: { groups: [staff] }\n`))
  await goesOn(all)
  await all.world.edit(all.route(`${TAKEN}    access: { groups: [admins] }\n`))
  await all.stream.ended
})

test('a stream ends when its route takes no tokens of that issuer any more', async (context) => {
  const all = await watched(context)
  await all.world.edit(all.route())
  await all.stream.ended
})

const REFUSING: Record<string, { kept: string; ends: string }> = {
  'it is for another audience by now': {
    kept: '    token_issuer: { name: idp, audience: held }\n    title: Looked at\n',
    ends: '    token_issuer: { name: idp, audience: elsewhere }\n',
  },
  'its route demands a scope that it lacks': {
    kept: '    token_issuer: { name: idp, audience: held, scopes: [mcp.read] }\n',
    ends: '    token_issuer: { name: idp, audience: held, scopes: [mcp.read, mcp.write] }\n',
  },
}

for (const [why, { kept, ends }] of Object.entries(REFUSING))
  test(`a stream ends when its token is refused anew: ${why}`, async (context) => {
    const all = await watched(context)
    await all.world.edit(all.route(kept))
    await goesOn(all)
    await all.world.edit(all.route(ends))
    await all.stream.ended
  })

test('a token for several audiences keeps its stream while one of them is its route’s', async (context) => {
  const all = await watched(context, 300, ['other', 'held'])
  await all.world.edit(all.route(`${TAKEN}    title: Looked at\n`))
  await goesOn(all)
  await all.world.edit(all.route('    token_issuer: { name: idp, audience: other }\n'))
  await goesOn(all)
})

test('a stream ends when its route leaves', async (context) => {
  const all = await watched(context)
  await all.world.edit({ route: '' })
  await all.stream.ended
})

test('a stream whose token expired may go on for the drain timeout, as all others', async (context) => {
  const all = await watched(context)
  all.world.pass(301_000)
  // Every edit has all streams looked over.
  await all.world.edit(all.route(`${TAKEN}    title: Looked at\n`))
  await goesOn(all)
  all.world.pass(21_000)
  await all.world.edit(all.route(`${TAKEN}    title: Looked at again\n`))
  await all.stream.ended
})

test('a route that becomes another issuer’s: tokens of the gateway are refused there at once, refreshes and streams end', async (context) => {
  const held = await startHeldUpstream()
  context.after(() => held.close())
  const world = await startIssuerWorld(context)
  const own = `  held:\n    upstream: ${held.url}\n    auth: none\n`
  await world.edit({ route: own })
  const client = await Client.register(world.url)
  const heldUrl = `${world.url}/held`
  const { tokens } = await obtainTokens({ client, person: VICTIM, overrides: { resource: heldUrl } })
  const stream = await openStream(heldUrl, tokens.access)
  context.after(() => stream.close())

  await world.edit({ route: own + TAKEN })
  await stream.ended
  assert.is((await callMcp(heldUrl, tokens.access)).status, 401)
  assert.is((await client.refresh(tokens.refresh)).body.error, 'invalid_grant')
  await world.edit({ route: own })
  assert.is((await client.refresh(tokens.refresh)).status, 200, 'back again, they are good again')
  await stillWorks(world)
})

test('the gateway itself is no trusted issuer, also where nothing but its port says its address', async (context) => {
  const world = await startIssuerWorld(context)
  const { file, follower } = world.gateway
  const yaml = await readFile(file, 'utf8')
  for (const self of [
    `{ issuer: "${world.url}", id_jag: true }`,
    `{ issuer: "https://idp.example", jwks_uri: "${world.url}/.well-known/jwks.json", id_jag: true }`,
  ]) {
    await world.gateway.write(yaml.replace('trusted_issuers:', `trusted_issuers:\n  self: ${self}`))
    const outcome = await follower.reload()
    assert.is(outcome.kind, 'refused', self)
    assert.match(outcome.kind === 'refused' ? String(outcome.error) : '', 'is this gateway itself')
    await stillWorks(world)
  }
  await world.gateway.write(
    yaml.replace(
      'trusted_issuers:',
      'trusted_issuers:\n  other: { issuer: "https://idp.example", id_jag: true }',
    ),
  )
  assert.is((await follower.reload()).kind, 'applied')
})

test.run()
