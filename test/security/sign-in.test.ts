// Signing in at the gateway: a refused sign-in tells nothing, nobody is signed in by somebody else's hand, and cookies
// are this gateway's and this browser's alone.
import * as assert from 'uvu/assert'
import type { Browser } from '../support/browser.ts'
import type { Page } from '../support/page.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute } from '../support/yaml.ts'
import { Client, postForm, send } from './client.ts'
import {
  ATTACKER,
  allow,
  assertErrorPage,
  cookiesOf,
  deny,
  doorstepBrowser,
  newBrowser,
  obtainTokens,
  openConsent,
  startWorld,
  stillWorks,
  TWO_USERS,
  upstreamCalls,
  VICTIM,
  withoutUpstream,
} from './world.ts'

const test = suite('security/sign-in')

const sessionCookie = (browser: Browser, url: string) =>
  browser.cookies.at(url).find(({ name }) => name.endsWith('_s'))

/** A page without what differs from one transaction and one typed name to the next. */
function withoutSecrets(page: Page, username: string): string {
  const { transaction = '', csrf = '' } = page.form().values
  return page.html.replaceAll(transaction, 'T').replaceAll(csrf, 'C').replaceAll(username, 'U')
}

test('sec-L5: an unknown user and a wrong password are told apart by no byte, from the first guess to the wait', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const guess = async (username: string) => {
    const browser = newBrowser()
    const { page } = await openConsent(browser, client)
    const refused = await browser.submit(page.form(), { username, password: 'wrong' })
    const { date, 'set-cookie': cookies, ...headers } = refused.headers
    return { status: refused.status, headers, html: withoutSecrets(refused, username), cookies }
  }
  await withoutUpstream(world, async () => {
    const statuses = []
    for (let attempt = 1; attempt <= 7; attempt += 1) {
      const known = await guess('victim')
      assert.equal(await guess('nobody'), known, `attempt ${attempt}`)
      assert.is(known.cookies, undefined)
      statuses.push(known.status)
    }
    assert.equal(statuses, [403, 403, 403, 403, 403, 429, 429])
  })
  clock.now += 16 * 60_000
  await stillWorks(world)
})

test('sec-L5: odd names and passwords are wrong ones, and nothing else', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const names = [
    '',
    ' victim',
    'victim ',
    'VICTIM',
    'victim\u0000',
    'vict\u0130m',
    '__proto__',
    'constructor',
    "' or 1=1 --",
    'users/victim',
    '../victim',
    'x'.repeat(4000),
  ]
  const passwords = [
    '',
    '\u0000',
    'x'.repeat(1025),
    'victim password ',
    'VICTIM PASSWORD',
    'attacker password',
  ]
  await withoutUpstream(world, async () => {
    for (const [username, password] of [
      ...names.map((name) => [name, VICTIM.password]),
      ...passwords.slice(0, 4).map((password) => ['victim', password]),
    ]) {
      const browser = newBrowser()
      const { page } = await openConsent(browser, client)
      const fields = {
        ...page.form().values,
        username: username ?? '',
        password: password ?? '',
        decision: 'allow',
      }
      const refused = await browser.post(`${world.url}/login`, fields, { from: page.url })
      assert.is(refused.status, 403, JSON.stringify([username, password]))
      assert.is(sessionCookie(browser, world.url), undefined)
    }
  })
  await stillWorks(world)
})

