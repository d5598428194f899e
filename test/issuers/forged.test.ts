// Routes that take another issuer's access tokens (RFC 9068): whatever the issuer did not sign for this very route is
// refused before the upstream hears of it, and a good token still works.
import { SignJWT, UnsecuredJWT } from 'jose'
import * as assert from 'uvu/assert'
import { Client, callMcp } from '../security/client.ts'
import { obtainTokens } from '../security/world.ts'
import { suite } from '../support/suite.ts'
import { newSigningKey } from '../support/token-issuer.ts'
import {
  challengeOf,
  type IssuerWorld,
  sharedWorld,
  startIssuerWorld,
  stillWorks,
  upstreamRequests,
} from './world.ts'

const test = suite('issuers/forged')

const nowSeconds = () => Math.floor(Date.now() / 1000)
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const stranger = await newSigningKey('key-1')
const unknown = await newSigningKey('key-9')
const es384 = await newSigningKey('key-384', 'ES384')

/** The public key as an HMAC secret: what libraries once took when a header said HS256. */
function signedWithPublicKey({ idp, mcpUrl }: IssuerWorld, secret: string): Promise<string> {
  return new SignJWT(idp.claims(mcpUrl))
    .setProtectedHeader({ alg: 'HS256', kid: 'key-1', typ: 'at+jwt' })
    .sign(new TextEncoder().encode(secret))
}

async function pemOf({ idp }: IssuerWorld): Promise<string> {
  const spki = Buffer.from(await crypto.subtle.exportKey('spki', idp.key.publicKey)).toString('base64')
  return `-----BEGIN PUBLIC KEY-----\n${spki.replace(/(.{64})/g, '$1\n')}\n-----END PUBLIC KEY-----\n`
}

type Forge = (world: IssuerWorld) => Promise<string> | string
const claiming =
  (claims: Readonly<Record<string, unknown>>): Forge =>
  ({ idp, mcpUrl }) =>
    idp.token(mcpUrl, claims)
const withHeader =
  (header: Readonly<Record<string, unknown>>): Forge =>
  ({ idp, mcpUrl }) =>
    idp.token(mcpUrl, {}, { header })

const FORGERIES: Readonly<Record<string, Forge>> = {
  'no JWT': () => 'abc',
  'an empty signature': async (world) => `${(await world.token()).split('.').slice(0, 2).join('.')}.`,
  'alg none': ({ idp, mcpUrl }) => new UnsecuredJWT(idp.claims(mcpUrl)).encode(),
  'alg none with a typ': ({ idp, mcpUrl }) =>
    `${base64url({ alg: 'none', typ: 'at+jwt' })}.${base64url(idp.claims(mcpUrl))}.`,
  'HS256 with the public key as PEM': async (world) => signedWithPublicKey(world, await pemOf(world)),
  'HS256 with the public key as JWK': (world) =>
    signedWithPublicKey(world, JSON.stringify(world.idp.key.jwk)),
  'an algorithm that is not in the list, by a key of the issuer': ({ idp, mcpUrl }) =>
    idp.token(mcpUrl, {}, { key: es384 }),
  'a changed claim': async (world) => {
    const [header, , signature] = (await world.token()).split('.')
    return [header, base64url(world.idp.claims(world.mcpUrl, { sub: 'admin' })), signature].join('.')
  },
  "another's key under the same kid": ({ idp, mcpUrl }) => idp.token(mcpUrl, {}, { key: stranger }),
  'a kid that the issuer does not publish': ({ idp, mcpUrl }) => idp.token(mcpUrl, {}, { key: unknown }),
  'a key that comes with the token': ({ idp, mcpUrl }) =>
    idp.token(mcpUrl, {}, { key: stranger, header: { jwk: stranger.jwk } }),
  'a key set that the token names': ({ idp, mcpUrl }) =>
    idp.token(mcpUrl, {}, { key: unknown, header: { jku: 'https://evil.test/jwks' } }),
  'a critical header that is not understood': ({ idp, mcpUrl }) =>
    new SignJWT(idp.claims(mcpUrl))
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1', typ: 'at+jwt', crit: ['x-rules'], 'x-rules': 1 })
      .sign(idp.key.privateKey, { crit: { 'x-rules': true } }),
  'another issuer': claiming({ iss: 'https://evil.test' }),
  'the issuer with a slash more': (world) => claiming({ iss: `${world.idp.issuer}/` })(world),
  'no issuer': claiming({ iss: undefined }),
  'another audience': claiming({ aud: 'https://mcp.example.com/other' }),
  'the audience of another route': (world) => claiming({ aud: `${world.url}/own` })(world),
  'the gateway as audience': (world) => claiming({ aud: world.url })(world),
  'two audiences, neither of them this one': claiming({ aud: ['a', 'b'] }),
  'no audience': claiming({ aud: undefined }),
  'typ JWT': withHeader({ typ: 'JWT' }),
  'no typ': withHeader({ typ: undefined }),
  'typ of an ID-JAG': withHeader({ typ: 'oauth-id-jag+jwt' }),
  'typ of a logout token': withHeader({ typ: 'logout+jwt' }),
  'an ID token': claiming({ nonce: 'n-1' }),
  'an ID token with at_hash': claiming({ at_hash: 'h' }),
  expired: claiming({ exp: nowSeconds() - 1 }),
  'no expiry': claiming({ exp: undefined }),
  'an expiry in words': claiming({ exp: 'tomorrow' }),
  'from the future': claiming({ iat: nowSeconds() + 120 }),
  'not yet good': claiming({ nbf: nowSeconds() + 120 }),
  'no subject': claiming({ sub: undefined }),
  'an empty subject': claiming({ sub: '' }),
  'a subject that is no text': claiming({ sub: 7 }),
  'a subject with a line break': claiming({ sub: 'dora\nadmin' }),
  'bound to a key of the client': claiming({ cnf: { jkt: 'x' } }),
  'longer than 8 KiB': claiming({ filler: 'x'.repeat(8 * 1024) }),
  'a token of this gateway': async ({ url }) => {
    const client = await Client.register(url)
    return (await obtainTokens({ client, overrides: { resource: `${url}/own` } })).tokens.access
  },
}

