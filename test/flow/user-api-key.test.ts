// Auth type user_api_key, from outside: a page where people paste their key, and the key's way from there.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Client, callMcp, callTool, send, type Tokens, tokensOf } from '../security/client.ts'
import {
  ATTACKER,
  allow,
  assertErrorPage,
  cookiesOf,
  newBrowser,
  obtainTokens,
  openConsent,
  PASSWORD_HASHES,
  TWO_USERS,
  VICTIM,
} from '../security/world.ts'
import type { Browser } from '../support/browser.ts'
import { startGateway } from '../support/gateway.ts'
import { intercept } from '../support/intercept.ts'
import { startKeyedUpstream } from '../support/keyed-upstream.ts'
import type { Page } from '../support/page.ts'
import type { Person } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('flow/user-api-key')
const victim = { ...VICTIM, key: 'key-of-victim' }
const attacker = { ...ATTACKER, key: 'key-of-attacker' }

interface Options {
  place?: { in: 'header' | 'query'; name: string; prefix?: string }
  auth?: string
  login?: string
  now?: () => number
}

async function start({ after }: TestContext, options: Options = {}) {
  const { place = { in: 'header', name: 'X-API-Key' }, login = TWO_USERS } = options
  const upstream = await startKeyedUpstream(place)
  after(() => upstream.close())
  const yaml = `version: 1
server: { port: 0 }
${login}
routes:
  keyed:
    title: Reports
    upstream: ${upstream.mcpUrl}
    auth: { type: user_api_key, in: ${place.in}, name: ${place.name}${(options.auth ?? '').replaceAll('UPSTREAM', upstream.origin)} }
`
  const gateway = await startGateway({
    yaml,
    env: PASSWORD_HASHES,
    ...(options.now && { now: options.now }),
  })
  after(() => gateway.close())
  const client = await Client.register(gateway.url)
  const mcpUrl = `${gateway.url}/keyed`
  return { upstream, gateway, client, mcpUrl }
}
type Scene = Awaited<ReturnType<typeof start>>

const signIn = async ({ client }: Scene, person: Person, browser = newBrowser()): Promise<Tokens> =>
  (await obtainTokens({ client, person, browser })).tokens

/** Up to the page that asks for the key. */
async function openKeyPage({ client }: Scene, browser: Browser, person: Person = victim) {
  const { trip, page } = await openConsent(browser, client)
  return { trip, page: await allow(browser, page, person) }
}

const paste = (browser: Browser, page: Page, key: string) =>
  browser.submit(page.form(), { key }, { button: 'Connect' })

