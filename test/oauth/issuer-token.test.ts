// What a verified JWT of another issuer comes down to, and what tells an assertion about a person from an access token.
// The forgeries are tried on a running gateway: test/issuers.
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as assert from 'uvu/assert'
import { OAuthError, UpstreamError } from '../../src/errors.ts'
import {
  claimedIssuer,
  type IssuerTokenType,
  isSubjectOf,
  type TrustedIssuer,
  verifyIssuerToken,
} from '../../src/oauth/issuer-token.ts'
import type { Subject } from '../../src/slots.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/issuer-token')

const NOW_MS = 1_800_000_000_000
const NOW = NOW_MS / 1000
const { privateKey, publicKey } = await generateKeyPair('EdDSA')
const key = createLocalJWKSet({ keys: [await exportJWK(publicKey)] })
const ISSUER: TrustedIssuer = {
  issuer: 'https://idp.example',
  algorithms: ['EdDSA'],
  id_jag: true,
  legacy_typ: false,
  claims: { email: 'email', groups: 'groups' },
}
const GOOD = { iss: ISSUER.issuer, aud: 'us', sub: 'dora', iat: NOW, exp: NOW + 60, jti: 'j-1' }

type Claims = Readonly<Record<string, unknown>>
const sign = (claims: Claims, typ: string | undefined) =>
  new SignJWT({ ...GOOD, ...claims })
    .setProtectedHeader({ alg: 'EdDSA', ...(typ !== undefined && { typ }) })
    .sign(privateKey)

async function verify(claims: Claims = {}, type: IssuerTokenType = 'access_token', typ?: string) {
  const known = { access_token: 'at+jwt', id_jag: 'oauth-id-jag+jwt' }
  const jwt = await sign(claims, typ ?? known[type])
  return verifyIssuerToken(jwt, ISSUER, { type, audiences: ['us', 'ours'], nowMs: NOW_MS, key })
}

async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
    return 'accepted'
  } catch (error) {
    if (error instanceof OAuthError) return `${error.code}: ${error.detail.reason}`
    throw error
  }
}

test('a person is known by the issuer and their sub, and by what else the token says', async () => {
  const told = { email: 'dora@example.com', email_verified: true, groups: ['staff', 7, null], tier: 2 }
  const token = await verify({ ...told, client_id: 'agent', scope: 'b a b' })
  assert.is(token.subject, 'oidc/https://idp.example#dora')
  assert.equal(token.profile, {
    kind: 'person',
    name: 'oidc/https://idp.example#dora',
    groups: ['staff'],
    email: 'dora@example.com',
    // Nothing that is true of this one token alone.
    claims: { iss: ISSUER.issuer, aud: 'us', sub: 'dora', ...told, client_id: 'agent', scope: 'b a b' },
    clientIds: ['agent'],
    doubts: { emails: [], areGroupsUntold: false, untoldClaims: [] },
  })
  assert.equal([token.clientId, token.scopes, token.jti], ['agent', ['b', 'a'], 'j-1'])
  assert.is(token.expiresAtMs, (NOW + 60) * 1000)
  assert.is(token.claims.jti, 'j-1')
})

test('a client that is its own subject is no person', async () => {
  for (const member of ['client_id', 'azp', 'cid', 'appid']) {
    const { profile, clientId } = await verify({ [member]: 'agent', sub: 'agent' })
    assert.equal([profile.kind, clientId], ['client', 'agent'], member)
  }
  assert.equal((await verify({ client_id: 7 })).clientId, undefined)
  const own: Claims[] = [
    { azp: 'agent', sub: 'agent@clients' },
    { azp: 'agent', sub: 'x', gty: 'client-credentials' },
    { appid: 'agent', sub: 'x', idtyp: 'app' },
    { client_id: 'suite', azp: 'agent', sub: 'agent' },
  ]
  for (const claims of own) assert.is((await verify(claims)).profile.kind, 'client', JSON.stringify(claims))
  const others: Claims[] = [
    { azp: 'agent', sub: 'other@clients' },
    { azp: 'agent', sub: 'x', gty: 'password' },
    { appid: 'agent', sub: 'x', idtyp: 'user' },
    { sub: '@clients' },
  ]
  for (const claims of others)
    assert.is((await verify(claims)).profile.kind, 'person', JSON.stringify(claims))
})

test('all clients that a token names are known, the one that it was made for first', async () => {
  const { profile } = await verify({ appid: 'd', azp: 'b', cid: 'c', client_id: 'a' })
  assert.equal(profile.clientIds, ['a', 'b', 'c', 'd'])
})

