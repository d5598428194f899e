// Consent under attack: it is given by the person at this browser, to this client, for this request, once.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Browser } from '../support/browser.ts'
import type { Page } from '../support/page.ts'
import { suite } from '../support/suite.ts'
import { document, githubRoute } from '../support/yaml.ts'
import { Client, send } from './client.ts'
import {
  ATTACKER,
  allow,
  assertClientError,
  assertErrorPage,
  atOnce,
  cookiesOf,
  deny,
  doorstepBrowser,
  NO_LOGIN,
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

const test = suite('security/consent')

test('sec-C1, spec-H1: a consent to one client is no consent to another, however signed in the person is', async (context) => {
  const world = await startWorld(context)
  const victim = newBrowser()
  const good = await Client.register(world.url)
  await obtainTokens({ client: good, browser: victim })
  const evil = await Client.register(world.url, {
    client_name: 'Claude',
    redirect_uris: ['https://evil.test/cb'],
  })

  const { trip, end } = await withoutUpstream(world, async () => {
    for (const headers of [
      {},
      { 'sec-fetch-site': 'cross-site', referer: 'https://evil.test/' },
      { 'sec-fetch-site': 'none' },
    ]) {
      for (const overrides of [{}, { prompt: 'none' }, { prompt: 'login' }]) {
        const page = await victim.goto(evil.trip(overrides).url, { headers })
        assert.is(page.status, 200)
        assert.is(page.sentTo, undefined)
        assert.match(page.text, 'evil.test')
        assert.match(page.text, 'Signed in as victim')
      }
    }
    const { trip, page } = await openConsent(victim, evil)
    return { trip, end: await deny(victim, page) }
  })
  assertClientError(end, trip, 'https://evil.test/cb', 'access_denied', world.url)
  await stillWorks(world)
})

test('sec-C1, spec-H1, spec-H3: the same client, user and link are asked about again each time', async (context) => {
  const world = await startWorld(context)
  const browser = newBrowser()
  const client = await Client.register(world.url)
  await obtainTokens({ client, browser })
  await withoutUpstream(world, async () => {
    const { page } = await openConsent(browser, client)
    assert.equal(
      [page.status, page.sentTo, page.form().buttons],
      [200, undefined, ['Use another account', 'Allow', 'Deny', 'Allow with another upstream account']],
    )
  })
})

test('sec-A11, spec-H1: no consent is remembered, from whatever site the next request comes', async (context) => {
  const world = await startWorld(context)
  const browser = newBrowser()
  const client = await Client.register(world.url)
  const { trip } = await obtainTokens({ client, browser })
  await withoutUpstream(world, async () => {
    for (const site of ['cross-site', 'same-site', 'same-origin', 'none', undefined]) {
      // Node's fetch sends no Sec-Fetch headers of its own: what is not given is not there.
      const headers = {
        cookie: cookiesOf(browser, world.url),
        ...(site !== undefined && { 'sec-fetch-site': site }),
      }
      for (const url of [trip.url, client.trip({ prompt: 'none' }).url]) {
        const answer = await send(url, { headers })
        assert.equal([site, answer.status, answer.headers.get('location')], [site, 200, null])
        assert.match(answer.text, 'value="allow"')
      }
    }
  })
  await stillWorks(world)
})

test("sec-C3, spec-H2: the attacker's form, posted by the victim's browser, is refused by its cookie alone", async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url, { redirect_uris: ['https://evil.test/cb'] })
  const attacker = newBrowser()
  await obtainTokens({ client: await Client.register(world.url), browser: attacker, person: ATTACKER })
  const { page } = await openConsent(attacker, client)
  const values: Record<string, string> = { ...page.form().values, decision: 'allow' }
  const victim = await signedIn(world)
  await openConsent(victim, await Client.register(world.url))

  const cookie = cookiesOf(victim, world.url)
  const body = new URLSearchParams(values)
  const forged: Record<string, Record<string, string>> = {
    'a foreign Origin': { origin: 'https://evil.test' },
    'a cross-site form': { 'sec-fetch-site': 'cross-site' },
    'neither Origin nor Sec-Fetch-Site': {},
    'the Origin null': { origin: 'null' },
    'headers as from our own page': { origin: world.url, 'sec-fetch-site': 'same-origin' },
  }
  await withoutUpstream(world, async () => {
    for (const [label, headers] of Object.entries(forged)) {
      for (const path of ['/consent', '/login']) {
        const fields = path === '/login' ? new URLSearchParams({ ...values, ...ATTACKER }) : body
        const answer = await send(world.url + path, {
          method: 'POST',
          headers: { cookie, ...headers },
          body: fields,
        })
        assert.equal([label, path, answer.status, answer.headers.get('location')], [label, path, 403, null])
        assert.equal(answer.headers.getSetCookie(), [])
      }
    }
  })
  const end = await attacker.submit(page.form(), {}, { button: 'Allow' })
  assert.ok(end.sentTo?.searchParams.has('code'), 'the transaction is still pending for whom it belongs to')
  await stillWorks(world)
})

