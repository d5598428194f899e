// Edits of the configuration while people are connected: a credential never follows a route to another place, and who
// or what was removed is gone at the next request.
import type { ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { type Github, startGithub } from '../support/github.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import type { Page } from '../support/page.ts'
import type { Sink } from '../support/sink.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute, openRoute } from '../support/yaml.ts'
import { Client, callMcp, callTool, type Form, type Tokens, tokensOf } from './client.ts'
import {
  ATTACKER,
  allow,
  assertClientError,
  assertErrorPage,
  doorstepBrowser,
  newBrowser,
  obtainTokens,
  openConsent,
  startWorld,
  stillWorks,
  TWO_USERS,
  upstreamAnswer,
  VICTIM,
  type World,
  withoutUpstream,
} from './world.ts'

const test = suite('security/reload')

const yaml = (github: Github) => document(githubRoute('github', github)) + TWO_USERS
const reload = (world: World, text: string) => world.gateway.app.reload(text)

/** Edits of one line each, after which a credential from before would go to another place, or come from one. */
const SWAPS: Record<string, (text: string, github: Github, evil: Sink) => string> = {
  'the upstream url': (text, github, evil) =>
    text.replace(`upstream: ${github.mcpUrl}`, `upstream: ${evil.url}mcp`),
  'the path of the upstream url alone': (text, github) =>
    text.replace(`upstream: ${github.mcpUrl}`, `upstream: ${github.mcpUrl}other/`),
  'the token endpoint': (text, github, evil) => text.replace(github.tokenEndpoint, `${evil.url}token`),
  'the path of the token endpoint alone': (text, github) =>
    text.replace(github.tokenEndpoint, `${github.tokenEndpoint}2`),
  'the authorization endpoint': (text, github, evil) =>
    text.replace(github.authorizationEndpoint, `${evil.url}authorize`),
  'the issuer': (text, _github, evil) =>
    text.replace('client_id:', `issuer: ${evil.origin}\n        client_id:`),
  'the client id': (text, github) =>
    text.replace(`client_id: ${github.knobs.clientId}`, 'client_id: another'),
  'the resource': (text, _github, evil) =>
    text.replace('scope: repo', `resource: ${evil.url}mcp\n      scope: repo`),
}

async function connect(world: World, browser = newBrowser()) {
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client, browser })
  assert.is(await callTool(world.mcpUrl, tokens.access, 'whoami'), 'octocat')
  return { client, tokens, browser }
}

async function assertSignedOut(world: World, client: Client, tokens: Tokens, label: string) {
  const answer = await callMcp(world.mcpUrl, tokens.access)
  assert.equal([label, answer.status], [label, 401])
  const challenge = answer.headers.get('www-authenticate') ?? ''
  assert.match(challenge, 'error="invalid_token"', label)
  assert.match(
    challenge,
    `resource_metadata="${world.url}/.well-known/oauth-protected-resource/github"`,
    label,
  )
  const refreshed = await client.refresh(tokens.refresh)
  assert.equal([label, refreshed.status, refreshed.body.error], [label, 400, 'invalid_grant'])
}

test('sec-H4: whatever is swapped under a route, no credential from before goes there; swapped back, it is good again', async (context) => {
  const world = await startWorld(context)
  const original = yaml(world.github)
  const { client, tokens } = await connect(world)
  const [upstreamToken] = world.github.tokens()
  for (const [label, swap] of Object.entries(SWAPS)) {
    const text = swap(original, world.github, world.evil)
    assert.is.not(text, original, label)
    await withoutUpstream(world, async () => {
      await reload(world, text)
      await assertSignedOut(world, client, tokens, label)
    })
    world.evil.assertUntouched()
    assert.not.ok(world.evil.recorder.saw(upstreamToken?.token ?? '-'))
    await reload(world, original)
    assert.is(await callTool(world.mcpUrl, tokens.access, 'whoami'), 'octocat', label)
  }
  assert.is((await client.refresh(tokens.refresh)).status, 200)
  assert.is(world.github.tokens().length, 1, 'nobody had to sign in again')
  await stillWorks(world)
})

