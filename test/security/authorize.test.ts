// The other parameters of GET /authorize, and what of them comes back to the client.
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'
import { Client, callMcp, callTool, challengeOf, type Form, postForm, send, tokensOf } from './client.ts'
import {
  allow,
  assertClientError,
  assertErrorPage,
  deny,
  newBrowser,
  obtainCode,
  openConsent,
  startWorld,
  stillWorks,
  twoRoutes,
  withoutUpstream,
} from './world.ts'

const test = suite('security/authorize')

const NO_CHALLENGES: Record<string, Form> = {
  absent: { code_challenge: undefined, code_challenge_method: undefined },
  'the method alone': { code_challenge: undefined },
  'no method, which means plain': { code_challenge_method: undefined },
  plain: { code_challenge_method: 'plain' },
  'a method in another case': { code_challenge_method: 's256' },
  'an unknown method': { code_challenge_method: 'S512' },
  'an empty challenge': { code_challenge: '' },
  'a short challenge': { code_challenge: challengeOf('x').slice(1) },
  'a long challenge': { code_challenge: `${challengeOf('x')}A` },
  'a padded challenge': { code_challenge: `${challengeOf('x')}=` },
  'a challenge in plain base64': { code_challenge: `${'+/'.repeat(21)}A` },
  'a verifier for a challenge': { code_challenge: 'v'.repeat(64) },
}

test('sec-A3, spec-A2: without an S256 challenge there is no sign-in', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  await withoutUpstream(world, async () => {
    for (const overrides of Object.values(NO_CHALLENGES)) {
      const { trip, page } = await openConsent(newBrowser(), client, overrides)
      assertClientError(page, trip, client.redirectUri, 'invalid_request', world.url)
    }
  })
  await stillWorks(world)
})

test('sec-A4, spec-A2: a code is worth nothing without its verifier, and a wrong one ends it', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const browser = newBrowser()
  const verifiers = (verifier: string) => [
    undefined,
    '',
    'v'.repeat(43),
    challengeOf(verifier),
    verifier.slice(0, -1),
    `${verifier}A`,
    verifier.toUpperCase(),
    ` ${verifier}`,
  ]
  for (const [index] of verifiers('').entries()) {
    const { code, trip } = await obtainCode({ client, browser })
    const wrong = await client.redeem(code, trip.verifier, { code_verifier: verifiers(trip.verifier)[index] })
    assert.equal([index, wrong.status, wrong.body.error], [index, 400, 'invalid_grant'])
    assert.is(wrong.body.access_token, undefined)
    // Whoever knows code and client and guesses at the verifier has one guess.
    const late = await client.redeem(code, trip.verifier)
    assert.equal([index, late.status, late.body.error], [index, 400, 'invalid_grant'])
  }
  await stillWorks(world)
})

test('sec-A5: a parameter given twice ends in a page, before anything is done with either', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const names = [
    'client_id',
    'redirect_uri',
    'state',
    'response_type',
    'code_challenge',
    'code_challenge_method',
    'scope',
  ]
  await withoutUpstream(world, async () => {
    for (const name of names) {
      for (const twin of ['https://evil.test/cb', client.id, client.redirectUri, 'code', '']) {
        const { url } = client.trip({ scope: 'mcp:github' })
        for (const query of [
          `${url.search.slice(1)}&${name}=${twin}`,
          `${name}=${twin}&${url.search.slice(1)}`,
        ]) {
          const page = await newBrowser().goto(`${world.url}/authorize?${query}`)
          assertErrorPage(page)
        }
      }
    }
  })
  await stillWorks(world)
})