test("sec-C3: a page of another site cannot answer the victim's own consent page", async (context) => {
  const world = await startWorld(context)
  const victim = await signedIn(world)
  const { page } = await openConsent(
    victim,
    await Client.register(world.url, { redirect_uris: ['https://evil.test/cb'] }),
  )
  const whole = page.form().values
  const { transaction = '', csrf = '' } = whole
  const answers: Record<string, string>[] = [
    { transaction, decision: 'allow' },
    { transaction, csrf: '', decision: 'allow' },
    { transaction, csrf: `${csrf}x`, decision: 'allow' },
    { transaction, csrf: csrf.toLowerCase(), decision: 'allow' },
    { csrf, decision: 'allow' },
  ]
  const headers = { cookie: cookiesOf(victim, world.url) }
  await withoutUpstream(world, async () => {
    for (const fields of answers) {
      const answer = await send(`${world.url}/consent`, {
        method: 'POST',
        headers,
        body: new URLSearchParams(fields),
      })
      assert.ok([400, 403].includes(answer.status), `${answer.status}`)
      assert.is(answer.headers.get('location'), null)
    }
    // Even with all that the page itself would send, a browser that says where it comes from is believed.
    for (const site of ['cross-site', 'same-site']) {
      const answer = await send(`${world.url}/consent`, {
        method: 'POST',
        headers: { ...headers, 'sec-fetch-site': site },
        body: new URLSearchParams({ ...whole, decision: 'allow' }),
      })
      assert.equal([site, answer.status, answer.headers.get('location')], [site, 403, null])
    }
    // What a browser really sends from elsewhere: SameSite=Lax keeps the cookies at home.
    const forged = await victim.post(
      `${world.url}/consent`,
      { ...whole, decision: 'allow' },
      { from: new URL('https://evil.test/') },
    )
    assertErrorPage(forged, [403])
    // And with the cookies, from a page on the same host and another port, which is the same site.
    const sibling = await victim.post(
      `${world.url}/consent`,
      { ...whole, decision: 'allow' },
      { from: new URL(world.evil.url.replace('127.0.0.1', 'localhost')) },
    )
    assertErrorPage(sibling, [403])
  })
  assert.ok((await allow(victim, page)).sentTo?.searchParams.has('code'))
})

test('sec-C3: the Origin null decides nothing: a good form that comes with it is taken', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = newBrowser()
  const headers = { origin: 'null' }
  const { page } = await openConsent(browser, client)
  const door = await browser.submit(page.form(), { ...VICTIM }, { button: 'Sign in and allow', headers })
  assert.ok(door.sentTo?.searchParams.has('code'))
  const { page: next } = await openConsent(browser, client)
  const { sentTo } = await browser.submit(next.form(), {}, { button: 'Allow', headers })
  assert.ok(sentTo?.searchParams.has('code'))
})

test('spec-H2: only a yes is a yes: a form that is answered with anything else is denied', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = await signedIn(world)
  for (const decision of [undefined, '', 'x', 'ALLOW', 'allow ']) {
    const { trip, page } = await openConsent(browser, client)
    const fields = { ...page.form().values, ...(decision !== undefined && { decision }) }
    const end = await withoutUpstream(world, () =>
      browser.post(`${world.url}/consent`, fields, { from: page }),
    )
    assertClientError(end, trip, client.redirectUri, 'access_denied', world.url)
  }
  assert.ok(
    (await allow(browser, (await openConsent(browser, client)).page)).sentTo?.searchParams.has('code'),
  )
})

