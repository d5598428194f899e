// Registrations that no table holds: what is accepted, what is remembered, and that nobody else can make one.
import * as assert from 'uvu/assert'
import { OAuthError } from '../../src/errors.ts'
import {
  clientSecret,
  isClientSecret,
  MAX_METADATA_BYTES,
  openClientId,
  parseClientMetadata,
  registrationResponse,
  sealClientId,
} from '../../src/oauth/registration.ts'
import { keyringFrom } from '../../src/store/keyring.ts'
import { createSealer } from '../../src/store/seal.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/registration')
const ISSUER = 'https://gw.example'
const NOW = 1_700_000_000_999
const uris = { redirect_uris: ['http://localhost:3118/callback'] }
const key = (byte: number) => Buffer.alloc(32, byte).toString('base64url')
const sealerOf = (...keys: number[]) => createSealer(keyringFrom(keys.map(key)))
const parse = (body: unknown) => parseClientMetadata(body, ['cursor'], NOW)

const refusal = (body: unknown): string => {
  try {
    parse(body)
  } catch (error) {
    if (error instanceof OAuthError) return error.code
    throw error
  }
  return 'accepted'
}

test('what a real client sends is understood; members that mean nothing here are ignored', () => {
  const body = {
    ...uris,
    client_name: 'Claude Code',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    scope: 'anything',
    software_id: 'x',
    client_uri: 'https://client.example',
    logo_uri: null,
    contacts: ['a@b.example'],
  }
  assert.equal(parse(body), {
    redirectUris: ['http://localhost:3118/callback'],
    name: 'Claude Code',
    authMethod: 'none',
    issuedAtSeconds: 1_700_000_000,
  })
})

test('spec-C11: defaults of RFC 7591 §2, and the nearest thing where a client asks for what is not served', () => {
  assert.is(parse(uris).authMethod, 'client_secret_basic')
  assert.is(parse({ ...uris, token_endpoint_auth_method: null }).authMethod, 'client_secret_basic')
  assert.is(
    parse({ ...uris, token_endpoint_auth_method: 'client_secret_post' }).authMethod,
    'client_secret_post',
  )
  assert.is(parse({ ...uris, token_endpoint_auth_method: 'private_key_jwt' }).authMethod, 'none')
  assert.is(parse({ ...uris, token_endpoint_auth_method: 7 }).authMethod, 'none')
  assert.is(parse(uris).name, undefined)
  assert.is(parse({ ...uris, client_name: null }).name, undefined)
  assert.is(parse({ ...uris, client_name: 'n'.repeat(1000) }).name, 'n'.repeat(200))
  assert.equal(
    parse({ redirect_uris: [uris.redirect_uris[0], uris.redirect_uris[0]] }).redirectUris.length,
    1,
  )
})

test('spec-C11: what cannot be registered is refused with the code of RFC 7591 §3.2.2', () => {
  const refused: [string, unknown][] = [
    ['invalid_client_metadata', undefined],
    ['invalid_client_metadata', null],
    ['invalid_client_metadata', 'text'],
    ['invalid_client_metadata', [uris]],
    ['invalid_redirect_uri', {}],
    ['invalid_redirect_uri', { redirect_uris: [] }],
    ['invalid_redirect_uri', { redirect_uris: 'https://a.example/cb' }],
    ['invalid_redirect_uri', { redirect_uris: ['https://a.example/cb', 'https://a.example/cb#x'] }],
    ['invalid_redirect_uri', { redirect_uris: [null] }],
    [
      'invalid_redirect_uri',
      { redirect_uris: Array.from({ length: 11 }, (_, n) => `https://a.example/${n}`) },
    ],
    ['invalid_client_metadata', { ...uris, grant_types: ['client_credentials'] }],
    ['invalid_client_metadata', { ...uris, grant_types: 'authorization_code' }],
    ['invalid_client_metadata', { ...uris, grant_types: [] }],
    ['invalid_client_metadata', { ...uris, client_name: 7 }],
    ['invalid_client_metadata', { ...uris, client_name: { toString: 'x' } }],
    ['invalid_client_metadata', { ...uris, logo_uri: 'javascript:alert(1)' }],
    ['invalid_client_metadata', { ...uris, client_uri: 'http://' }],
    ['invalid_client_metadata', { ...uris, tos_uri: 7 }],
    ['invalid_client_metadata', { ...uris, jwks_uri: 'file:///etc/passwd' }],
  ]
  for (const [code, body] of refused) assert.is(refusal(body), code, JSON.stringify(body))
})