test('sec-A5: names that mean something to JavaScript or PHP mean nothing here', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const { url } = client.trip()
  const additions = [
    '__proto__=polluted',
    '__proto__[polluted]=1',
    'constructor=1',
    'constructor[prototype][polluted]=1',
    'client_id[]=evil',
    'redirect_uri[]=https://evil.test/cb',
    'redirect_uri[0]=https://evil.test/cb',
    'toString=1',
    'hasOwnProperty=1',
  ]
  for (const addition of additions) {
    // An unknown parameter is ignored (RFC 6749 §3.1): the consent is the registered client's, or there is none.
    const page = await newBrowser().goto(`${url}&${addition}`)
    assert.is(page.status, 200, addition)
    assert.not.match(page.text, 'evil', addition)
    assert.match(page.text, new URL(client.redirectUri).host)
    const token = await postForm(`${world.url}/token`, {
      ...Object.fromEntries(new URLSearchParams(addition)),
      client_id: client.id,
    })
    assert.equal([token.status, token.body.error], [400, 'invalid_request'])
  }
  assert.is(({} as Record<string, unknown>).polluted, undefined)
  await stillWorks(world)
})

test('sec-A6, spec-A1: request objects and odd response modes are refused, and nothing is fetched for them', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  const odd: [Form, string][] = [
    [{ request: 'eyJhbGciOiJub25lIn0.e30.' }, 'request_not_supported'],
    [{ request_uri: `${world.evil.url}request.jwt` }, 'request_uri_not_supported'],
    [{ request_uri: 'urn:ietf:params:oauth:request_uri:x' }, 'request_uri_not_supported'],
    [{ response_mode: 'fragment' }, 'invalid_request'],
    [{ response_mode: 'form_post' }, 'invalid_request'],
    [{ response_mode: 'web_message' }, 'invalid_request'],
    [{ response_mode: 'query.jwt' }, 'invalid_request'],
  ]
  await withoutUpstream(world, async () => {
    for (const [overrides, error] of odd) {
      const { trip, page } = await openConsent(newBrowser(), client, overrides)
      assertClientError(page, trip, client.redirectUri, error, world.url)
    }
  })
  world.evil.assertUntouched()
  await stillWorks(world)
})

test('sec-A7, spec-D10: exactly one iss, state and code reach the client, whatever its own redirect URI carries', async (context) => {
  const world = await startWorld(context)
  const metadata = await send(`${world.url}/.well-known/oauth-authorization-server`)
  const issuer = metadata.body.issuer as string
  assert.is(metadata.body.authorization_response_iss_parameter_supported, true)
  const redirectUri = 'https://client.test/cb?iss=https%3A%2F%2Fevil.test&state=theirs&code=theirs&tenant=1'
  const client = await Client.register(world.url, { redirect_uris: [redirectUri] })

  const { callback, trip, code } = await obtainCode({ client })
  assert.equal(callback.searchParams.getAll('iss'), [issuer])
  assert.equal(callback.searchParams.getAll('state'), [trip.state])
  assert.equal(callback.searchParams.getAll('code'), [code])
  assert.equal(callback.searchParams.getAll('tenant'), ['1'])
  assert.not.match(callback.href, 'theirs')
  assert.is((await client.redeem(code, trip.verifier)).status, 200)

  const browser = newBrowser()
  const consent = await openConsent(browser, client)
  const ends = [
    await deny(browser, consent.page),
    (await openConsent(browser, client, { response_type: 'token', state: consent.trip.state })).page,
  ]
  for (const { sentTo } of ends) {
    assert.equal(sentTo?.searchParams.getAll('iss'), [issuer])
    assert.equal(sentTo?.searchParams.getAll('state'), [consent.trip.state])
    assert.is(sentTo?.searchParams.getAll('error').length, 1)
  }
})

const STATES = [
  'a\r\nSet-Cookie: stolen=1\r\n\r\n<script>',
  'a\nb',
  '"><script>alert(1)</script>',
  "'-->&amp;&#x3c;",
  'a\u0000b',
  'a&code=theirs&iss=https://evil.test',
  'a#fragment?query=1;x',
  '%0d%0a%00%2525',
  'ümläut 日本 😀 \u202e\u2028',
  '{"json":["{}"]}',
  'a+b c',
  '../../../etc/passwd',
  '__proto__',
  'x'.repeat(4096),
  // The largest that fits into a request line, and what takes most room in the consent form.
  '\u0001'.repeat(4096),
  '日'.repeat(1300),
]