async function assertRefused(world: IssuerWorld, token: string): Promise<void> {
  const before = upstreamRequests(world)
  const answer = await callMcp(world.mcpUrl, token)
  assert.is(answer.status, 401, answer.text)
  assert.is(answer.body.error, 'invalid_token')
  assert.match(challengeOf(answer), 'error="invalid_token"')
  assert.match(
    challengeOf(answer),
    `resource_metadata="${world.url}/.well-known/oauth-protected-resource/reports"`,
  )
  assert.is(upstreamRequests(world), before, 'the upstream must not notice')
}

const shared = sharedWorld(test)
test.before(() => shared().idp.knobs.keys.push(es384))

for (const [name, forge] of Object.entries(FORGERIES)) {
  test(`spec-T1: refused, with the challenge of the route: ${name}`, async () => {
    const world = shared()
    await assertRefused(world, await forge(world))
    await stillWorks(world)
  })
}

test('the log says why a token was refused, and holds none', async () => {
  const world = shared()
  const token = await world.idp.token(world.mcpUrl, { aud: 'x' })
  await assertRefused(world, token)
  const line = world.gateway.log.filter(({ event }) => event === 'request failed').at(-1)
  assert.is(line?.fields.cause, 'ERR_JWT_CLAIM_VALIDATION_FAILED aud')
  assert.not.match(JSON.stringify(world.gateway.log), token)
})

test("sec-T9: the issuer's token is worth nothing on a route of the gateway's own", async () => {
  const world = shared()
  const before = upstreamRequests(world)
  for (const audience of [world.mcpUrl, `${world.url}/own`, world.url]) {
    const answer = await callMcp(`${world.url}/own`, await world.idp.token(audience))
    assert.is(answer.status, 401)
    assert.match(challengeOf(answer), `/.well-known/oauth-protected-resource/own"`)
  }
  assert.is(upstreamRequests(world), before)
  await stillWorks(world)
})

test('spec-X5, spec-P1: the token, and whatever is in it, stays here: the upstream sees neither', async () => {
  const world = shared()
  const token = await world.token({ email: 'dora@example.com', email_verified: true })
  assert.is(await world.status(token), 200)
  assert.not.ok(world.upstream.recorder.saw(token))
  assert.not.ok(world.upstream.recorder.saw(token.split('.')[2] ?? ''))
  assert.not.ok(world.upstream.recorder.saw('dora'))
  assert.is(world.upstream.recorder.requests.at(-1)?.headers.authorization, undefined)
})

const GOOD: Readonly<Record<string, Forge>> = {
  'typ with its whole media type': withHeader({ typ: 'application/at+jwt' }),
  'typ in capitals': withHeader({ typ: 'AT+JWT' }),
  'two audiences, this one among them': ({ idp, mcpUrl }) =>
    idp.token(mcpUrl, { aud: ['https://idp/userinfo', mcpUrl] }),
  'a clock that is 30 s ahead': claiming({ iat: nowSeconds() + 30, nbf: nowSeconds() + 30 }),
  'no kid, and one key': withHeader({ kid: undefined }),
  'no jti, no client_id, no iat': claiming({ jti: undefined, client_id: undefined, iat: undefined }),
}
for (const [name, make] of Object.entries(GOOD)) {
  test(`spec-X5: accepted: ${name}`, async () => assert.is(await shared().status(await make(shared())), 200))
}

test('legacy_typ: JWT or no typ is taken then, an ID token still not', async (context) => {
  const legacy = await startIssuerWorld(context, { issuer: ', legacy_typ: true' })
  for (const typ of ['JWT', undefined, 'at+jwt'])
    assert.is(await legacy.status(await withHeader({ typ })(legacy)), 200, typ)
  for (const member of ['nonce', 'at_hash', 'c_hash'])
    await assertRefused(
      legacy,
      await legacy.idp.token(legacy.mcpUrl, { [member]: 'x' }, { header: { typ: 'JWT' } }),
    )
  for (const typ of ['oauth-id-jag+jwt', 'logout+jwt', 'application/jwt+x', ''])
    await assertRefused(legacy, await withHeader({ typ })(legacy))
  await stillWorks(legacy)
})

test('spec-X5: only the algorithms of the list are taken', async (context) => {
  const rsa = await startIssuerWorld(context, { issuer: ', algorithms: [PS256]' }, { alg: 'RS256' })
  await assertRefused(rsa, await rsa.token())
  await rsa.edit({ issuer: ', algorithms: [RS256]' })
  await stillWorks(rsa)
})

test('an audience of its own replaces the URL of the route', async (context) => {
  const other = await startIssuerWorld(context, { tokenIssuer: ', audience: "api://reports"' })
  assert.is(await other.status(await other.idp.token('api://reports')), 200)
  await assertRefused(other, await other.token())
})

test.run()