test('the client_id is the registration: it opens to what was sealed, under this issuer alone', () => {
  const sealer = sealerOf(1)
  const metadata = parse({ ...uris, client_name: 'Ünïcode "name"' })
  const clientId = sealClientId(sealer, ISSUER, metadata)
  assert.equal(openClientId(sealer, ISSUER, clientId), metadata)
  assert.match(clientId, /^dcr-[A-Za-z0-9._-]+$/)
  assert.not.ok(clientId.includes('localhost'), 'it tells nothing')
  assert.is(openClientId(sealer, 'https://other.example', clientId), undefined)
  assert.is(openClientId(sealerOf(2), ISSUER, clientId), undefined)
})

test('spec-C8: a client_id is never URL-shaped', () => {
  assert.not.ok(URL.canParse(sealClientId(sealerOf(1), ISSUER, parse(uris))))
})

test('sec-R10: a changed, cut or invented client_id opens to nothing', () => {
  const sealer = sealerOf(1)
  const clientId = sealClientId(sealer, ISSUER, parse(uris))
  for (let at = 0; at < clientId.length; at += 7) {
    const other = clientId[at] === 'A' ? 'B' : 'A'
    const changed = clientId.slice(0, at) + other + clientId.slice(at + 1)
    assert.is(openClientId(sealer, ISSUER, changed), undefined, changed)
  }
  const session = `dcr-${sealer.seal('session', ISSUER, '[1,0,"none",["https://evil.example"],null]')}`
  for (const invented of [
    '',
    'dcr-',
    'dcr-x.y',
    clientId.slice(4),
    clientId.slice(0, -1),
    `${clientId}A`,
    session,
  ]) {
    assert.is(openClientId(sealer, ISSUER, invented), undefined, invented)
  }
})

test('metadata that would make the id too long for a URL is refused', () => {
  const long = {
    redirectUris: [`https://a.example/${'x'.repeat(MAX_METADATA_BYTES)}`],
    name: undefined,
    authMethod: 'none',
    issuedAtSeconds: 0,
  } as const
  assert.throws(
    () => sealClientId(sealerOf(1), ISSUER, long),
    (error: unknown) => error instanceof OAuthError && error.code === 'invalid_client_metadata',
  )
  const nearly = { ...long, redirectUris: [`https://a.example/${'x'.repeat(MAX_METADATA_BYTES - 60)}`] }
  assert.ok(sealClientId(sealerOf(1), ISSUER, nearly).length < 2200)
})

test('the secret follows from the id, and none of another client fits', () => {
  const sealer = sealerOf(1)
  const [one, two] = [sealClientId(sealer, ISSUER, parse(uris)), sealClientId(sealer, ISSUER, parse(uris))]
  assert.is.not(one, two)
  const secret = clientSecret(sealer, one)
  assert.is(secret, clientSecret(sealer, one))
  assert.match(secret, /^[A-Za-z0-9_-]{43}$/)
  assert.ok(isClientSecret(sealer, one, secret))
  assert.not.ok(isClientSecret(sealer, two, secret))
  for (const wrong of ['', secret.slice(1), `${secret}A`, 'é'.repeat(43)]) {
    assert.not.ok(isClientSecret(sealer, one, wrong), wrong)
  }
})

test('sec-S3: after a key rotation old registrations and their secrets stay good, until the old key is dropped', () => {
  const clientId = sealClientId(sealerOf(1), ISSUER, parse(uris))
  const secret = clientSecret(sealerOf(1), clientId)
  const rotated = sealerOf(2, 1)
  assert.ok(openClientId(rotated, ISSUER, clientId))
  assert.ok(isClientSecret(rotated, clientId, secret))
  assert.ok(openClientId(sealerOf(2), ISSUER, sealClientId(rotated, ISSUER, parse(uris))))
  assert.is(openClientId(sealerOf(2), ISSUER, clientId), undefined)
  assert.not.ok(isClientSecret(sealerOf(2), clientId, secret))
})

test('spec-C9: the answer echoes what was registered, with a secret only for clients that use one', () => {
  const confidential = registrationResponse('dcr-1', parse({ ...uris, client_name: 'C' }), 's')
  assert.equal(confidential, {
    client_id: 'dcr-1',
    client_id_issued_at: 1_700_000_000,
    client_secret: 's',
    client_secret_expires_at: 0,
    redirect_uris: uris.redirect_uris,
    client_name: 'C',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  })
  const open = registrationResponse(
    'dcr-1',
    parse({ ...uris, token_endpoint_auth_method: 'none' }),
    undefined,
  )
  assert.not.ok('client_secret' in open || 'client_secret_expires_at' in open || 'client_name' in open)
})

test.run()
