// Client authentication at /token: exactly the method that was registered, with exactly its secret.
import * as assert from 'uvu/assert'
import { OAuthError } from '../../src/errors.ts'
import {
  checkCredentials,
  describeDocument,
  describeRegistered,
  describeStatic,
  presentedCredentials,
  type StaticClient,
} from '../../src/oauth/client.ts'
import { JWT_BEARER } from '../../src/oauth/grant-types.ts'
import { machineProfiles, machineSubject } from '../../src/oauth/machine.ts'
import type { ClientAuthMethod } from '../../src/oauth/metadata.ts'
import { parseParameters } from '../../src/oauth/parameters.ts'
import { clientSecret, sealClientId } from '../../src/oauth/registration.ts'
import { randomKeyring } from '../../src/store/keyring.ts'
import { createSealer } from '../../src/store/seal.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/client')
const ISSUER = 'https://gw.example'
const sealer = createSealer(randomKeyring())

const register = (authMethod: ClientAuthMethod) => {
  const metadata = { redirectUris: ['https://a.example/cb'], name: 'A', authMethod, issuedAtSeconds: 0 }
  const id = sealClientId(sealer, ISSUER, metadata)
  return { id, secret: clientSecret(sealer, id) }
}
const open = register('none')
const basic = register('client_secret_basic')
const post = register('client_secret_post')

const basicHeader = (id: string, secret: string) =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

const authenticate = (authorization: string | undefined, fields: Record<string, string> = {}): string => {
  try {
    const parameters = parseParameters(new URLSearchParams(fields).toString())
    const presented = presentedCredentials(authorization, parameters)
    const client = describeRegistered(presented.clientId, ISSUER, sealer)
    if (client === undefined) return 'invalid_client'
    checkCredentials(client, presented)
    return client.id
  } catch (error) {
    if (error instanceof OAuthError) return error.code
    throw error
  }
}

test('each client authenticates the way it registered', () => {
  assert.is(authenticate(undefined, { client_id: open.id }), open.id)
  assert.is(authenticate(undefined, { client_id: post.id, client_secret: post.secret }), post.id)
  assert.is(authenticate(basicHeader(basic.id, basic.secret)), basic.id)
  assert.is(
    authenticate(basicHeader(basic.id, basic.secret), { client_id: basic.id }),
    basic.id,
    'the id twice',
  )
  assert.is(authenticate(basicHeader(basic.id, basic.secret).replace('Basic', 'basic')), basic.id)
})

test('spec-T6: Basic credentials may be percent-encoded, as RFC 6749 §2.3.1 wants and some clients omit', () => {
  const encode = (text: string) => text.replace(/[._-]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)
  assert.is(authenticate(basicHeader(encode(basic.id), encode(basic.secret))), basic.id)
})

test('no other method will do, not even with the right secret', () => {
  const refused: [string, string | undefined, Record<string, string>][] = [
    ['basic registered, secret in the body', undefined, { client_id: basic.id, client_secret: basic.secret }],
    ['basic registered, no secret', undefined, { client_id: basic.id }],
    ['post registered, Basic header', basicHeader(post.id, post.secret), {}],
    ['post registered, no secret', undefined, { client_id: post.id }],
    ['none registered, a secret all the same', undefined, { client_id: open.id, client_secret: open.secret }],
    ['none registered, Basic header', basicHeader(open.id, open.secret), {}],
  ]
  for (const [name, authorization, fields] of refused) {
    assert.is(authenticate(authorization, fields), 'invalid_client', name)
  }
})

test('a wrong, missing or foreign secret, an unknown client and a broken header are invalid_client', () => {
  const refused: [string, string | undefined, Record<string, string>][] = [
    ['wrong secret', basicHeader(basic.id, 'wrong'), {}],
    ["another client's secret", basicHeader(basic.id, post.secret), {}],
    ['empty secret', basicHeader(basic.id, ''), {}],
    ['empty secret in the body', undefined, { client_id: post.id, client_secret: '' }],
    ['unknown client', undefined, { client_id: 'dcr-nobody' }],
    ['nobody', undefined, {}],
    ['no id in the header', basicHeader('', basic.secret), {}],
    ['no colon', `Basic ${Buffer.from(basic.id).toString('base64')}`, {}],
    ['broken percent encoding', basicHeader(`${basic.id}%`, basic.secret), {}],
    ['not base64', 'Basic ***', {}],
    ['another scheme', `Bearer ${basic.secret}`, { client_id: open.id }],
    ['empty header', '', { client_id: open.id }],
  ]
  for (const [name, authorization, fields] of refused) {
    assert.is(authenticate(authorization, fields), 'invalid_client', name)
  }
})