test('sec-H4: a token goes to no other host, even where the resource it was asked for stays the same', async (context) => {
  const sameResource = (github: Github) =>
    yaml(github).replace('scope: repo', 'resource: none\n      scope: repo')
  const world = await startWorld(context, { yaml: sameResource })
  const { client, tokens } = await connect(world)
  const swapped = sameResource(world.github).replace(
    `upstream: ${world.github.mcpUrl}`,
    `upstream: ${world.evil.url}mcp`,
  )
  await withoutUpstream(world, async () => {
    await reload(world, swapped)
    await assertSignedOut(world, client, tokens, 'the host alone')
  })
  world.evil.assertUntouched()
  await reload(world, sameResource(world.github))
  assert.is(await callTool(world.mcpUrl, tokens.access, 'whoami'), 'octocat')
})

test('sec-H4: a flow that waits at the upstream during such an edit is not finished', async (context) => {
  const world = await startWorld(context)
  const original = yaml(world.github)
  for (const [label, swap] of Object.entries(SWAPS)) {
    const { browser, door } = await park(world)
    await reload(world, swap(original, world.github, world.evil))
    const tokenCalls = world.github.recorder.count('/login/oauth/access_token')
    const end = await browser.goto(door.sentTo ?? '')
    assert.ok(end.status === 400 || end.status === 403, `${label}: ${end}`)
    assertErrorPage(end, [400, 403])
    assert.is(world.github.recorder.count('/login/oauth/access_token'), tokenCalls, label)
    world.evil.assertUntouched()
    await reload(world, original)
    assert.equal(world.github.tokens(), [], label)
  }
  assert.is(world.gateway.log.filter(({ event }) => event === 'code issued').length, 0)
  await stillWorks(world)
})

/** A browser that has consented and stands before the upstream. */
async function park(world: World, given?: Client, overrides?: Form) {
  const client = given ?? (await Client.register(world.url))
  const browser = doorstepBrowser(world)
  const { trip, page } = await openConsent(browser, client, overrides)
  let door: Page = await allow(browser, page)
  // Once more where the list of scopes turned out longer for who signed in.
  if (door.sentTo === undefined) door = await allow(browser, door)
  browser.stopAt.pop()
  return { client, browser, trip, door }
}

test('sec-H4: a new client secret alone signs nobody out, and waiting flows are finished with it', async (context) => {
  const secrets = { NEW_SECRET: 'the-new-secret' }
  const world = await startWorld(context, { env: secrets })
  const { client, tokens } = await connect(world)
  const browser = doorstepBrowser(world)
  const waitingClient = await Client.register(world.url)
  const { trip, page } = await openConsent(browser, waitingClient)
  const door = await allow(browser, page, ATTACKER)
  browser.stopAt.pop()

  world.github.knobs.clientSecret = secrets.NEW_SECRET
  await reload(world, yaml(world.github).replace('GITHUB_SECRET', 'NEW_SECRET'))
  assert.is(await callTool(world.mcpUrl, tokens.access, 'whoami'), 'octocat')
  assert.is((await client.refresh(tokens.refresh)).status, 200)
  const { sentTo } = await browser.goto(door.sentTo ?? '')
  const answer = await waitingClient.redeem(sentTo?.searchParams.get('code') ?? '', trip.verifier)
  assert.is(await callTool(world.mcpUrl, tokensOf(answer).access, 'whoami'), 'octocat')
  assert.ok(world.github.recorder.to('/login/oauth/access_token').at(-1)?.body.includes(secrets.NEW_SECRET))
})

test('sec-H4: another upstream under the same name is signed in to anew, and each keeps its own tokens', async (context) => {
  const next = await startGithub({ login: 'next-account', clientSecret: 'next-secret' })
  context.after(() => next.close())
  const world = await startWorld(context, { env: { NEXT_SECRET: 'next-secret' } })
  const nextYaml = yaml(next).replace('GITHUB_SECRET', 'NEXT_SECRET')
  const { client, tokens, browser } = await connect(world)
  const [old] = world.github.tokens()

  await reload(world, nextYaml)
  await assertSignedOut(world, client, tokens, 'swapped')
  assert.is(next.recorder.requests.length, 0, 'not so much as asked')
  const { tokens: second } = await obtainTokens({ client, browser })
  assert.is(await callTool(world.mcpUrl, second.access, 'whoami'), 'next-account')
  assert.not.ok(next.recorder.saw(old?.token ?? '-'))
  assert.not.ok(next.recorder.saw(world.github.knobs.clientSecret))
  assert.not.ok(world.github.recorder.saw(next.tokens()[0]?.token ?? '-'))
  // A grant is the route's, not the upstream's: what ends and begins is the link behind it.
  assert.is(await callTool(world.mcpUrl, tokens.access, 'whoami'), 'next-account')

  await reload(world, yaml(world.github))
  assert.is(await callTool(world.mcpUrl, second.access, 'whoami'), 'octocat')
  assert.not.ok(world.github.recorder.saw(next.tokens()[0]?.token ?? '-'))
})

