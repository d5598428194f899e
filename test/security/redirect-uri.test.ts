// Redirect URIs at GET /authorize: nothing leaves the gateway to an address that was not registered.
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'
import { Client, type Form, send } from './client.ts'
import {
  assertErrorPage,
  deny,
  newBrowser,
  openConsent,
  startWorld,
  stillWorks,
  withoutUpstream,
} from './world.ts'

const test = suite('security/redirect-uri')

const ERROR_CAUSES: Record<string, Form> = {
  'nothing else wrong': {},
  'no response_type': { response_type: undefined },
  'another response_type': { response_type: 'token' },
  'no challenge': { code_challenge: undefined },
  'a plain challenge': { code_challenge_method: 'plain' },
  'a short challenge': { code_challenge: 'short' },
  'a request object': { request: 'e30.e30.' },
  'a request_uri': { request_uri: 'https://evil.test/request' },
  'another response_mode': { response_mode: 'fragment' },
  'an unknown resource': { resource: 'https://evil.test/mcp' },
  'a resource with a fragment': { resource: 'https://evil.test/mcp#x' },
  'an unknown scope': { scope: 'mcp:other admin' },
  'an endless state': { state: 'x'.repeat(5000) },
  'prompt=none': { prompt: 'none' },
}

test('sec-A1, spec-A5, spec-A6: whatever else is wrong with it, a request with a foreign redirect_uri ends in a page', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  await withoutUpstream(world, async () => {
    for (const [cause, overrides] of Object.entries(ERROR_CAUSES)) {
      for (const redirectUri of [
        'https://evil.test/cb',
        `${world.evil.url}cb`,
        `${client.redirectUri}/evil`,
        'javascript:alert(1)',
      ]) {
        const { page } = await openConsent(newBrowser(), client, { ...overrides, redirect_uri: redirectUri })
        assertErrorPage(page)
        assert.not.match(page.html, /evil|javascript/, cause)
      }
    }
  })
  await stillWorks(world)
})

test('sec-A1, spec-A5: without a known client every error is a page, even with a redirect_uri that some client has', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url)
  await withoutUpstream(world, async () => {
    for (const [cause, overrides] of Object.entries(ERROR_CAUSES)) {
      for (const id of [undefined, '', 'unknown', `${client.id}x`, 'https://evil.test/client.json']) {
        const { page } = await openConsent(newBrowser(), client, { ...overrides, client_id: id })
        assertErrorPage(page)
        assert.not.match(page.html, 'evil', cause)
      }
    }
  })
  await stillWorks(world)
})

test('sec-A1: a client with several redirect URIs must say which', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url, {
    redirect_uris: ['https://client.test/1', 'https://client.test/2'],
  })
  const { page } = await openConsent(newBrowser(), client, { redirect_uri: undefined })
  assertErrorPage(page)
})

const REGISTERED = ['https://client.test/cb', 'http://127.0.0.1:4000/cb', 'https://client.test/q?tenant=1']

const NEAR_MISSES = [
  'https://client.test/cb/',
  'https://client.test/CB',
  'https://CLIENT.test/cb',
  'HTTPS://client.test/cb',
  'http://client.test/cb',
  'https://client.test:443/cb',
  'https://client.test:8443/cb',
  'https://client.test./cb',
  'https://client.test/c%62',
  'https://client.test%2Fcb',
  'https://client.test/%2Fcb',
  'https://client.test//cb',
  'https://client.test/cb/../cb',
  'https://client.test/x/../cb',
  'https://client.test/./cb',
  'https://client.test/cb;x',
  'https://client.test/cb?',
  'https://client.test/cb?x=1',
  'https://client.test/cb#',
  'https://client.test/cb#x',
  'https://client.test/cb%00',
  'https://client.test/cb%20',
  ' https://client.test/cb',
  'https://client.test/cb ',
  'https://client.test/cb\n',
  'https://client.test/c\tb',
  'https://client.test\\cb',
  'https:/client.test/cb',
  'https://client.test@evil.test/cb',
  'https://evil.test@client.test/cb',
  'https://@client.test/cb',
  'https://client.test.evil.test/cb',
  'https://evilclient.test/cb',
  'https://sub.client.test/cb',
  'https://client.test',
  'https://client.test/',
  'https://client.test/cb.evil',
  'https://client.test/q',
  'https://client.test/q?tenant=2',
  'https://client.test/q?tenant=1&x=1',
  'https://client.test/q?tenant=1#',
  '/cb',
  '//client.test/cb',
]

const LOOPBACK_NEAR_MISSES = [
  'http://127.0.0.1:4000/cb/',
  'http://127.0.0.1:4000/CB',
  'http://127.0.0.1:4000/cb?x=1',
  'http://127.0.0.1:4000/cb#x',
  'http://127.0.0.1:4000/x/../cb',
  'http://127.0.0.1:4000/%63b',
  'http://127.0.0.1:4000//cb',
  'http://127.0.0.1:5000/other',
  'http://127.0.0.1:0/cb',
  'http://127.0.0.1:04000/cb',
  'http://127.0.0.1:65536/cb',
  'http://127.0.0.1:/cb',
  'http://127.0.0.1: 5000/cb',
  'http://127.0.0.1:5000\\@evil.test/cb',
  'http://127.0.0.1:5000@evil.test/cb',
  'http://127.0.0.1@evil.test:5000/cb',
  'http://user@127.0.0.1:5000/cb',
  'http://127.0.0.1.evil.test:5000/cb',
  'http://127.0.0.2:5000/cb',
  'http://127.1:5000/cb',
  'http://0x7f000001:5000/cb',
  'http://2130706433:5000/cb',
  'http://localhost:4000/cb',
  'http://[::1]:4000/cb',
  'http://[::ffff:127.0.0.1]:4000/cb',
  'https://127.0.0.1:4000/cb',
  'HTTP://127.0.0.1:4000/cb',
]

test('sec-A2, spec-A3: a redirect_uri that nearly matches what was registered ends in a page', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url, { redirect_uris: REGISTERED })
  const nearMisses = [...NEAR_MISSES, ...LOOPBACK_NEAR_MISSES]
  assert.ok(nearMisses.length >= 40)
  await withoutUpstream(world, async () => {
    for (const redirectUri of nearMisses) {
      const answer = await send(client.trip({ redirect_uri: redirectUri }).url)
      assert.equal([redirectUri, answer.status, answer.headers.get('location')], [redirectUri, 400, null])
      assert.not.match(answer.text, '<form')
    }
  })
  await stillWorks(world)
})

test('sec-A2, spec-A3: only the port of a loopback redirect URI may differ (RFC 8252 §7.3)', async (context) => {
  const world = await startWorld(context)
  const client = await Client.register(world.url, { redirect_uris: REGISTERED })
  for (const redirectUri of [
    ...REGISTERED,
    'http://127.0.0.1:1/cb',
    'http://127.0.0.1:65535/cb',
    'http://127.0.0.1/cb',
    'http://127.0.0.1:80/cb',
  ]) {
    const browser = newBrowser('http://127.0.0.1')
    const { trip, page } = await openConsent(browser, client, { redirect_uri: redirectUri })
    assert.is(page.status, 200, redirectUri)
    assert.match(page.text, new URL(redirectUri).host)
    const end = await deny(browser, page)
    const [target, query] = [end.headers.location ?? '', redirectUri.includes('?') ? '&' : '?']
    assert.ok(target.startsWith(redirectUri + query), `${redirectUri}: ${target}`)
    assert.is(end.sentTo?.searchParams.get('state'), trip.state)
  }
})

test.run()
