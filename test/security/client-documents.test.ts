// Clients whose id is a URL: what the document behind it may say, how often it is fetched, and what a liar gets.
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as assert from 'uvu/assert'
import { type ClientHost, startClientHost } from '../support/client-host.ts'
import { startGateway, USER } from '../support/gateway.ts'
import { startMcpServer } from '../support/mcp-server.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, openRoute } from '../support/yaml.ts'
import { Client, callTool, postForm, tokensOf } from './client.ts'
import { newBrowser } from './world.ts'

const test = suite('security/client-documents')
const REDIRECT = 'http://127.0.0.1:49200/cb'

async function scene({ after }: TestContext, cimd = '', now?: () => number) {
  const host = await startClientHost(REDIRECT)
  after(() => host.close())
  const upstream = await startMcpServer()
  after(() => upstream.close())
  const rules = `clients: { cimd: { allow_private_hosts: [127.0.0.1]${cimd} } }\n`
  const gateway = await startGateway({
    yaml: rules + document(openRoute('open', upstream)),
    ...(now && { now }),
  })
  after(() => gateway.close())
  const client = clientOf(gateway.url, host)
  return { host, upstream, gateway, client, url: gateway.url }
}

const clientOf = (url: string, host: ClientHost, overrides: Record<string, unknown> = {}) =>
  new Client(url, {
    client_id: host.id,
    token_endpoint_auth_method: 'none',
    redirect_uris: [REDIRECT],
    ...overrides,
  })

async function codeFor(client: Client) {
  const browser = newBrowser(REDIRECT)
  const trip = client.trip()
  const { callback, pages } = await signIn(browser, trip.url, USER)
  return { code: callback.searchParams.get('code') ?? '', verifier: trip.verifier, pages }
}

async function good(client: Client, url: string): Promise<void> {
  const { code, verifier } = await codeFor(client)
  const { access } = tokensOf(await client.redeem(code, verifier))
  assert.match(await callTool(`${url}/open`, access, 'add', { a: 2, b: 3 }), '5')
}

test('spec-C1: a client signs in under the URL of its document; its host is shown, and the loopback warning (sec-R13)', async (context) => {
  const { client, host, url } = await scene(context)
  const { code, verifier, pages } = await codeFor(client)
  assert.match(pages[0]?.text ?? '', 'Document client')
  assert.match(pages[0]?.text ?? '', `described by ${new URL(host.id).host}`)
  assert.match(pages[0]?.text ?? '', 'a program on this computer')
  assert.is((await client.redeem(code, verifier)).status, 200)
  assert.is(host.recorder.count('/client.json'), 1, 'fetched once for the whole sign-in')

  const again = await newBrowser(REDIRECT).goto(client.trip().url)
  assert.is(again.status, 200, 'asked again, never silent')
  const metadata = (await (await fetch(`${url}/.well-known/oauth-authorization-server`)).json()) as Record<
    string,
    unknown
  >
  assert.is(metadata.client_id_metadata_document_supported, true)
  assert.ok((metadata.token_endpoint_auth_methods_supported as string[]).includes('none'))
})

const LIES: Record<string, Record<string, unknown>> = {
  'another client_id': { client_id: 'https://other.example/client.json' },
  'no client_id': { client_id: undefined },
  'no name': { client_name: undefined },
  'no redirect_uris': { redirect_uris: undefined },
  'an empty list of redirect_uris': { redirect_uris: [] },
  'a script as redirect_uri': { redirect_uris: [REDIRECT, 'javascript:alert(1)'] },
  'http off loopback as redirect_uri': { redirect_uris: [REDIRECT, 'http://evil.example/cb'] },
  'a shared secret': { client_secret: 's' },
  'a secret that expires': { client_secret_expires_at: 0 },
  client_secret_basic: { token_endpoint_auth_method: 'client_secret_basic' },
  client_secret_jwt: { token_endpoint_auth_method: 'client_secret_jwt' },
  'private_key_jwt without keys': { token_endpoint_auth_method: 'private_key_jwt' },
  'a private key': { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ kty: 'EC', d: 'x' }] } },
  'a symmetric key': {
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ kty: 'oct', k: 'x' }] },
  },
  'keys over http': { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'http://evil.example/jwks' },
}