test('two ways to authenticate at once are invalid_request (RFC 6749 §2.3)', () => {
  const header = basicHeader(basic.id, basic.secret)
  assert.is(authenticate(header, { client_secret: basic.secret }), 'invalid_request')
  assert.is(authenticate(header, { client_id: open.id }), 'invalid_request', 'and for two clients')
})

test('a client is known by what it registered, under this issuer only', () => {
  assert.equal(describeRegistered(open.id, ISSUER, sealer)?.redirectUris, ['https://a.example/cb'])
  assert.is(describeRegistered(open.id, 'https://other.example', sealer), undefined)
  assert.is(describeRegistered('https://client.example/metadata.json', ISSUER, sealer), undefined)
})

const staticClients = new Map<string, StaticClient>([
  ['cli', { grant_types: ['authorization_code'], redirect_uris: ['http://localhost/cb'], introspect: false }],
  [
    'backend',
    {
      grant_types: ['client_credentials'],
      client_secret: 's3cret',
      client_name: 'Back end',
      redirect_uris: [],
      introspect: true,
    },
  ],
])
const known = (id: string) => {
  const client = staticClients.get(id)
  return client && describeStatic(id, client)
}
const authenticateKnown = (
  authorization: string | undefined,
  fields: Record<string, string> = {},
): string => {
  try {
    const presented = presentedCredentials(
      authorization,
      parseParameters(new URLSearchParams(fields).toString()),
    )
    const client = known(presented.clientId)
    if (client === undefined) return 'invalid_client'
    checkCredentials(client, presented)
    return client.id
  } catch (error) {
    if (error instanceof OAuthError) return error.code
    throw error
  }
}

test('spec-C12: a client that the configuration knows: with its secret either way, without one not at all', () => {
  assert.is(authenticateKnown(undefined, { client_id: 'cli' }), 'cli')
  assert.is(authenticateKnown(basicHeader('backend', 's3cret')), 'backend')
  assert.is(authenticateKnown(undefined, { client_id: 'backend', client_secret: 's3cret' }), 'backend')
  const refused: [name: string, authorization: string | undefined, fields: Record<string, string>][] = [
    ['no secret where there is one', undefined, { client_id: 'backend' }],
    ['an empty secret', basicHeader('backend', ''), {}],
    ['a wrong secret', basicHeader('backend', 's3cret2'), {}],
    ['a secret where there is none', basicHeader('cli', 's3cret'), {}],
    ['an empty secret where there is none', basicHeader('cli', ''), {}],
    ['a name that every object has', undefined, { client_id: 'constructor' }],
  ]
  for (const [name, authorization, fields] of refused) {
    assert.is(authenticateKnown(authorization, fields), 'invalid_client', name)
  }
})

test('what the configuration says of a client is what the gateway knows of it', () => {
  const cli = known('cli')
  assert.equal([cli?.name, cli?.redirectUris, cli?.introspectsAll], ['cli', ['http://localhost/cb'], false])
  const backend = known('backend')
  assert.equal([backend?.name, backend?.introspectsAll], ['Back end', true])
  assert.is(describeRegistered(open.id, ISSUER, sealer)?.introspectsAll, false, 'nobody registers that trust')
})

test('who may ask for which grant type, by how the gateway knows the client', () => {
  assert.equal(known('cli')?.grantTypes, ['authorization_code', 'refresh_token'])
  assert.equal(known('backend')?.grantTypes, ['client_credentials'], 'no refresh token without a sign-in')
  assert.equal(describeRegistered(basic.id, ISSUER, sealer)?.grantTypes, [
    'authorization_code',
    'refresh_token',
  ])
  const document = { name: 'D', redirectUris: [] }
  const url = 'https://d.example/client.json'
  assert.equal(describeDocument(url, { ...document, authMethod: 'none', keys: undefined }).grantTypes, [
    'authorization_code',
    'refresh_token',
  ])
  assert.ok(
    describeDocument(url, {
      ...document,
      authMethod: 'private_key_jwt',
      keys: { inline: [] },
    }).grantTypes.includes(JWT_BEARER),
  )
})

test('a machine is what proves itself and may have tokens for itself', () => {
  const machines = machineProfiles({
    ...Object.fromEntries(staticClients),
    open: { grant_types: ['client_credentials'], redirect_uris: [], introspect: false },
    keyed: {
      grant_types: ['client_credentials'],
      redirect_uris: [],
      introspect: false,
      jwks: { keys: [{}] },
    },
  })
  assert.equal([...machines.keys()], ['clients/backend', 'clients/keyed'])
  assert.is(machines.get(machineSubject('backend'))?.kind, 'client')
})

test.run()
