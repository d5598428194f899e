// The two discovery documents, member by member.
import * as assert from 'uvu/assert'
import { JWT_BEARER, offeredGrantTypes } from '../../src/oauth/grant-types.ts'
import { authorizationServerMetadata, protectedResourceMetadata } from '../../src/oauth/metadata.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/metadata')
const METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']
const ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519']
const SIGN_IN = offeredGrantTypes({ machines: false, idJag: false })
const ISSUER = 'https://gw.example'

test('protected resource metadata names the route and the one authorization server', () => {
  const route = { resource: `${ISSUER}/github`, name: 'GitHub', scopes: ['mcp:github'] }
  assert.equal(protectedResourceMetadata(ISSUER, route), {
    resource: 'https://gw.example/github',
    authorization_servers: ['https://gw.example'],
    bearer_methods_supported: ['header'],
    resource_name: 'GitHub',
    scopes_supported: ['mcp:github'],
  })
})

test('authorization server metadata promises what is there, and no more', () => {
  assert.equal(
    authorizationServerMetadata(ISSUER, { registration: true, clientDocuments: true, grantTypes: SIGN_IN }),
    {
      issuer: 'https://gw.example',
      authorization_endpoint: 'https://gw.example/authorize',
      token_endpoint: 'https://gw.example/token',
      registration_endpoint: 'https://gw.example/register',
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_methods_supported: METHODS,
      token_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      revocation_endpoint: 'https://gw.example/revoke',
      revocation_endpoint_auth_methods_supported: METHODS,
      revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      jwks_uri: 'https://gw.example/.well-known/jwks.json',
      introspection_endpoint: 'https://gw.example/introspect',
      introspection_endpoint_auth_methods_supported: METHODS,
      introspection_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
    },
  )
})

test('without registration there is no registration endpoint, not even an empty one', () => {
  assert.not.ok(
    'registration_endpoint' in
      authorizationServerMetadata(ISSUER, {
        registration: false,
        clientDocuments: true,
        grantTypes: SIGN_IN,
      }),
  )
})

test('what only some gateways do is promised by those alone', () => {
  const promised = (machines: boolean, idJag: boolean) => {
    const grantTypes = offeredGrantTypes({ machines, idJag })
    return authorizationServerMetadata(ISSUER, { registration: true, clientDocuments: true, grantTypes })
  }
  assert.equal(promised(true, false).grant_types_supported, [...SIGN_IN, 'client_credentials'])
  assert.not.ok('authorization_grant_profiles_supported' in promised(true, false))
  const both = promised(true, true)
  assert.equal(both.grant_types_supported, [...SIGN_IN, 'client_credentials', JWT_BEARER])
  assert.equal(
    'authorization_grant_profiles_supported' in both && both.authorization_grant_profiles_supported,
    ['urn:ietf:params:oauth:grant-profile:id-jag'],
  )
})

test.run()