test('sec-C3: without its token a form says no as little as yes', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  for (const [browser, path] of [
    [newBrowser(), '/login'],
    [await signedIn(world), '/consent'],
  ] as const) {
    const { page } = await openConsent(browser, client)
    const fields = { ...page.form().values, csrf: 'guessed', decision: 'deny' }
    const refused = await browser.post(world.url + path, fields, { from: page })
    assertErrorPage(refused, [403])
    assert.is(refused.headers['set-cookie'], undefined)
    assert.ok((await allow(browser, page)).sentTo?.searchParams.has('code'), path)
  }
})

test('sec-C16: the cookie of a sign-in lasts as long as the sign-in, and not longer', async (context) => {
  let nowMs = Date.now()
  const world = await startWorld(context, { now: () => nowMs })
  const browser = doorstepBrowser(world)
  const { page } = await openConsent(browser, await Client.register(world.url))
  nowMs += 4 * 60_000
  const door = await allow(browser, page)
  const lifetimes = [page, door].map(({ headers }) =>
    headers['set-cookie']
      ?.filter((line) => line.includes('_t_'))
      .map((line) => /Max-Age=(\d+)/.exec(line)?.[1]),
  )
  assert.equal(lifetimes, [['600'], ['360']])
})

test('sec-C5: of fifty clicks on Allow one goes on', async (context) => {
  const world = await startWorld(context)
  const browser = newBrowser()
  const client = await Client.register(world.url)
  await obtainTokens({ client, browser })
  const { page } = await openConsent(browser, client)
  const body = new URLSearchParams({ ...page.form().values, decision: 'allow' }).toString()
  const headers = {
    cookie: cookiesOf(browser, world.url),
    'content-type': 'application/x-www-form-urlencoded',
  }
  const click = () => send(`${world.url}/consent`, { method: 'POST', headers, body })
  const statuses = (await atOnce(world, 50, click)).map(({ status }) => status).sort()
  assert.equal(statuses, [303, ...Array(49).fill(409)])
})

test('sec-C7: a consent page that was opened as one user is not answered as another, or as nobody', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = newBrowser()
  await obtainTokens({ client, browser })
  const stale = [await openConsent(browser, client), await openConsent(browser, client)]
  const { page } = await openConsent(browser, client)
  const asked = await browser.submit(page.form(), {}, { button: 'switch' })
  await withoutUpstream(world, async () => {
    assertErrorPage(
      await browser.submit(stale[0]?.page.form() ?? asked.form(), {}, { button: 'Allow' }),
      [403],
    )
  })
  await allow(browser, asked, ATTACKER)
  await withoutUpstream(world, async () => {
    assertErrorPage(
      await browser.submit(stale[1]?.page.form() ?? asked.form(), {}, { button: 'Allow' }),
      [403],
    )
  })
  await stillWorks(world)
})

test('sec-C9: a page that was rendered twice can be sent from either, once', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = doorstepBrowser(world)
  const first = await openConsent(browser, client)
  // A second rendering of the same transaction: with the old form still there through the Back button.
  const again = await browser.submit(first.page.form(), { username: VICTIM.username, password: 'wrong' })
  assert.is(idOf(again), idOf(first.page))
  const door = await allow(browser, first.page)
  assert.ok(door.sentTo?.href.startsWith(world.github.authorizationEndpoint))
  const late = await allow(browser, again)
  assertErrorPage(late, [409])
  assert.match(late.text, 'already used')

  // A reload of /authorize is a request of its own, so that neither page makes the other useless.
  const client2 = await Client.register(world.url)
  browser.stopAt.pop()
  const trip = client2.trip()
  const pages = [await browser.goto(trip.url), await browser.goto(trip.url)]
  for (const page of pages.reverse()) {
    const end = await allow(browser, page)
    const code = end.sentTo?.searchParams.get('code') ?? ''
    assert.is((await client2.redeem(code, trip.verifier)).status, 200)
  }
})