test('sec-H4: a route that becomes open takes no credential along', async (context) => {
  const open = await startMcpServer()
  context.after(() => open.close())
  const world = await startWorld(context)
  const { tokens } = await connect(world)
  const [upstream] = world.github.tokens()
  await reload(world, document(openRoute('github', open)) + TWO_USERS)
  assert.is((await callMcp(world.mcpUrl, tokens.access)).status, 200)
  assert.ok(open.recorder.requests.length > 0)
  for (const { headers } of open.recorder.requests) assert.is(headers.authorization, undefined)
  for (const secret of [upstream?.token, tokens.access, tokens.refresh])
    assert.not.ok(open.recorder.saw(secret ?? '-'))
  await reload(world, yaml(world.github))
  await stillWorks(world)
})

test('sec-H3: a removed route is gone at the next request, its streams with it, and no token of it works elsewhere', async (context) => {
  const two = (github: Github) =>
    document(githubRoute('github', github), githubRoute('b', github)) + TWO_USERS
  const world = await startWorld(context, { yaml: two })
  const client = await Client.register(world.url)
  const { tokens } = await obtainTokens({ client, overrides: { resource: world.mcpUrl } })
  const stream = await openStream(world, tokens.access)

  await reload(world, document(githubRoute('b', world.github)) + TWO_USERS)
  assert.is(await stream.ended, 'cut off')
  await withoutUpstream(world, async () => {
    assert.is((await callMcp(world.mcpUrl, tokens.access)).status, 404)
    assert.is((await callMcp(`${world.url}/b`, tokens.access)).status, 401)
    const refreshed = await client.refresh(tokens.refresh)
    assert.equal([refreshed.status, refreshed.body.error], [400, 'invalid_grant'])
  })
  stream.restore()
  await reload(world, two(world.github))
  assert.is(await callTool(world.mcpUrl, tokens.access, 'whoami'), 'octocat')
})

/** A stream that the upstream never ends. */
async function openStream(world: World, access: string) {
  const { handle } = world.github.endpoint
  const open: ServerResponse[] = []
  world.github.endpoint.handle = async (_request, response) => {
    open.push(response.writeHead(200, { 'content-type': 'text/event-stream' }))
    response.write('data: {}\n\n')
  }
  const response = await fetch(world.mcpUrl, {
    headers: { authorization: `Bearer ${access}`, accept: 'text/event-stream' },
  })
  assert.is(response.status, 200)
  const ended = response.text().then(
    () => 'ended as if complete',
    () => 'cut off',
  )
  return {
    ended,
    restore: () => {
      world.github.endpoint.handle = handle
    },
  }
}

const withoutVictim = (text: string) => text.replace(/ {4}victim: .*\n/, '')

test('sec-L14: who leaves the configuration is out at the next request, and whoever gets the name inherits nothing', async (context) => {
  const world = await startWorld(context)
  const original = yaml(world.github)
  const { client, tokens, browser } = await connect(world)
  const attacker = await obtainTokens({ client, person: ATTACKER })
  const parked = await parkedAs(world, 'second-account')
  const stream = await openStream(world, tokens.access)

  await reload(world, withoutVictim(original))
  assert.is(await stream.ended, 'cut off')
  stream.restore()
  await withoutUpstream(world, async () => {
    await assertSignedOut(world, client, tokens, 'removed')
    const { page } = await openConsent(browser, client)
    assert.ok(page.form().has('input[type=password]'))
    const refused = await browser.submit(page.form(), { ...VICTIM })
    assert.is(refused.status, 403)
  })
  const late = await parked.browser.goto(parked.door.sentTo ?? '')
  assertErrorPage(late, [400, 403])
  assert.is(
    await callTool(world.mcpUrl, attacker.tokens.access, 'whoami'),
    'octocat',
    'nobody else is touched',
  )

  await reload(world, original)
  const exchanges = world.github.recorder.count('/login/oauth/access_token')
  await withoutUpstream(world, async () => {
    await assertSignedOut(world, client, tokens, 'added again')
    const { page } = await openConsent(browser, client)
    assert.ok(page.form().has('input[type=password]'), 'the old session is gone')
  })
  await obtainTokens({ client, browser })
  assert.is(
    world.github.recorder.count('/login/oauth/access_token'),
    exchanges + 1,
    'the upstream account is connected anew',
  )
})

