// Which authorization server a route means, and where its answers come back.
import * as assert from 'uvu/assert'
import { upstreamServers } from '../../src/auth/servers.ts'
import type { AuthorizationServerConfig } from '../../src/config/types.ts'
import { suite } from '../support/suite.ts'

const test = suite('auth/servers')
const github: AuthorizationServerConfig = {
  authorization_endpoint: 'https://github.com/login/oauth/authorize',
  token_endpoint: 'https://github.com/login/oauth/access_token',
  client_id: 'Iv1.x',
  authorization_parameters: {},
  relink_parameters: {},
  registration: ['cimd', 'dynamic'],
  endpoint_hosts: [],
}
const bare: AuthorizationServerConfig = { ...github, callback: '/upstream/callback' }
const serverFor = upstreamServers({ github, bare }, 'https://gw.example')

test('a named server has its own name in its callback, whatever route uses it', () => {
  for (const route of ['code', 'issues']) {
    assert.equal(serverFor(route, 'github'), {
      entry: github,
      redirectUri: 'https://gw.example/upstream/callback/github',
      documentUrl: 'https://gw.example/.well-known/oauth-client/github',
    })
  }
})

test('one that is written inline, or left to the upstream, has the name of its route', () => {
  assert.equal(serverFor('code', github), {
    entry: github,
    redirectUri: 'https://gw.example/upstream/callback/code',
    documentUrl: 'https://gw.example/.well-known/oauth-client/code',
  })
  assert.equal(serverFor('code', undefined), {
    entry: undefined,
    redirectUri: 'https://gw.example/upstream/callback/code',
    documentUrl: 'https://gw.example/.well-known/oauth-client/code',
  })
})

test('an identity provider beside the server of a route has a name of its own, unless an entry names it', () => {
  assert.equal(serverFor('code', github, 'identity_provider'), {
    entry: github,
    redirectUri: 'https://gw.example/upstream/callback/code.identity_provider',
    documentUrl: 'https://gw.example/.well-known/oauth-client/code.identity_provider',
  })
  assert.equal(serverFor('code', 'github', 'identity_provider'), serverFor('code', 'github'))
})

test('a callback that is written in the configuration is taken as it is', () => {
  assert.is(serverFor('code', 'bare').redirectUri, 'https://gw.example/upstream/callback')
  assert.is(serverFor('code', bare).redirectUri, 'https://gw.example/upstream/callback')
})

test.run()