test('what a token leaves open is known as that', async () => {
  const doubts = async (claims: Claims) => (await verify(claims)).profile.doubts
  assert.equal((await doubts({ email: 'a@b.example' }))?.emails, ['a@b.example'])
  assert.equal((await doubts({ email: 'a@b.example', email_verified: 'true' }))?.emails, ['a@b.example'])
  assert.equal((await doubts({ email: 'a@b.example', email_verified: true }))?.emails, [])
  for (const claims of [{ _claim_names: { groups: 'src1' } }, { hasgroups: true }, { hasgroups: 'true' }])
    assert.is((await doubts(claims))?.areGroupsUntold, true, JSON.stringify(claims))
  for (const claims of [
    {},
    { hasgroups: false },
    { _claim_names: { roles: 'src1' } },
    { _claim_names: null },
  ])
    assert.is((await doubts(claims))?.areGroupsUntold, false, JSON.stringify(claims))
  assert.equal((await doubts({ _claim_names: { roles: 'src1' } }))?.untoldClaims, ['roles'])
})

test('an address that the issuer did not verify, or that is none, is none', async () => {
  const emailOf = async (claims: Claims) => (await verify(claims)).profile.email
  assert.is(await emailOf({ email: 'a@b.example', email_verified: true }), 'a@b.example')
  for (const email_verified of [undefined, false, 'true', 1])
    assert.is(await emailOf({ email: 'a@b.example', email_verified }), undefined, String(email_verified))
  for (const email of [undefined, 7, '', 'a', 'a@', '@b', 'a@b@c', 'a b@c', ['a@b.example']])
    assert.is(await emailOf({ email, email_verified: true }), undefined, JSON.stringify(email))
})

test('scopes are read as each issuer writes them', async () => {
  const scopesOf = async (claims: Claims) => (await verify(claims)).scopes
  assert.equal(await scopesOf({}), [])
  assert.equal(await scopesOf({ scp: 'a b' }), ['a', 'b'])
  assert.equal(await scopesOf({ scp: ['a', 'b'] }), ['a', 'b'])
  assert.equal(await scopesOf({ scope: 'a', scp: ['b'] }), ['a'], 'RFC 9068 first')
  assert.equal(await scopesOf({ scope: { a: 1 } }), [])
})

test('clocks may differ by a minute, but a token is not good beyond its end', async () => {
  assert.is(await refusal(verify({ iat: NOW + 59, nbf: NOW + 59 })), 'accepted')
  assert.is(await refusal(verify({ iat: NOW + 62 })), 'invalid_token: iat')
  assert.match(await refusal(verify({ nbf: NOW + 62 })), 'nbf')
  assert.is(await refusal(verify({ exp: NOW + 1 })), 'accepted')
  assert.is(await refusal(verify({ exp: NOW })), 'invalid_token: exp')
})

test('an assertion is none of the other kind, and for nobody else as well', async () => {
  assert.is(await refusal(verify({ aud: 'us' }, 'id_jag')), 'accepted')
  assert.is(await refusal(verify({ aud: ['us'] }, 'id_jag')), 'accepted')
  assert.is(await refusal(verify({ aud: ['us', 'them'] }, 'id_jag')), 'invalid_grant: several_audiences')
  assert.is(await refusal(verify({ aud: ['us', 'them'] })), 'accepted')
  assert.is(await refusal(verify({}, 'id_jag', 'at+jwt')), 'invalid_grant: typ')
  assert.is(await refusal(verify({}, 'access_token', 'oauth-id-jag+jwt')), 'invalid_token: typ')
  const legacy = { ...ISSUER, legacy_typ: true }
  const untyped = await sign({}, undefined)
  const context = { audiences: ['us'], nowMs: NOW_MS, key }
  assert.is(
    await refusal(verifyIssuerToken(untyped, legacy, { ...context, type: 'access_token' })),
    'accepted',
  )
  assert.is(
    await refusal(verifyIssuerToken(untyped, legacy, { ...context, type: 'id_jag' })),
    'invalid_grant: typ',
  )
})

test('an issuer that cannot be asked is no verdict on the token', async () => {
  const jwt = await sign({}, 'at+jwt')
  const down = new UpstreamError('unavailable', 'down')
  const context = { type: 'access_token', audiences: ['us'], nowMs: NOW_MS } as const
  const failed = await verifyIssuerToken(jwt, ISSUER, {
    ...context,
    key: () => Promise.reject(down),
  }).catch((error: unknown) => error)
  assert.is(failed, down)
})

test('who claims to have signed is read without trust, and only from what can be a token', async () => {
  assert.is(claimedIssuer(await sign({}, 'x')), ISSUER.issuer)
  assert.is(claimedIssuer('a.b.c'), undefined)
  assert.is(claimedIssuer(await sign({ filler: 'x'.repeat(9000) }, 'x')), undefined)
})

test("no issuer's subject is another one's", () => {
  const subject = 'oidc/https://idp.example#https://evil.example#x' as Subject
  assert.ok(isSubjectOf(subject, { issuer: 'https://idp.example' }))
  assert.not.ok(isSubjectOf(subject, { issuer: 'https://idp' }))
  assert.not.ok(isSubjectOf('oidc/https://idp.example.evil#x' as Subject, { issuer: 'https://idp.example' }))
})

test.run()