test('sec-R11: a document that lies gives a page, never a redirect, and is not remembered', async (context) => {
  let offset = 0
  const { client, host, url } = await scene(context, '', () => Date.now() + offset)
  for (const [what, members] of Object.entries(LIES)) {
    host.publish(members)
    const before = host.recorder.count('/client.json')
    const page = await newBrowser().goto(client.trip().url)
    assert.is(page.status, 400, what)
    assert.match(page.text, 'cannot be verified', what)
    assert.is(page.sentTo, undefined, what)
    assert.is(host.recorder.count('/client.json'), before + 1, `${what}: fetched exactly once`)
    // A host is asked once a second, after a burst of five.
    offset += 1_000
  }
  host.publish({})
  await good(client, url)
})

test('sec-R11: answers that are no document give the same page', async (context) => {
  let offset = 0
  const { client, host, url } = await scene(context, '', () => Date.now() + offset)
  const body = host.paths.get('/client.json')?.body ?? ''
  const json = { 'content-type': 'application/json' }
  const answers = [
    { status: 404, headers: json, body },
    { status: 302, headers: { ...json, location: `${host.origin}/elsewhere.json` }, body },
    { status: 200, headers: { 'content-type': 'text/html' }, body },
    { status: 200, headers: json, body: `${body.slice(0, -1)},"x":"${'y'.repeat(6_000)}"}` },
  ]
  const texts = new Set<string>()
  for (const answer of answers) {
    host.paths.set('/client.json', answer)
    const page = await newBrowser().goto(client.trip().url)
    assert.is(page.status, 400)
    texts.add(page.text)
  }
  assert.is(texts.size, 1, 'one page for all causes (sec-F6)')
  assert.is(host.recorder.count('/elsewhere.json'), 0, 'no redirect is followed')
  offset += 5_000
  host.publish({})
  await good(client, url)
})

test('sec-R11: malformed document URLs are never fetched', async (context) => {
  const { host, url, client } = await scene(context)
  const { origin } = host
  const port = new URL(origin).port
  const ids = [
    `${origin}/`,
    `${origin}/a/../client.json`,
    `${origin}/%2e%2e/client.json`,
    `${origin}/client.json#x`,
    `http://user@127.0.0.1:${port}/client.json`,
    `http://user:pw@127.0.0.1:${port}/client.json`,
    `HTTP://127.0.0.1:${port}/client.json`,
    `http://localhost:${port}/client.json`,
    `http://127.1:${port}/client.json`,
    `ftp://127.0.0.1:${port}/client.json`,
    'https:///client.json',
  ]
  for (const id of ids) {
    const page = await newBrowser().goto(client.trip({ client_id: id }).url)
    assert.is(page.status, 400, id)
  }
  assert.is(host.recorder.count(), 0)
  await good(client, url)
})

test('sec-F1: the documents of strangers are not fetched from inside, however the address is written', async (context) => {
  const { host, url, client, gateway } = await scene(context)
  const port = new URL(host.origin).port
  for (const name of [
    'localhost',
    '0x7f.1',
    '2130706433',
    '127.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '10.0.0.1',
    '169.254.169.254',
    '[fd00::1]',
  ]) {
    const id = new URL(`https://${name}:${port}/client.json`).href
    const page = await newBrowser().goto(client.trip({ client_id: id }).url)
    assert.is(page.status, 400, id)
  }
  assert.is(host.recorder.count(), 0)
  assert.not.ok(gateway.log.some(({ event }) => event === 'unexpected error'))
  await good(client, url)
})

test('sec-R14: a document is fetched once while it is fresh, again after, and errors are forgotten at once', async (context) => {
  let offset = 0
  const { client, host, url } = await scene(context, '', () => Date.now() + offset)
  host.paths.set('/client.json', { status: 500, headers: {}, body: '' })
  assert.is((await newBrowser().goto(client.trip().url)).status, 400)
  host.publish({}, { 'cache-control': 'max-age=120' })
  await good(client, url)
  const fetched = host.recorder.count('/client.json')
  await good(client, url)
  assert.is(host.recorder.count('/client.json'), fetched)
  offset = 121_000
  await good(client, url)
  assert.is(host.recorder.count('/client.json'), fetched + 1)

  offset += 121_000
  const many = await Promise.all(Array.from({ length: 50 }, () => newBrowser().goto(client.trip().url)))
  assert.ok(many.every(({ status }) => status === 200))
  assert.is(host.recorder.count('/client.json'), fetched + 2, 'coalesced')
})