/** The form carries the whole transaction, sealed anew each time; its id stands in front. */
const idOf = (page: Page) => page.form().values.transaction?.split('.')[0]

test('sec-C9: a form that was changed, mixed with another or sealed elsewhere is worth nothing', async (context) => {
  const world = await startWorld(context)
  const elsewhere = await startWorld(context)
  const browser = doorstepBrowser(world)
  const client = await Client.register(world.url)
  const { page } = await openConsent(browser, client)
  const other = await openConsent(browser, client)
  const foreign = await openConsent(newBrowser(), await Client.register(elsewhere.url))
  const sealed = page.form().values.transaction ?? ''
  const [id = '', body = ''] = sealed.split('.')
  const theirs = (from: Page) => from.form().values.transaction?.slice((idOf(from)?.length ?? 0) + 1)
  const forged = [
    undefined,
    '',
    '.',
    id,
    `${id}.`,
    `${id}.${body.startsWith('A') ? 'B' : 'A'}${body.slice(1)}`,
    `${sealed}A`,
    `${id}.${theirs(other.page)}`,
    `${idOf(other.page)}.${body}`,
    foreign.page.form().values.transaction,
    `${id}.${theirs(foreign.page)}`,
    `${id}.${Buffer.from(JSON.stringify({ v: 1, id, stage: 'consent' })).toString('base64url')}`,
  ]
  await withoutUpstream(world, async () => {
    for (const transaction of forged) {
      const values: Record<string, string> = { ...VICTIM, transaction: transaction ?? '' }
      const answer = await browser.submit(page.form(), values, { button: 'Sign in and allow' })
      assertErrorPage(answer, [400])
      assert.match(answer.text, 'connect again')
    }
  })
  const door = await allow(browser, page)
  assert.ok(door.sentTo?.href.startsWith(world.github.authorizationEndpoint))
  await stillWorks(world)
})

test('sec-C16: who only asks, says no or cannot sign in leaves nothing in the store', async (context) => {
  const world = await startWorld(context)
  const browser = newBrowser()
  const client = await Client.register(world.url)
  const store = () => readFile(join(world.gateway.folder, 'state', 'store', 'data.mdb'))
  const before = await store()
  await withoutUpstream(world, async () => {
    for (let round = 0; round < 20; round += 1) {
      await openConsent(browser, client)
      const refused = await browser.submit(browser.page.form(), { username: 'nobody', password: 'wrong' })
      assert.ok([403, 429].includes(refused.status), `${refused.status}`)
      const { page, trip } = await openConsent(browser, client)
      assertClientError(await deny(browser, page), trip, client.redirectUri, 'access_denied', world.url)
      assertErrorPage(await allow(browser, page), [403])
    }
  })
  assert.ok(before.equals(await store()), 'something was written')
  await obtainTokens({ client })
  assert.not.ok(before.equals(await store()), 'a finished sign-in is a record, so the comparison sees one')
})

test('sec-C16: where nobody signs in, a page that is sent again and again leaves nothing either', async (context) => {
  const world = await startWorld(context, {
    yaml: (github) => document(githubRoute('github', github)) + NO_LOGIN,
  })
  const browser = doorstepBrowser(world)
  const client = await Client.register(world.url)
  const { page } = await openConsent(browser, client)
  const store = () => readFile(join(world.gateway.folder, 'state', 'store', 'data.mdb'))
  const before = await store()
  await withoutUpstream(world, async () => {
    for (let time = 0; time < 20; time += 1) {
      const again = await browser.submit(page.form(), { scopes: 'of another list' }, { button: 'Allow' })
      assert.equal([again.status, cookiesOf(browser, world.url).includes('_s=')], [200, false])
    }
  })
  assert.ok(before.equals(await store()), 'something was written')
  assert.ok((await allow(browser, page)).sentTo?.href.startsWith(world.github.authorizationEndpoint))
  assert.match(cookiesOf(browser, world.url), '_s=')
})