test('sec-L6: nobody is signed in by a form of another site', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const attacker = newBrowser()
  const { page } = await openConsent(attacker, client)
  // The attacker's own page, with the attacker's own name and password, in the victim's browser.
  const fields = { ...page.form().values, ...ATTACKER, decision: 'allow' }
  const victim = newBrowser()
  await withoutUpstream(world, async () => {
    for (const from of [
      new URL('https://evil.test/'),
      new URL(world.evil.url.replace('127.0.0.1', 'localhost')),
      page.url,
      undefined,
    ]) {
      const refused = await victim.post(`${world.url}/login`, fields, from === undefined ? {} : { from })
      assertErrorPage(refused, [403])
      assert.is(refused.headers['set-cookie'], undefined)
    }
    for (const headers of [
      {},
      { origin: 'null' },
      { origin: world.url },
      { origin: 'https://evil.test', cookie: cookiesOf(attacker, world.url) },
    ] as Record<string, string>[]) {
      const refused = await postForm(`${world.url}/login`, fields, headers)
      assert.equal([refused.status, refused.headers.getSetCookie()], [403, []])
    }
  })
  assert.equal(victim.cookies.at(world.url), [])
  assert.ok(
    (await allow(attacker, page, ATTACKER)).sentTo?.searchParams.has('code'),
    'where it belongs the form still works',
  )
})

test('sec-L6: the token of a login form does not fit a consent form, nor the other way round', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = newBrowser()
  const before = await openConsent(browser, client)
  await obtainTokens({ client, browser })
  const loginForm = before.page.form().values
  const after = await openConsent(browser, client)
  const consentForm = after.page.form().values
  await withoutUpstream(world, async () => {
    const crossed: [path: string, fields: Record<string, string>][] = [
      ['/consent', { ...loginForm, decision: 'allow' }],
      ['/login', { ...consentForm, ...VICTIM, decision: 'allow' }],
      ['/consent', { ...consentForm, csrf: loginForm.csrf ?? '', decision: 'allow' }],
      ['/consent', { ...loginForm, csrf: consentForm.csrf ?? '', decision: 'allow' }],
    ]
    for (const [path, fields] of crossed) {
      assertErrorPage(await browser.post(world.url + path, fields, { from: new URL(world.url) }), [403])
    }
  })
  assert.ok((await allow(browser, after.page)).sentTo?.searchParams.has('code'))
})

test('sec-L7: signing in makes a new session, and one that was there before is worth nothing', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const fixed = 'A'.repeat(43)
  const browser = doorstepBrowser(world)
  const probe = newBrowser()
  await obtainTokens({ client, browser: probe })
  const name = sessionCookie(probe, world.url)?.name ?? ''
  const plant = () => browser.cookies.store(new URL(world.url), `${name}=${fixed}; Path=/`)

  plant()
  const { page } = await openConsent(browser, client)
  assert.ok(page.form().has('input[type=password]'), 'a made-up session signs nobody in')
  await allow(browser, page)
  const first = sessionCookie(browser, world.url)?.value ?? ''
  assert.is.not(first, fixed)
  assert.match(first, /^[A-Za-z0-9_-]{43}$/)

  const asked = await browser.submit(
    (await openConsent(browser, client)).page.form(),
    {},
    { button: 'switch' },
  )
  await allow(browser, asked)
  const second = sessionCookie(browser, world.url)?.value
  assert.is.not(second, first)
  for (const old of [fixed, first]) {
    const stranger = newBrowser()
    stranger.cookies.store(new URL(world.url), `${name}=${old}; Path=/`)
    assert.ok(
      (await openConsent(stranger, client)).page.form().has('input[type=password]'),
      'an old session asks again',
    )
  }
})

test('sec-L7: a session ends at its time, however it is used', async (context) => {
  const clock = { now: Date.now() }
  const world = await startWorld(context, { now: () => clock.now })
  const client = await Client.register(world.url)
  const browser = newBrowser()
  await obtainTokens({ client, browser })
  const cookie = sessionCookie(browser, world.url)
  for (let hours = 0; hours < 8; hours += 1) {
    clock.now += 60 * 60_000
    const page = await send(client.trip().url, { headers: { cookie: `${cookie?.name}=${cookie?.value}` } })
    assert.is(page.text.includes('type="password"'), hours === 7, `after ${hours + 1} h`)
  }
})