/** Nobody but the upstream may ever have it. */
async function assertNowhere({ gateway }: Scene, key: string, pages: readonly Page[]) {
  for (const page of pages)
    assert.not.ok(`${page.html} ${page.url.href}`.includes(key), `${page.url.pathname}`)
  assert.not.ok(JSON.stringify(gateway.log).includes(key), 'the log')
  for (const file of await readdir(gateway.folder, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue
    assert.not.ok((await readFile(join(file.parentPath, file.name))).includes(key), file.name)
  }
}

test('each person’s requests carry their own key, and nobody else’s', async (context) => {
  const scene = await start(context)
  const [mine, theirs] = [await signIn(scene, victim), await signIn(scene, attacker)]
  assert.is(await callTool(scene.mcpUrl, mine.access, 'whoami'), 'victim at the upstream')
  assert.is(await callTool(scene.mcpUrl, theirs.access, 'whoami'), 'attacker at the upstream')
  assert.not.ok(scene.upstream.recorder.saw(mine.access))
  const forged = await callMcp(scene.mcpUrl, mine.access, undefined, { 'x-api-key': 'key-of-attacker' })
  assert.is(forged.status, 200)
  assert.is(scene.upstream.recorder.requests.at(-1)?.headers['x-api-key'], 'key-of-victim')
})

test('the page says where the key goes, shows no key, and takes scripts, frames and caches away from it', async (context) => {
  const scene = await start(context, {
    auth: ', instructions: "Make one under <Settings>.", help_url: "https://app.example/keys"',
  })
  const browser = newBrowser()
  const { page } = await openKeyPage(scene, browser)
  assert.is(page.status, 200)
  assert.match(page.text, 'Make one under <Settings>.')
  assert.match(page.text, `Sent to ${new URL(scene.upstream.mcpUrl).host}, and nowhere else`)
  const field = page.root.querySelector('input[name=key]')
  assert.equal(
    [field?.getAttribute('type'), field?.getAttribute('autocomplete'), field?.getAttribute('value')],
    ['password', 'off', undefined],
  )
  const link = page.root.querySelector('a')
  assert.equal(
    [link?.getAttribute('href'), link?.getAttribute('rel')],
    ['https://app.example/keys', 'noopener noreferrer'],
  )
  assert.match(String(page.headers['content-security-policy']), "default-src 'none'")
  assert.is(page.headers['cache-control'], 'no-store')
  assert.is(page.root.querySelectorAll('script').length, 0)
})

test('a key that the upstream refuses is not kept: the page says so and takes another', async (context) => {
  const scene = await start(context)
  const browser = newBrowser()
  const { trip, page } = await openKeyPage(scene, browser)
  const refused = await paste(browser, page, 'wrong-key-4711')
  assert.is(refused.status, 403)
  assert.match(refused.text, 'refuses this key')
  const done = await paste(browser, refused, '  key-of-victim\n')
  const code = done.sentTo?.searchParams.get('code') ?? ''
  const { access } = tokensOf(await scene.client.redeem(code, trip.verifier))
  assert.is(await callTool(scene.mcpUrl, access, 'whoami'), 'victim at the upstream')
  for (const key of ['wrong-key-4711', 'key-of-victim'])
    await assertNowhere(scene, key, [page, refused, done])
})

test('what cannot be a key is not sent anywhere', async (context) => {
  const scene = await start(context)
  const browser = newBrowser()
  let { page } = await openKeyPage(scene, browser)
  for (const key of ['a\r\nX-Evil: 1', 'schlüssel', ' ']) {
    const before = scene.upstream.recorder.count()
    page = await paste(browser, page, key)
    assert.is(page.status, 403, JSON.stringify(key.slice(0, 20)))
    assert.is(scene.upstream.recorder.count(), before)
  }
  const before = scene.upstream.recorder.count()
  assertErrorPage(await paste(browser, page, 'k'.repeat(4097)))
  assert.is(scene.upstream.recorder.count(), before)
  assert.ok((await paste(browser, page, 'key-of-victim')).sentTo?.searchParams.has('code'))
})

test('an upstream that cannot say keeps nobody’s key, and the same page works a moment later', async (context) => {
  const scene = await start(context)
  const browser = newBrowser()
  const { page } = await openKeyPage(scene, browser)
  scene.upstream.knobs.status = 500
  let later = page
  // More often than keys may be guessed on one page: no guess was answered.
  for (let time = 0; time < 7; time++) {
    later = await paste(browser, later, 'key-of-victim')
    assert.is(later.status, 503)
  }
  scene.upstream.knobs.status = undefined
  assert.ok((await paste(browser, later, 'key-of-victim')).sentTo?.searchParams.has('code'))
})

for (const how of ['mcp', 'an address of its own'])
  for (const [status, shown] of [
    [302, 502],
    [408, 503],
    [425, 503],
  ] as const)
    test(`${status} to the check by ${how} says nothing of a key: it is not kept, and no attempt is counted`, async (context) => {
      const scene = await start(context, how === 'mcp' ? {} : { auth: ', check: "UPSTREAM/me"' })
      const browser = newBrowser()
      let { page } = await openKeyPage(scene, browser)
      scene.upstream.knobs.status = status
      for (let time = 0; time < 6; time++) {
        page = await paste(browser, page, 'key-of-nobody')
        assert.equal([page.status, page.sentTo], [shown, undefined])
      }
      scene.upstream.knobs.status = undefined
      await assertNowhere(scene, 'key-of-nobody', [page])
      page = await paste(browser, page, 'key-of-nobody')
      assert.is(page.status, 403, 'and it is no good key')
      assert.ok((await paste(browser, page, 'key-of-victim')).sentTo?.searchParams.has('code'))
    })

test('five keys on one page and no more: the sign-in is over, and the right one is not even tried', async (context) => {
  const scene = await start(context)
  const browser = newBrowser()
  const { page } = await openKeyPage(scene, browser)
  for (const key of ['a', 'b', 'c', 'd']) assert.is((await paste(browser, page, key)).status, 403)
  const { sentTo } = await paste(browser, page, 'e')
  assert.is(sentTo?.searchParams.get('error'), 'access_denied')
  assert.is(sentTo?.searchParams.has('code'), false)
  const tried = scene.upstream.recorder.count()
  assertErrorPage(await paste(browser, page, 'key-of-attacker'), [400, 403, 409])
  assert.is(scene.upstream.recorder.count(), tried)
  await signIn(scene, victim)
})

test('keys that are pasted at once are counted one by one', async (context) => {
  const scene = await start(context)
  const browser = newBrowser()
  const { page } = await openKeyPage(scene, browser)
  await Promise.all(Array.from({ length: 30 }, (_, index) => paste(browser, page, `guess-${index}`)))
  const guesses = scene.upstream.recorder.requests.map(({ headers }) => headers['x-api-key'])
  assert.ok(new Set(guesses).size <= 5, `${guesses}`)
  await signIn(scene, attacker)
})

test('while the fifth key is being tried, a sixth is not', async (context) => {
  const scene = await start(context)
  const { knobs, recorder } = scene.upstream
  const browser = newBrowser()
  const { page } = await openKeyPage(scene, browser)
  for (const key of ['a', 'b', 'c', 'd']) await paste(browser, page, key)
  let answer: () => void = () => {}
  knobs.hold = new Promise<void>((resolve) => {
    answer = resolve
  })
  const tried = recorder.count()
  const fifth = paste(browser, page, 'e')
  await recorder.arrival('/mcp', tried + 1)
  const sixth = paste(browser, page, 'key-of-attacker')
  try {
    assert.is((await sixth).sentTo?.searchParams.get('error'), 'access_denied')
    assert.is(recorder.count(), tried + 1)
  } finally {
    answer()
  }
  assertErrorPage(await fifth, [400, 403, 409])
  knobs.hold = undefined
  await signIn(scene, victim)
})

test('twenty keys an hour by one person, over all pages; others and the next hour are free', async (context) => {
  let nowMs = Date.now()
  const scene = await start(context, { now: () => nowMs })
  for (let pages = 0; pages < 4; pages++) {
    const browser = newBrowser()
    const { page } = await openKeyPage(scene, browser)
    for (let keys = 0; keys < 5; keys++) await paste(browser, page, `guess-${pages}-${keys}`)
  }
  const tried = scene.upstream.recorder.count()
  const browser = newBrowser()
  const { page } = await openKeyPage(scene, browser)
  const refused = await paste(browser, page, 'key-of-attacker')
  assert.is(refused.status, 429)
  assert.is(refused.headers['retry-after'], '180')
  assert.match(refused.text, 'Too many keys')
  assert.is(scene.upstream.recorder.count(), tried)

  await signIn(scene, attacker)
  const statuses: number[] = []
  for (const seconds of [179, 1, 0]) {
    nowMs += seconds * 1_000
    statuses.push((await paste(browser, refused, 'guess')).status)
  }
  assert.equal(statuses, [429, 403, 429], 'one every three minutes')
  nowMs += 180_000
  assert.ok((await paste(browser, refused, 'key-of-victim')).sentTo?.searchParams.has('code'))
})

test('a page that promised where keys go is kept to it: an edit of the check ends it', async (context) => {
  const scene = await start(context)
  const other = await startKeyedUpstream({ in: 'header', name: 'X-API-Key' })
  context.after(() => other.close())
  const browser = newBrowser()
  const { page } = await openKeyPage(scene, browser)
  const { text } = scene.gateway.app.running()
  await scene.gateway.app.reload(
    text.replace('name: X-API-Key', `name: X-API-Key, check: "${other.origin}/me"`),
  )
  assertErrorPage(await paste(browser, page, 'key-of-victim'), [400])
  assert.equal([scene.upstream.recorder.count(), other.recorder.count()], [0, 0])

  const next = await openKeyPage(scene, newBrowser(), attacker)
  const hosts = [scene.upstream.mcpUrl, other.origin].map((url) => new URL(url).host)
  assert.match(next.page.text, `Sent to ${hosts.join(', ')}, and nowhere else`)
})

test('Cancel ends the sign-in as the client’s own refusal', async (context) => {
  const scene = await start(context)
  const browser = newBrowser()
  const { page } = await openKeyPage(scene, browser)
  const { sentTo } = await browser.submit(page.form(), {}, { button: 'Cancel' })
  assert.is(sentTo?.searchParams.get('error'), 'access_denied')
  assert.is(scene.upstream.recorder.count(), 0)
})

test('the next client of the same person is not asked for the key, and can ask for another one', async (context) => {
  const scene = await start(context)
  const browser = newBrowser()
  await signIn(scene, victim, browser)
  const other = await Client.register(scene.gateway.url)
  const { page } = await openConsent(browser, other)
  assert.match(page.text, 'another key')
  const again = await browser.submit(page.form(), {}, { button: 'relink' })
  assert.match(again.title, 'Your key for Reports')
  scene.upstream.keys.set('second-key', 'victim by the second key')
  const done = await paste(browser, again, 'second-key')
  assert.ok(done.sentTo?.searchParams.has('code'))
  const { tokens } = await obtainTokens({ client: other, browser })
  assert.is(await callTool(scene.mcpUrl, tokens.access, 'whoami'), 'victim by the second key')
})

test('a key that the upstream takes no more: 401 and invalid_grant, until another one is pasted', async (context) => {
  const scene = await start(context)
  const { access, refresh } = await signIn(scene, victim)
  scene.upstream.keys.clear()
  const refused = await callMcp(scene.mcpUrl, access)
  assert.is(refused.status, 401)
  assert.match(refused.headers.get('www-authenticate') ?? '', 'error="invalid_token"')
  assert.is((await scene.client.refresh(refresh)).body.error, 'invalid_grant')
  const asked = scene.upstream.recorder.count()
  assert.is((await callMcp(scene.mcpUrl, access)).status, 401)
  assert.is(scene.upstream.recorder.count(), asked, 'a dead key is not sent again')
  scene.upstream.keys.set('new-key', 'victim again')
  await signIn(scene, { ...victim, key: 'new-key' })
  assert.is(await callTool(scene.mcpUrl, access, 'whoami'), 'victim again')
})

test('another upstream, path or header gets no key that was pasted for this one', async (context) => {
  const scene = await start(context)
  const evil = await startKeyedUpstream({ in: 'header', name: 'X-API-Key' })
  context.after(() => evil.close())
  const { access } = await signIn(scene, victim)
  const { text } = scene.gateway.app.running()
  const { mcpUrl } = scene.upstream
  for (const edited of [
    text.replace(mcpUrl, evil.mcpUrl),
    text.replace(mcpUrl, `${mcpUrl}/other`),
    text.replace('name: X-API-Key', 'name: X-Other'),
  ]) {
    await scene.gateway.app.reload(edited)
    assert.is((await callMcp(scene.mcpUrl, access)).status, 401)
  }
  assert.is(evil.recorder.count(), 0)
  await scene.gateway.app.reload(text)
  assert.is((await callMcp(scene.mcpUrl, access)).status, 200, 'and back, it is there again')
})

test('the form is worth nothing in another browser, from another site, without its token, or twice', async (context) => {
  const scene = await start(context)
  const browser = newBrowser()
  const { page } = await openKeyPage(scene, browser)
  const fields = { ...page.form().values, key: 'key-of-attacker', decision: 'connect' }
  const action = new URL(page.form().fill({ key: 'x' }).url)

  assertErrorPage(await browser.post(action, fields, { from: new URL('https://evil.example/') }), [403])
  assertErrorPage(await browser.post(action, { ...fields, csrf: 'guessed' }, { from: page }), [403])
  const done = await paste(browser, page, 'key-of-victim')
  assert.ok(done.sentTo?.searchParams.has('code'))
  assertErrorPage(await browser.post(action, fields, { from: page }), [400, 409])

  const next = await openKeyPage(scene, newBrowser(), attacker)
  const stolen = await newBrowser().goto(next.page.url)
  assertErrorPage(stolen, [403])
  assert.not.ok(scene.upstream.recorder.saw('key-of-attacker'))
})

test('a key page begun by one person is not finished as another', async (context) => {
  const scene = await start(context)
  const browser = newBrowser()
  const { page } = await openKeyPage(scene, browser)
  // Another tab signs in as somebody else meanwhile.
  const { page: consent } = await openConsent(browser, scene.client)
  const switched = await browser.submit(consent.form(), {}, { button: 'switch' })
  await allow(browser, switched, attacker)
  const refused = await paste(browser, page, 'key-of-victim')
  assertErrorPage(refused, [403])
  assert.is(scene.upstream.recorder.count(), 0)
})

test('in the query, with a prefix that people may paste along, and a check at an address of its own', async (context) => {
  const scene = await start(context, {
    place: { in: 'query', name: 'api_key', prefix: 'k_' },
    auth: ', prefix: k_, check: "UPSTREAM/me"',
  })
  const { access } = await signIn(scene, { ...victim, key: 'k_key-of-victim' })
  assert.is(scene.upstream.recorder.count('GET /me'), 1)
  assert.is(scene.upstream.recorder.count('POST /mcp'), 0)
  assert.is(await callTool(`${scene.mcpUrl}?api_key=forged`, access, 'whoami'), 'victim at the upstream')
  assert.equal(scene.upstream.recorder.to('POST /mcp').at(-1)?.query.getAll('api_key'), ['k_key-of-victim'])
})

test('where nobody signs in, each browser has a key of its own', async (context) => {
  const scene = await start(context, { login: 'login: { none: {} }' })
  const [mine, theirs] = [await signIn(scene, victim), await signIn(scene, attacker)]
  assert.is(await callTool(scene.mcpUrl, mine.access, 'whoami'), 'victim at the upstream')
  assert.is(await callTool(scene.mcpUrl, theirs.access, 'whoami'), 'attacker at the upstream')
})

test('the page is only there for a sign-in that was begun', async (context) => {
  const scene = await start(context)
  const browser = newBrowser()
  for (const path of ['/upstream/key/keyed', '/upstream/key/keyed?state=a.b', '/upstream/key/none?state=a.b'])
    assertErrorPage(await browser.goto(`${scene.gateway.url}${path}`), [400])
  const { page } = await openKeyPage(scene, browser)
  const { searchParams } = page.url
  const elsewhere = `${scene.gateway.url}/upstream/callback/keyed?code=x&${searchParams}`
  assertErrorPage(await browser.goto(elsewhere), [400])
  assert.is((await send(page.url, { headers: { cookie: cookiesOf(browser, page.url) } })).status, 200)
})

test('sec-H4: a client whose redirect URI is withdrawn while the key page is open gets no code, and the key goes nowhere', async (context) => {
  const scene = await start(context, { login: `${TWO_USERS}${PINNED}` })
  const { text } = scene.gateway.app.running()
  const client = new Client(scene.gateway.url, {
    client_id: 'pin',
    redirect_uris: ['https://old.test/cb'],
    token_endpoint_auth_method: 'none',
  })
  const edits = [text.replace('https://old.test/cb', 'https://new.test/cb'), text.replace('pin:', 'another:')]
  for (const edited of edits) {
    const browser = newBrowser()
    const { page } = await openKeyPage({ ...scene, client }, browser)
    await scene.gateway.app.reload(edited)
    const heard = scene.upstream.recorder.count()
    assertErrorPage(await paste(browser, page, victim.key))
    assertErrorPage(await browser.submit(page.form(), {}, { button: 'Cancel' }))
    assert.is(scene.upstream.recorder.count(), heard)
    await assertNowhere(scene, victim.key, [])
    await scene.gateway.app.reload(text)
  }
  const tokens = await signIn({ ...scene, client }, victim)
  assert.is(await callTool(scene.mcpUrl, tokens.access, 'whoami'), 'victim at the upstream')
})

const PINNED = `
clients:
  static:
    pin: { redirect_uris: ["https://old.test/cb"] }
`

const LIST = { jsonrpc: '2.0', id: 'list-1', method: 'tools/list' }

for (const status of [401, 403]) {
  test(`spec-R8: a session of the key before is 404 with another key, also where the upstream says ${status} to it: nobody signs in round and round`, async (context) => {
    const scene = await start(context)
    const { upstream, mcpUrl } = scene
    const browser = newBrowser()
    const owners = new Map<unknown, unknown>()
    intercept(upstream.server, ({ headers }, response) => {
      const session = headers['mcp-session-id']
      if (session === undefined) return false
      if (!owners.has(session)) owners.set(session, headers['x-api-key'])
      if (owners.get(session) === headers['x-api-key']) return false
      response.writeHead(status).end()
      return true
    })
    const open = async ({ access }: Tokens) =>
      (await callMcp(mcpUrl, access)).headers.get('mcp-session-id') ?? ''
    const list = ({ access }: Tokens, session: string) =>
      callMcp(mcpUrl, access, LIST, { 'mcp-session-id': session })

    const before = await signIn(scene, victim, browser)
    const old = await open(before)
    assert.is((await list(before, old)).status, 200)
    upstream.keys.delete('key-of-victim')
    upstream.keys.set('next-key', 'victim at the upstream')
    assert.is((await list(before, old)).status, 401)
    const after = await signIn(scene, { ...victim, key: 'next-key' }, browser)
    const asked = upstream.recorder.count()
    for (const tokens of [after, before]) assert.is((await list(tokens, old)).status, 404)
    assert.is(upstream.recorder.count(), asked, 'the upstream hears nothing of it')
    const next = await open(after)
    for (const tokens of [after, before]) assert.is((await list(tokens, next)).status, 200)
  })
}

test.run()