test('sec-A2: the redirect URI must be in the document; a changed document counts at once when it is read again (sec-R12)', async (context) => {
  let offset = 0
  const { client, host } = await scene(context, '', () => Date.now() + offset)
  const evil = await newBrowser().goto(client.trip({ redirect_uri: 'https://evil.example/cb' }).url)
  assert.is(evil.status, 400)
  assert.is(evil.sentTo, undefined)
  host.publish({ redirect_uris: ['https://moved.example/cb'] })
  offset = 25 * 3_600_000
  assert.is((await newBrowser().goto(client.trip().url)).status, 400)
})

test('a stranger who spends the requests to a host does not lock out the people who use its client', async (context) => {
  let offset = 0
  const { client, host, url } = await scene(context, '', () => Date.now() + offset)
  await good(client, url)
  offset = 600_000
  for (let path = 0; path < 6; path++) {
    const id = `${host.origin}/made-up-${path}.json`
    assert.is((await newBrowser().goto(client.trip({ client_id: id }).url)).status, 400)
  }
  const fetched = host.recorder.count('/client.json')
  await good(client, url)
  assert.is(host.recorder.count('/client.json'), fetched, 'the last good document stood in')
  offset += 60_000
  await good(client, url)
  assert.is(host.recorder.count('/client.json'), fetched + 1, 'and is read again as soon as may be')
})

test('allow and deny decide by domain', async (context) => {
  const { client } = await scene(context, ', deny: [127.0.0.1]')
  const page = await newBrowser().goto(client.trip().url)
  assert.is(page.status, 400)
  assert.match(page.text, 'not known')
})

test('private_key_jwt: the right key once, no other key, no second use, no other audience', async (context) => {
  const { client, host, url } = await scene(context)
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const { privateKey: otherKey } = await generateKeyPair('ES256')
  host.publish({
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [await exportJWK(publicKey)] },
  })
  let serial = 0
  const assertion = (key = privateKey, claims: { aud?: string; sub?: string; exp?: string } = {}) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(host.id)
      .setSubject(claims.sub ?? host.id)
      .setAudience(claims.aud ?? url)
      .setIssuedAt()
      .setExpirationTime(claims.exp ?? '60s')
      .setJti(`jti-${serial++}`)
      .sign(key)
  const redeem = (code: string, verifier: string, jwt: string) =>
    postForm(`${url}/token`, {
      grant_type: 'authorization_code',
      client_id: host.id,
      code,
      code_verifier: verifier,
      client_assertion: jwt,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })

  const { code, verifier } = await codeFor(client)
  assert.is((await client.redeem(code, verifier)).body.error, 'invalid_client', 'not without an assertion')
  for (const bad of [
    await assertion(otherKey),
    await assertion(privateKey, { aud: 'https://other.example' }),
    await assertion(privateKey, { sub: 'https://other.example/client.json' }),
    await assertion(privateKey, { exp: '2h' }),
    await assertion(privateKey, { exp: '-2m' }),
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await assertion()).split('.')[1]}.`,
    'not a jwt',
  ]) {
    const answer = await redeem(code, verifier, bad)
    assert.is(answer.status, 401)
    assert.is(answer.body.error, 'invalid_client')
  }
  const once = await assertion()
  const answer = await redeem(code, verifier, once)
  const { access } = tokensOf(answer)
  assert.match(await callTool(`${url}/open`, access, 'add', { a: 1, b: 1 }), '2')
  const second = await codeFor(client)
  assert.is((await redeem(second.code, second.verifier, once)).body.error, 'invalid_client', 'replayed')
  assert.is((await redeem(second.code, second.verifier, await assertion())).status, 200)
})

test.run()