/** The victim, waiting at the upstream with a second browser; at a route of its own nothing is linked yet. */
async function parkedAs(world: World, scope: string) {
  const text = yaml(world.github).replace('scope: repo read:user', `scope: ${scope}`)
  await reload(world, text)
  const parked = await park(world)
  await reload(world, yaml(world.github))
  return parked
}

test('sec-T10, spec-R2: access is judged at sign-in, at refresh and at every request', async (context) => {
  const world = await startWorld(context)
  const original = yaml(world.github)
  const denials: Record<string, string> = {
    'not listed': 'access: { users: [attacker] }',
    'denied by name': 'access: { deny: { users: [victim] } }',
    'in no listed group': 'access: { groups: [staff] }',
    'listed and denied': 'access: { users: [victim, attacker], deny: { users: [victim] } }',
  }
  const { client, tokens, browser } = await connect(world)
  for (const [label, access] of Object.entries(denials)) {
    await reload(world, original.replace('    auth:', `    ${access}\n    auth:`))
    await withoutUpstream(world, async () => {
      for (let call = 0; call < 2; call += 1) {
        const answer = await callMcp(world.mcpUrl, tokens.access)
        assert.equal([label, answer.status], [label, 403])
        // RFC 6750 §3.1: a challenge would send the client to sign in again, which would not help.
        assert.not.match(answer.headers.get('www-authenticate') ?? '', 'invalid_token')
      }
      const refreshed = await client.refresh(tokens.refresh)
      assert.equal([label, refreshed.status, refreshed.body.error], [label, 400, 'invalid_grant'])
      const { trip, page } = await openConsent(browser, client)
      assertClientError(await allow(browser, page), trip, client.redirectUri, 'access_denied', world.url)
    })
    await reload(world, original)
    assert.is(await callTool(world.mcpUrl, tokens.access, 'whoami'), 'octocat', label)
  }
  const next = tokensOf(await client.refresh(tokens.refresh))
  assert.is(await callTool(world.mcpUrl, next.access, 'whoami'), 'octocat')
})

test('sec-T10: access that is withdrawn while the browser is at the upstream is not granted at the callback', async (context) => {
  const world = await startWorld(context)
  const { browser, door } = await park(world)
  await reload(world, yaml(world.github).replace('    auth:', '    access: { users: [attacker] }\n    auth:'))
  const before = world.github.recorder.count('/login/oauth/access_token')
  assertErrorPage(await browser.goto(door.sentTo ?? ''), [400, 403])
  assert.is(world.github.recorder.count('/login/oauth/access_token'), before)
  await reload(world, yaml(world.github))
  await stillWorks(world)
})

test('sec-T10: access that is withdrawn between code and redemption is not granted by the code', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = newBrowser()
  const { trip, page } = await openConsent(browser, client)
  const { sentTo } = await allow(browser, page)
  await reload(world, yaml(world.github).replace('    auth:', '    access: { users: [attacker] }\n    auth:'))
  const answer = await client.redeem(sentTo?.searchParams.get('code') ?? '', trip.verifier)
  assert.equal([answer.status, answer.body.error], [400, 'invalid_grant'])
})

