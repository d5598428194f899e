// What a stored credential is bound to: each fact that decides where it goes changes the fingerprint, nothing else does.
import * as assert from 'uvu/assert'
import { fingerprint } from '../../src/upstream/fingerprint.ts'
import type { UpstreamServer } from '../../src/upstream/server.ts'
import { suite } from '../support/suite.ts'

const test = suite('upstream/fingerprint')

const server: UpstreamServer = {
  issuer: 'https://as.example',
  issParameterSupported: false,
  authorizationEndpoint: 'https://as.example/authorize',
  tokenEndpoint: 'https://as.example/token',
  trust: 'configured',
  clientId: 'client',
  clientSecret: 'secret',
  authMethod: 'client_secret_basic',
  authorizationParameters: {},
  redirectUri: 'https://gw.example/upstream/callback/as',
}
const upstream = new URL('https://mcp.example/mcp')
const of = (
  change: Partial<UpstreamServer> = {},
  resource: string | undefined = upstream.href,
  url = upstream,
) => fingerprint({ ...server, ...change }, resource, url)

test('sec-H4: another issuer, token endpoint, client, resource or upstream is another link', () => {
  const { issuer: _, ...fixed } = server
  const withoutIssuer: UpstreamServer = { ...fixed, issuer: undefined }
  const all = [
    of(),
    of({ issuer: 'https://as.example/' }),
    of({ tokenEndpoint: 'https://as.example/token2' }),
    of({ clientId: 'other' }),
    of({}, 'https://mcp.example/other'),
    fingerprint(server, undefined, upstream),
    of({}, upstream.href, new URL('https://evil.example/mcp')),
    of({}, upstream.href, new URL('http://mcp.example/mcp')),
    of({}, upstream.href, new URL('https://mcp.example:8443/mcp')),
    fingerprint(withoutIssuer, upstream.href, upstream),
    fingerprint(
      { ...withoutIssuer, authorizationEndpoint: 'https://evil.example/authorize' },
      upstream.href,
      upstream,
    ),
  ]
  assert.is(new Set(all).size, all.length)
})

test('what sends the credential nowhere else signs nobody out', () => {
  const same = [
    of({ clientSecret: 'rotated' }),
    of({ clientSecret: undefined, authMethod: 'none' }),
    of({ authMethod: 'client_secret_post' }),
    of({ authorizationParameters: { prompt: 'consent' } }),
    of({ redirectUri: 'https://gw.example/upstream/callback' }),
    of({ authorizationEndpoint: 'https://as.example/authorize2' }),
    of({}, upstream.href, new URL('https://mcp.example/mcp?x=1')),
  ]
  for (const other of same) assert.is(other, of())
})

test('the parts cannot be shifted into each other', () => {
  assert.is.not(
    of({ tokenEndpoint: 'https://as.example/token', clientId: 'a","b' }),
    of({ clientId: 'a' }, 'b'),
  )
  assert.match(of(), /^[\w-]{43}$/)
})

test.run()