test('sec-C16: who may not use the route stays signed in, is told so each time, and leaves nothing in the store', async (context) => {
  const world = await startWorld(context, {
    yaml: (github) =>
      document(githubRoute('github', github, '    access: { users: [victim] }\n')) + TWO_USERS,
  })
  const browser = newBrowser()
  const client = await Client.register(world.url)
  const store = () => readFile(join(world.gateway.folder, 'state', 'store', 'data.mdb'))
  const refused = () =>
    withoutUpstream(world, async () => {
      const { page, trip } = await openConsent(browser, client)
      const end = await allow(browser, page, ATTACKER)
      assertClientError(end, trip, client.redirectUri, 'access_denied', world.url)
      return page
    })
  await refused()
  const before = await store()
  for (let time = 0; time < 20; time += 1) assert.match((await refused()).text, 'Signed in as attacker')
  assert.ok(before.equals(await store()), 'something was written')
  const { page } = await openConsent(browser, client)
  const asked = await browser.submit(page.form(), {}, { button: 'switch' })
  assert.ok((await allow(browser, asked)).sentTo?.searchParams.has('code'))
})

test('sec-C16: where some sign in and others need not, who is nobody and may not use the route leaves nothing either', async (context) => {
  const world = await startWorld(context, {
    yaml: (github) =>
      document(githubRoute('github', github, '    access: { users: [victim] }\n')) +
      TWO_USERS.replace('login:', 'login:\n  none: {}'),
  })
  const client = await Client.register(world.url)
  const store = () => readFile(join(world.gateway.folder, 'state', 'store', 'data.mdb'))
  const before = await store()
  for (let time = 0; time < 20; time += 1) {
    const browser = newBrowser()
    const { page, trip } = await openConsent(browser, client)
    const fields = { ...page.form().values, decision: 'allow' }
    const end = await withoutUpstream(world, () =>
      browser.post(`${world.url}/consent`, fields, { from: page }),
    )
    assertClientError(end, trip, client.redirectUri, 'access_denied', world.url)
  }
  assert.ok(before.equals(await store()), 'something was written')
  await stillWorks(world)
})

test('sec-C9: who is signed in says no for good, whatever a copy of the page says later', async (context) => {
  const world = await startWorld(context)
  const browser = await signedIn(world)
  const client = await Client.register(world.url)
  const { page, trip } = await openConsent(browser, client)
  const copy = new Browser({ stopAt: ['https://'] })
  for (const { name, value } of browser.cookies.at(world.url))
    copy.cookies.store(new URL(world.url), `${name}=${value}; Path=/`)
  assertClientError(await deny(browser, page), trip, client.redirectUri, 'access_denied', world.url)
  await withoutUpstream(world, async () => {
    assertErrorPage(await copy.submit(page.form(), {}, { button: 'Allow' }), [409])
  })
  await stillWorks(world)
})

async function signedIn(world: World): Promise<Browser> {
  const browser = newBrowser()
  await obtainTokens({ client: await Client.register(world.url), browser })
  return browser
}

test('sec-C17: a browser that keeps no cookies is told to use another one, and nothing lets it through', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { page } = await openConsent(newBrowser(), client)
  const excuses: Record<string, string>[] = [
    {},
    { 'user-agent': 'Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 Version/4.0' },
    { 'x-requested-with': 'com.example.app' },
    { origin: world.url, 'sec-fetch-site': 'same-origin' },
  ]
  await withoutUpstream(world, async () => {
    for (const headers of excuses) {
      for (const [path, fields] of [
        ['/login', { ...VICTIM, decision: 'allow' }],
        ['/consent', { decision: 'allow' }],
      ] as const) {
        const body = new URLSearchParams({ ...page.form().values, ...fields })
        const answer = await send(world.url + path, { method: 'POST', headers, body })
        assert.equal([path, answer.status, answer.headers.get('location')], [path, 403, null])
        assert.match(answer.text, 'keeps no cookies')
        assert.match(answer.text, 'open it in your normal browser')
        assert.equal(answer.headers.getSetCookie(), [])
      }
    }
  })
  const parked = doorstepBrowser(world)
  const door = await allow(parked, (await openConsent(parked, client)).page)
  const back = await send(await upstreamAnswer(world, door))
  assert.equal([back.status, back.headers.get('location')], [403, null])
  assert.match(back.text, 'keeps no cookies')
  assert.is(world.github.recorder.count('/login/oauth/access_token'), 0)
  await stillWorks(world)
})

test.run()