test('sec-H5: a text that is not valid changes nothing', async (context) => {
  const world = await startWorld(context)
  const { tokens } = await connect(world)
  const original = yaml(world.github)
  const { generation } = world.gateway.app.current()
  const broken = [
    '',
    'version: 1',
    original.replace('routes:', 'rotes:'),
    original.slice(0, original.length / 2),
    original.replace('"${VICTIM_HASH}"', '"plain"'),
    `${original}x: [`,
    original.replace('${GITHUB_SECRET}', 'a literal secret'),
    original.replace('${GITHUB_SECRET}', '${NOT_SET}'),
  ]
  for (const text of broken) {
    const outcome = await reload(world, text).then(
      () => 'taken',
      ({ name }: Error) => name,
    )
    assert.is.not(outcome, 'taken', text)
    assert.is(world.gateway.app.current().generation, generation)
    assert.is((await callMcp(world.mcpUrl, tokens.access)).status, 200)
  }
  await stillWorks(world)
})

test('sec-H4: consent that was given for one upstream is not consent for the one it was replaced by', async (context) => {
  const world = await startWorld(context, { yaml })
  const client = await Client.register(world.url)
  const browser = newBrowser()
  const { page } = await openConsent(browser, client)
  await reload(world, SWAPS['the upstream url']?.(yaml(world.github), world.github, world.evil) ?? '')
  await withoutUpstream(world, async () => {
    const refused = await allow(browser, page, VICTIM)
    assertErrorPage(refused)
    assert.match(refused.text, 'configuration changed')
  })
  await reload(world, yaml(world.github))
  await stillWorks(world)
})

test('sec-H4: a client that left the file while its page was open gets no code, and nobody is sent to where it was', async (context) => {
  const world = await startWorld(context, { yaml: (github) => yaml(github) + clients('https://old.test/cb') })
  const { text } = world.gateway.app.running()
  const edits = {
    'the client is gone': text.replace('pin:', 'another:'),
    'its redirect URI is another': text.replace('https://old.test/cb', 'https://new.test/cb'),
  }
  for (const [label, edited] of Object.entries(edits)) {
    const client = new Client(world.url, {
      client_id: 'pin',
      redirect_uris: ['https://old.test/cb'],
      token_endpoint_auth_method: 'none',
    })
    const browser = newBrowser()
    const { page } = await openConsent(browser, client)
    assert.is(page.status, 200, label)
    await reload(world, edited)
    await withoutUpstream(world, async () => assertErrorPage(await allow(browser, page), [400]))
    await stillWorks(world)
    await reload(world, text)
    await obtainTokens({ client })
  }
})

const clients = (redirectUri: string) => `
clients:
  static:
    pin: { redirect_uris: ["${redirectUri}"] }
`

test('sec-H4: a client, an address or a scope that is withdrawn while the browser is at the upstream gets no code there', async (context) => {
  const optional = (github: Github) =>
    yaml(github).replace('    auth:', '    scopes: { optional: [extra] }\n    auth:')
  const world = await startWorld(context, {
    yaml: (github) => optional(github) + clients('https://old.test/cb'),
  })
  const { text } = world.gateway.app.running()
  const withdrawals = {
    'the client': text.replace('pin:', 'another:'),
    'its redirect URI': text.replace('https://old.test/cb', 'https://new.test/cb'),
    'a scope that it asked for': text.replace('[extra]', '[other]'),
  }
  for (const [label, edited] of Object.entries(withdrawals)) {
    const client = new Client(world.url, {
      client_id: 'pin',
      redirect_uris: ['https://old.test/cb'],
      token_endpoint_auth_method: 'none',
    })
    const { browser, trip, door } = await park(world, client, { scope: 'extra' })
    assert.is(door.sentTo?.origin, world.github.origin, label)
    const answer = await upstreamAnswer(world, door)
    await reload(world, edited)
    const issued = () => world.gateway.log.filter(({ event }) => event === 'code issued').length
    const before = issued()
    await withoutUpstream(world, async () => assertErrorPage(await browser.goto(answer), [400]))
    assert.is(issued(), before, label)
    await stillWorks(world)
    await reload(world, text)
    // Nothing was spent on the way: what is allowed again is finished.
    const { sentTo } = await browser.goto(answer)
    const { access } = tokensOf(await client.redeem(sentTo?.searchParams.get('code') ?? '', trip.verifier))
    assert.is(await callTool(world.mcpUrl, access, 'whoami'), 'octocat', label)
    // The next one is to stand before the upstream again.
    await reload(world, text.replace(/ {4}victim: .*\n/, ''))
    await reload(world, text)
  }
})

test.run()
