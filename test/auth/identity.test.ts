// What upstreams are told about the caller: as text that no reader takes for two, or for somebody else's.
import { decodeJwt } from 'jose'
import * as assert from 'uvu/assert'
import { buildIdentity, headerText } from '../../src/auth/identity.ts'
import type { Caller, Profile, Subject } from '../../src/slots.ts'
import { randomKeyring } from '../../src/store/keyring.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { createSealer } from '../../src/store/seal.ts'
import { createSigningKeys } from '../../src/store/signing-keys.ts'
import { suite } from '../support/suite.ts'

const test = suite('auth/identity')

const callerOf = (profile: Partial<Profile> = {}, clientId: string | undefined = 'dcr-1'): Caller => ({
  subject: 'users/ann' as Subject,
  profile: { kind: 'person', name: 'ann', groups: [], claims: {}, ...profile },
  clientId,
  grantId: 'g',
  tokenHash: 'h',
  route: 'search',
  scopes: [],
})
const context = () => ({
  issuer: 'https://gw.example',
  upstream: new URL('https://mcp.example/mcp'),
  signingKeys: createSigningKeys(memoryStore(Date.now), createSealer(randomKeyring()), Date.now),
  now: Date.now,
})

test('ordinary values go out as they are', () => {
  for (const plain of [
    'users/ann',
    'ann@example.com',
    'oidc/https://idp.example#a-b_c',
    'Ann Example',
    'a;b="c"',
  ])
    assert.is(headerText(plain), plain)
})

test('what could end a header, split a list or be trimmed away is percent-encoded, and can be undone', () => {
  const expected: Record<string, string> = {
    'a\r\nX-Admin: 1': 'a%0D%0AX-Admin: 1',
    Jürgen: 'J%C3%BCrgen',
    客户: '%E5%AE%A2%E6%88%B7',
    'a,b': 'a%2Cb',
    '100%': '100%25',
    '%0D%0A': '%250D%250A',
    ' admins': '%20admins',
    'admins  ': 'admins%20%20',
    'a\u0000b\u007f': 'a%00b%7F',
    '\u2028': '%E2%80%A8',
  }
  for (const [value, text] of Object.entries(expected)) {
    assert.is(headerText(value), text, JSON.stringify(value))
    assert.is(decodeURIComponent(text), value)
  }
})

test('each header holds what it is for; one without a value is left out, and is still ours', async () => {
  const identity = buildIdentity(
    {
      headers: {
        'X-User': 'subject',
        'X-Name': 'name',
        'X-Email': 'email',
        'X-Groups': 'groups',
        'X-Client': 'client_id',
      },
    },
    context(),
  )
  assert.equal(await identity.headers(callerOf({ groups: ['a', 'b,c'], email: 'ann@example.com' })), {
    'x-user': 'users/ann',
    'x-name': 'ann',
    'x-email': 'ann@example.com',
    'x-groups': 'a,b%2Cc',
    'x-client': 'dcr-1',
  })
  const bare = { ...callerOf(), clientId: undefined }
  assert.equal(await identity.headers(bare), { 'x-user': 'users/ann', 'x-name': 'ann' })
  assert.equal([...identity.headerNames], ['x-user', 'x-name', 'x-email', 'x-groups', 'x-client'])
})

test('a machine client has no name: its id may be that of a person', async () => {
  const identity = buildIdentity(
    {
      headers: { X_User: 'name', 'X-Client': 'client_id' },
      assertion: { header: 'X-Gateway-Identity', ttl_ms: 60_000 },
    },
    context(),
  )
  const machine = { ...callerOf({ kind: 'client' }, 'ann'), subject: 'clients/ann' as Subject }
  const { 'x-gateway-identity': jwt = '', ...plain } = await identity.headers(machine)
  assert.equal(plain, { 'x-client': 'ann' })
  const { sub, client_id, ...rest } = decodeJwt(jwt)
  assert.equal([sub, client_id, 'name' in rest], ['clients/ann', 'ann', false])
  assert.is((await identity.headers(callerOf())).x_user, 'ann')
  assert.equal([...identity.headerNames], ['x-user', 'x-client', 'x-gateway-identity'], 'as they are folded')
})

test('assertions for two upstreams on one origin are not good for each other', async () => {
  const audienceAt = async (upstream: string) => {
    const at = { ...context(), upstream: new URL(upstream) }
    const identity = buildIdentity({ assertion: { header: 'X-Who', ttl_ms: 60_000 } }, at)
    return decodeJwt((await identity.headers(callerOf()))['x-who'] ?? '').aud
  }
  assert.is(await audienceAt('https://mcp.example/a/mcp?key=secret'), 'https://mcp.example/a/mcp')
  assert.is(await audienceAt('https://mcp.example/b/mcp'), 'https://mcp.example/b/mcp')
})

test('the assertion names the caller, the upstream and the gateway, once each, and not for long', async () => {
  const identity = buildIdentity({ assertion: { header: 'X-Gateway-Identity', ttl_ms: 60_000 } }, context())
  const claims = async (caller: Caller) => {
    const jwt = (await identity.headers(caller))['x-gateway-identity'] ?? ''
    return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())
  }
  const { exp, iat, jti, ...rest } = await claims(callerOf({ groups: ['a'], email: 'ann@example.com' }))
  assert.equal(rest, {
    iss: 'https://gw.example',
    sub: 'users/ann',
    aud: 'https://mcp.example/mcp',
    client_id: 'dcr-1',
    route: 'search',
    name: 'ann',
    groups: ['a'],
    email: 'ann@example.com',
  })
  assert.is(exp - iat, 60)
  assert.is.not((await claims(callerOf())).jti, jti)
  assert.not.ok('email' in (await claims(callerOf())))
})

test('an assertion is good for a second at least: its times are whole seconds', async () => {
  const identity = buildIdentity({ assertion: { header: 'X-Who', ttl_ms: 500 } }, context())
  const { exp = 0, iat = 0 } = decodeJwt((await identity.headers(callerOf()))['x-who'] ?? '')
  assert.is(exp - iat, 1)
})

test.run()
