// Two OAuth libraries that owe MCP nothing and take no answer that their RFCs do not allow.
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import * as assert from 'uvu/assert'
import { callTool } from '../security/client.ts'
import { Browser } from '../support/browser.ts'
import { signIn } from '../support/person.ts'
import { suite } from '../support/suite.ts'
import { type Scene, startScene } from './scene.ts'

const test = suite('personas/strict-clients')

const REDIRECT = 'http://127.0.0.1:46100/cb'
const METADATA = {
  client_name: 'A strict client',
  redirect_uris: [REDIRECT],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
}
const RESOURCE = /\/\.well-known\/oauth-protected-resource\/github$/

let scene: Scene
test.before(async () => {
  scene = await startScene([], 10)
})
test.after(() => scene.close())

async function callbackFor(url: URL) {
  const person = scene.newPerson()
  const { callback } = await signIn(new Browser({ stopAt: [REDIRECT] }), url, person)
  return { callback, person }
}

/** Nothing of the client's own ever reaches an upstream. */
function assertPrivate(...secrets: (string | undefined)[]): void {
  for (const { recorder } of scene.routes) {
    for (const secret of secrets) assert.not.ok(recorder.saw(secret ?? '-nothing-'), secret)
  }
}

/** The whole life of a client of openid-client: code, refresh, introspection, revocation. */
async function live(config: openid.Configuration): Promise<void> {
  const { url: resource } = scene.route('github')
  const verifier = openid.randomPKCECodeVerifier()
  const state = openid.randomState()
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    resource,
  })
  const { callback, person } = await callbackFor(url)
  const checks = { pkceCodeVerifier: verifier, expectedState: state }
  const tokens = await openid.authorizationCodeGrant(config, callback, checks, { resource })
  assert.is(await callTool(resource, tokens.access_token, 'whoami'), person.upstreamName)
  const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', { resource })
  assert.is.not(renewed.access_token, tokens.access_token)
  assert.is(await callTool(resource, renewed.access_token, 'whoami'), person.upstreamName)
  const described = await openid.tokenIntrospection(config, renewed.access_token)
  assert.equal([described.active, described.aud], [true, resource])
  await openid.tokenRevocation(config, renewed.refresh_token ?? '')
  assert.is((await openid.tokenIntrospection(config, renewed.access_token)).active, false)
  const code = callback.searchParams.get('code') ?? ''
  assertPrivate(
    state,
    verifier,
    code,
    tokens.access_token,
    renewed.refresh_token,
    config.clientMetadata().client_id,
  )
}

const insecure = { execute: [openid.allowInsecureRequests] }
const server = () => new URL(scene.gateway.url)

for (const method of ['none', 'client_secret_basic', 'client_secret_post'] as const) {
  test(`spec-A1, spec-C9, spec-D6, spec-T6: openid-client registers with ${method}, signs in, refreshes, introspects and revokes`, async () => {
    const metadata = { ...METADATA, token_endpoint_auth_method: method }
    const authentication = {
      none: openid.None,
      client_secret_basic: openid.ClientSecretBasic,
      client_secret_post: openid.ClientSecretPost,
    }[method]
    const options = { algorithm: 'oauth2' as const, ...insecure }
    await live(await openid.dynamicClientRegistration(server(), metadata, authentication(), options))
  })
}

for (const algorithm of ['ES256', 'RS256', 'PS256', 'Ed25519']) {
  test(`spec-C4, spec-D6: openid-client signs with the ${algorithm} key of its document, and lives on it`, async () => {
    const { privateKey, publicKey } = await oauth.generateKeyPair(algorithm)
    const path = `/${algorithm}.json`
    const id = scene.host.origin + path
    const key = { ...(await crypto.subtle.exportKey('jwk', publicKey)), alg: algorithm }
    const document = {
      ...METADATA,
      client_id: id,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [key] },
    }
    const headers = { 'content-type': 'application/json' }
    scene.host.paths.set(path, { status: 200, headers, body: JSON.stringify(document) })
    const options = { algorithm: 'oauth2' as const, ...insecure }
    await live(await openid.discovery(server(), id, {}, openid.PrivateKeyJwt(privateKey), options))
  })
}

const loose = { [oauth.allowInsecureRequests]: true }

/** RFC 9728 §5 and §3, RFC 8414 §3, RFC 7591 §3: each document names the one before it, and the library compares. */
async function findServer(resource: string) {
  const refused = await oauth
    .protectedResourceRequest('not-a-token', 'POST', new URL(resource), undefined, null, loose)
    .catch((error: unknown) => error)
  assert.instance(refused, oauth.WWWAuthenticateChallengeError)
  const [challenge, ...more] = (refused as oauth.WWWAuthenticateChallengeError).cause
  assert.equal([challenge?.scheme, challenge?.parameters.error, more], ['bearer', 'invalid_token', []])
  assert.match(challenge?.parameters.resource_metadata ?? '', RESOURCE)

  const found = await oauth.resourceDiscoveryRequest(new URL(resource), loose)
  const described = await oauth.processResourceDiscoveryResponse(new URL(resource), found)
  const issuer = new URL(described.authorization_servers?.[0] ?? '')
  const answer = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...loose })
  const as = await oauth.processDiscoveryResponse(issuer, answer)
  const metadata = { ...METADATA, token_endpoint_auth_method: 'none' }
  const registration = await oauth.dynamicClientRegistrationRequest(as, metadata, loose)
  return { as, client: await oauth.processDynamicClientRegistrationResponse(registration) }
}

async function signInAt(as: oauth.AuthorizationServer, client: oauth.Client, resource: string) {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const url = new URL(as.authorization_endpoint ?? '')
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: REDIRECT,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    resource,
  }).toString()
  const { callback, person } = await callbackFor(url)
  const checked = oauth.validateAuthResponse(as, client, callback, state)
  const none = oauth.None()
  const answer = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    none,
    checked,
    REDIRECT,
    verifier,
    loose,
  )
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer)
  return { tokens, person, secrets: [state, verifier, tokens.access_token] }
}

test('spec-D1, spec-D8, spec-D10, spec-R3: oauth4webapi goes from the challenge through every document to a tool call, refreshes and revokes', async () => {
  const { url: resource } = scene.route('github')
  const none = oauth.None()
  const { as, client } = await findServer(resource)
  const { tokens, person, secrets } = await signInAt(as, client, resource)
  assert.is(await callTool(resource, tokens.access_token, 'whoami'), person.upstreamName)

  const again = await oauth.refreshTokenGrantRequest(as, client, none, tokens.refresh_token ?? '', loose)
  const renewed = await oauth.processRefreshTokenResponse(as, client, again)
  assert.is(await callTool(resource, renewed.access_token, 'whoami'), person.upstreamName)
  const revoked = await oauth.revocationRequest(as, client, none, renewed.refresh_token ?? '', loose)
  await oauth.processRevocationResponse(revoked)
  const asked = await oauth.introspectionRequest(as, client, none, renewed.access_token, loose)
  assert.is((await oauth.processIntrospectionResponse(as, client, asked)).active, false)
  assertPrivate(...secrets, renewed.access_token, renewed.refresh_token, client.client_id)
})

test.run()