test("sec-L11, spec-H3: on https the cookies are the host's alone, and their bare names mean nothing", async (context) => {
  const publicUrl = 'https://gateway.test'
  const world = await startWorld(context, {
    yaml: (github) =>
      document(githubRoute('github', github)).replace(
        '{ port: 0 }',
        `{ port: 0, public_url: "${publicUrl}" }`,
      ) + TWO_USERS,
  })
  assert.is(world.url, publicUrl)
  const direct = `http://127.0.0.1:${world.gateway.app.port}`
  const client = await Client.register(direct)
  const { url } = client.trip()
  const jar = new Map<string, string>()
  const keep = (answer: { headers: Headers }) => {
    for (const line of answer.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split('; ')
      assert.match(pair, /^__Host-/)
      assert.equal(attributes.filter((attribute) => !attribute.startsWith('Max-Age=')).sort(), [
        'HttpOnly',
        'Path=/',
        'SameSite=Lax',
        'Secure',
      ])
      jar.set(pair.split('=')[0] ?? '', pair.slice(pair.indexOf('=') + 1))
    }
  }
  const cookie = (rename = (name: string) => name) =>
    [...jar].map(([name, value]) => `${rename(name)}=${value}`).join('; ')
  const bare = (name: string) => name.replace('__Host-', '')
  const fields = (html: string) =>
    Object.fromEntries(
      [...html.matchAll(/name="(transaction|scopes|csrf)" value="([^"]+)"/g)].map(
        ([, name = '', value = '']) => [name, value],
      ),
    )

  const page = await send(url)
  keep(page)
  const form = { ...fields(page.text), ...VICTIM, decision: 'allow' }
  for (const tossed of [
    cookie(bare),
    cookie((name) => name.replace('__Host-', '__host-')),
    cookie((name) => name.replace('__Host-', '__Secure-')),
  ]) {
    const refused = await postForm(`${direct}/login`, form, { cookie: tossed, origin: publicUrl })
    assert.equal(
      [refused.status, refused.headers.getSetCookie()],
      [403, []],
      'a cookie that a sibling host could have set',
    )
  }
  const toUpstream = await postForm(`${direct}/login`, form, { cookie: cookie(), origin: publicUrl })
  assert.is(toUpstream.status, 303)
  keep(toUpstream)
  assert.is(jar.size, 2)

  const asSomebody = await send(url, { headers: { cookie: cookie() } })
  assert.match(asSomebody.text, 'Signed in as')
  const asNobody = await send(url, { headers: { cookie: cookie(bare) } })
  assert.match(asNobody.text, 'type="password"')
  const door = new URL(toUpstream.headers.get('location') ?? '')
  const answer = new URL(
    `${direct}/upstream/callback/github?${new URLSearchParams({ code: 'x', state: door.searchParams.get('state') ?? '' })}`,
  )
  const before = upstreamCalls(world)
  const tossed = await send(answer, { headers: { cookie: cookie(bare) } })
  assert.equal([tossed.status, tossed.headers.get('location')], [403, null])
  assert.equal(upstreamCalls(world), before)
})

test('sec-L11: on http the cookies are kept by the strictest browser, unreadable to scripts, and no other port’s', async (context) => {
  const world = await startWorld(context)
  const other = await startWorld(context)
  const browser = newBrowser()
  const client = await Client.register(world.url)
  await obtainTokens({ client, browser })
  await obtainTokens({ client: await Client.register(other.url), browser })
  assert.equal(browser.cookies.refused, [])
  const kept = browser.cookies.at(world.url)
  assert.is(
    new Set(kept.map(({ name }) => name)).size,
    2,
    'cookies ignore ports: the two gateways must not share a name',
  )
  for (const { httpOnly, sameSite, hostOnly, path } of kept)
    assert.equal([httpOnly, sameSite, hostOnly, path], [true, 'Lax', true, '/'])
  for (const { url } of [world, other]) {
    const { page } = await openConsent(browser, await Client.register(url))
    assert.match(page.text, 'Signed in as victim')
    assert.ok((await deny(browser, page)).sentTo)
  }
  assert.not.match(kept.map(({ value }) => value).join(), VICTIM.username)
})

test.run()