test('sec-A8, spec-A8: a hostile state comes back exactly as it was sent, in the redirect and nowhere else', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  for (const state of STATES) {
    const browser = newBrowser()
    const { page } = await openConsent(browser, client, { state })
    assert.is(page.status, 200)
    // The page has no need of it: what is not there cannot be misread.
    if (state !== '__proto__') assert.not.match(page.html, state)
    const end = await deny(browser, page)
    assert.is(
      end.headers['set-cookie']?.some((line) => line.startsWith('stolen')),
      false,
    )
    assert.match(String(end.headers.location), /^[\x21-\x7e]+$/)
    assert.equal(end.sentTo?.searchParams.getAll('state'), [state])
    assert.equal(end.sentTo?.searchParams.getAll('iss'), [world.url])
    assert.is(end.sentTo?.searchParams.has('code'), false)

    const { callback } = await obtainCode({ client, browser, overrides: { state } })
    assert.equal(callback.searchParams.getAll('state'), [state])
    const failed = await openConsent(browser, client, { state, response_type: 'token' })
    assert.equal(failed.page.sentTo?.searchParams.getAll('state'), [state])
  }
})

test('sec-A8: a state longer than 4 KiB is refused on a page', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  for (const state of ['x'.repeat(4097), 'x'.repeat(10_240)]) {
    const { page } = await openConsent(newBrowser(), client, { state })
    assertErrorPage(page)
  }
  const none = newBrowser()
  const { page } = await openConsent(none, client, { state: '' })
  assert.is((await deny(none, page)).sentTo?.searchParams.has('state'), false)
})

test('sec-A10, spec-A9: a resource that is not one of ours, or not one, is an invalid_target', async (context) => {
  const world = await startWorld(context, { yaml: twoRoutes })
  const client = await Client.register(world.url)
  const { url } = world
  const bad = [
    'https://evil.test/a',
    `${url}/c`,
    `${url}/a/../c`,
    `${url}/a#fragment`,
    `${url}/a#`,
    `${url}/A`,
    `${url}/a?x=1`,
    `${url.replace('http:', 'https:')}/a`,
    `${url.replace('//', '//user@')}/a`,
    `${url.replace('localhost', 'localhost.evil.test')}/a`,
    '/a',
    'a',
    'mcp:a',
  ]
  await withoutUpstream(world, async () => {
    for (const resource of bad) {
      const { trip, page } = await openConsent(newBrowser(), client, { resource })
      assertClientError(page, trip, client.redirectUri, 'invalid_target', url)
    }
    const two = client.trip({ resource: `${url}/a` })
    two.url.searchParams.append('resource', `${url}/b`)
    assertClientError(await newBrowser().goto(two.url), two, client.redirectUri, 'invalid_target', url)
  })
})

test('sec-A10, spec-A9: among several routes none is guessed: the person picks, and the picked one is what the token is for', async (context) => {
  const world = await startWorld(context, { yaml: twoRoutes })
  const { url, github } = world
  const client = await Client.register(url)
  const browser = newBrowser()
  const { trip, page } = await openConsent(browser, client)
  assert.is(page.forms.length, 0)
  const consent = await browser.follow(`a[href*="${encodeURIComponent(`${url}/b`)}"]`)
  assert.match(consent.text, `${url}/b`)
  const end = await allow(browser, consent)
  const code = end.sentTo?.searchParams.get('code') ?? ''

  const other = await client.redeem(code, trip.verifier, { resource: `${url}/a` })
  assert.equal([other.status, other.body.error], [400, 'invalid_target'])
  const { access } = tokensOf(await client.redeem(code, trip.verifier, { resource: `${url}/b` }))
  const before = github.recorder.count('/mcp/')
  assert.is((await callMcp(`${url}/a`, access)).status, 401)
  assert.is(github.recorder.count('/mcp/'), before)
  assert.is(await callTool(`${url}/b`, access, 'whoami'), 'octocat')
})

test.run()
