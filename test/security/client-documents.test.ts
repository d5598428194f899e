// Clients whose id is a URL: what the document behind it may say, how often it is fetched, and what a liar gets.
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as assert from 'uvu/assert'
import { USER } from '../support/gateway.ts'
import { suite } from '../support/suite.ts'
import { callTool, postForm, send, tokensOf } from './client.ts'
import { documentClientWorks, documentCode, documentWorld, REDIRECT } from './document-world.ts'
import { allow, assertErrorPage, newBrowser } from './world.ts'

const test = suite('security/client-documents')

test('sec-R13, spec-C1, spec-C7: a client signs in under the URL of its document; its host is shown, with the loopback warning, and nothing is silent the next time', async (context) => {
  const { client, host, url } = await documentWorld(context)
  const { code, verifier, pages } = await documentCode(client)
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

test('sec-R11, spec-C3, spec-C4: a document that lies gives a page, never a redirect, and is not remembered', async (context) => {
  let offset = 0
  const { client, host, url } = await documentWorld(context, '', () => Date.now() + offset)
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
  await documentClientWorks(client, url)
})

test('sec-R11, sec-F4, sec-F6, spec-C5, spec-C6: answers that are no document give the same page, and no redirect is followed', async (context) => {
  let offset = 0
  const { client, host, url } = await documentWorld(context, '', () => Date.now() + offset)
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
  await documentClientWorks(client, url)
})

test('sec-R11, spec-C2: malformed document URLs are never fetched', async (context) => {
  const { host, url, client } = await documentWorld(context)
  const { origin } = host
  const port = new URL(origin).port
  const ids = [
    origin,
    `${origin}/.`,
    `${origin}/./client.json`,
    `${origin}/a/%2E%2E/client.json`,
    `${origin}/a/.%2e/client.json`,
    `${origin}/client.json#`,
    `https://127.0.0.1:${port}\\client.json`,
    ` ${origin}/client.json`,
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
  await documentClientWorks(client, url)
})

test('sec-F1, spec-C5: the documents of strangers are not fetched from inside, however the address is written', async (context) => {
  const { host, url, client, gateway } = await documentWorld(context)
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
  await documentClientWorks(client, url)
})

test('sec-R14, spec-C6: a document is fetched once while it is fresh, again after, and errors are forgotten at once', async (context) => {
  let offset = 0
  const { client, host, url } = await documentWorld(context, '', () => Date.now() + offset)
  host.paths.set('/client.json', { status: 500, headers: {}, body: '' })
  assert.is((await newBrowser().goto(client.trip().url)).status, 400)
  host.publish({}, { 'cache-control': 'max-age=120' })
  await documentClientWorks(client, url)
  const fetched = host.recorder.count('/client.json')
  await documentClientWorks(client, url)
  assert.is(host.recorder.count('/client.json'), fetched)
  offset = 121_000
  await documentClientWorks(client, url)
  assert.is(host.recorder.count('/client.json'), fetched + 1)

  offset += 121_000
  const many = await Promise.all(Array.from({ length: 1_000 }, () => send(client.trip().url)))
  assert.ok(many.every(({ status }) => status === 200))
  assert.is(host.recorder.count('/client.json'), fetched + 2, 'coalesced')
})

test('sec-R12: what was consented to is not what a changed document says: the person is asked again, and sees the change', async (context) => {
  let offset = 0
  const { client, host, url } = await documentWorld(context, '', () => Date.now() + offset)
  const browser = newBrowser(REDIRECT, 'https://evil.test')
  const first = await browser.goto(client.trip().url)
  const { sentTo } = await allow(browser, first, USER)
  assert.ok(sentTo?.searchParams.has('code'))

  host.publish({ client_name: 'Renamed', redirect_uris: [REDIRECT, 'https://evil.test/cb'] })
  offset = 25 * 3_600_000
  for (const redirectUri of [REDIRECT, 'https://evil.test/cb']) {
    const page = await browser.goto(client.trip({ redirect_uri: redirectUri }).url)
    assert.equal([page.status, page.sentTo], [200, undefined])
    assert.match(page.text, 'Renamed')
    assert.match(page.text, redirectUri === REDIRECT ? 'a program on this computer' : 'evil.test')
  }
  host.publish({})
  offset += 25 * 3_600_000
  const gone = await browser.goto(client.trip({ redirect_uri: 'https://evil.test/cb' }).url)
  assertErrorPage(gone)
  await documentClientWorks(client, url)
})

test('sec-A2, sec-R12, spec-C3: the redirect URI must be in the document; a changed document counts at once when it is read again', async (context) => {
  let offset = 0
  const { client, host } = await documentWorld(context, '', () => Date.now() + offset)
  const evil = await newBrowser().goto(client.trip({ redirect_uri: 'https://evil.example/cb' }).url)
  assert.is(evil.status, 400)
  assert.is(evil.sentTo, undefined)
  host.publish({ redirect_uris: ['https://moved.example/cb'] })
  offset = 25 * 3_600_000
  assert.is((await newBrowser().goto(client.trip().url)).status, 400)
})

test('a stranger who spends the requests to a host does not lock out the people who use its client', async (context) => {
  let offset = 0
  const { client, host, url } = await documentWorld(context, '', () => Date.now() + offset)
  await documentClientWorks(client, url)
  offset = 600_000
  for (let path = 0; path < 6; path++) {
    const id = `${host.origin}/made-up-${path}.json`
    assert.is((await newBrowser().goto(client.trip({ client_id: id }).url)).status, 400)
  }
  const fetched = host.recorder.count('/client.json')
  await documentClientWorks(client, url)
  assert.is(host.recorder.count('/client.json'), fetched + 1, 'it has requests of its own')
})

test('a stranger who spends the requests to a host does not lock out a client that nobody has used yet, once it was seen', async (context) => {
  let offset = 0
  const { client, host, url } = await documentWorld(context, '', () => Date.now() + offset)
  assert.is((await newBrowser().goto(client.trip().url)).status, 200)
  offset = 600_000
  for (let path = 0; path < 6; path++) {
    const id = `${host.origin}/made-up-${path}.json`
    assert.is((await newBrowser().goto(client.trip({ client_id: id }).url)).status, 400)
  }
  const fetched = host.recorder.count('/client.json')
  assert.is((await newBrowser().goto(client.trip().url)).status, 200)
  assert.is(host.recorder.count('/client.json'), fetched, 'the last good document stood in')
  offset += 60_000
  await documentClientWorks(client, url)
  assert.is(host.recorder.count('/client.json'), fetched + 1, 'and is read again as soon as may be')
})

test('allow and deny decide by domain', async (context) => {
  const { client } = await documentWorld(context, ', deny: [127.0.0.1]')
  const page = await newBrowser().goto(client.trip().url)
  assert.is(page.status, 400)
  assert.match(page.text, 'not known')
})

test('spec-C4: private_key_jwt: the right key once, no other key, no second use, no other audience', async (context) => {
  const { client, host, url } = await documentWorld(context)
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const { privateKey: otherKey } = await generateKeyPair('ES256')
  host.publish({
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [await exportJWK(publicKey)] },
  })
  let serial = 0
  const assertion = (
    key = privateKey,
    claims: { aud?: string | string[]; sub?: string; exp?: string } = {},
  ) =>
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

  const { code, verifier } = await documentCode(client)
  assert.is((await client.redeem(code, verifier)).body.error, 'invalid_client', 'not without an assertion')
  for (const bad of [
    await assertion(otherKey),
    await assertion(privateKey, { aud: 'https://other.example' }),
    await assertion(privateKey, { aud: [url, 'https://other.example'] }),
    await assertion(privateKey, { aud: [] }),
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
  const second = await documentCode(client)
  assert.is((await redeem(second.code, second.verifier, once)).body.error, 'invalid_client', 'replayed')
  assert.is((await redeem(second.code, second.verifier, await assertion())).status, 200)
  // Both are names of this server: some libraries write both, or one in a list.
  for (const aud of [[url], [url, `${url}/token`]]) {
    const { code, verifier } = await documentCode(client)
    assert.is((await redeem(code, verifier, await assertion(privateKey, { aud }))).status, 200)
  }
})

test.run()
