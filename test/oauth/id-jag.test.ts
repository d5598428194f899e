// What a verified ID-JAG entitles to: every claim that binds it, and the scopes.
import * as assert from 'uvu/assert'
import { OAuthError } from '../../src/errors.ts'
import { checkIdJag, idJagScopes } from '../../src/oauth/id-jag.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/id-jag')
const T0 = 1_700_000_000_000
const RESOURCE = 'https://gw.example/github'

const good = {
  iat: T0 / 1000,
  client_id: 'agent',
  resource: RESOURCE,
  scope: 'mcp:github read',
}
const check = (
  claims: Record<string, unknown>,
  resource?: string,
  { lifeMs = 300_000, hasJti = true } = {},
) =>
  checkIdJag(
    { claims: { ...good, ...claims }, expiresAtMs: T0 + lifeMs, jti: hasJti ? 'one' : undefined },
    { clientId: 'agent', resource },
    T0,
  )
const codeOf = (work: () => unknown) => {
  try {
    work()
    return 'taken'
  } catch (error) {
    if (error instanceof OAuthError) return error.code
    throw error
  }
}

test('a good one says which server, which scope, and by what to know it again', () => {
  assert.equal(check({}), { jti: 'one', resource: RESOURCE, scope: 'mcp:github read' })
  assert.is(check({ scope: undefined }).scope, undefined)
  assert.is(check({}, `${RESOURCE}/`).resource, RESOURCE, 'a trailing slash in the request')
  assert.is(check({ resource: [RESOURCE] }).resource, RESOURCE)
  assert.is(check({ resource: ['https://gw.example/b', RESOURCE] }, RESOURCE).resource, RESOURCE)
})

test('what does not bind it to this request is invalid_grant', () => {
  const cases: Record<string, () => unknown> = {
    'no jti': () => check({}, undefined, { hasJti: false }),
    'no iat': () => check({ iat: undefined }),
    'a text as iat': () => check({ iat: '1700000000' }),
    'more than an hour to live': () => check({}, undefined, { lifeMs: 3_600_001 }),
    'no client_id': () => check({ client_id: undefined }),
    'another client_id': () => check({ client_id: 'agent2' }),
    'a list of client_ids': () => check({ client_id: ['agent'] }),
    'no resource': () => check({ resource: undefined }),
    'a number as resource': () => check({ resource: 1 }),
    'an empty list of resources': () => check({ resource: [] }),
    'several resources, and none is asked for': () => check({ resource: [RESOURCE, 'https://gw.example/b'] }),
    'another resource than is asked for': () => check({}, 'https://gw.example/b'),
    'a list as scope': () => check({ scope: ['mcp:github'] }),
  }
  for (const [name, work] of Object.entries(cases)) assert.is(codeOf(work), 'invalid_grant', name)
})

test('scopes: what was asked for, of what the assertion allows, of what the route has', () => {
  const route = {
    scopes: ['mcp:github', 'read'],
    optionalScopes: ['write', 'admin'],
    hierarchy: { all: ['read', 'write', 'mcp:github'] },
  }
  const granted = (asserted?: string, asked?: string) => idJagScopes(route, asserted, asked)
  assert.equal(granted(), ['mcp:github', 'read'], 'left to the gateway')
  assert.equal(granted(undefined, 'write other'), ['mcp:github', 'read', 'write'])
  assert.equal(
    granted('mcp:github read write'),
    ['mcp:github', 'read', 'write'],
    'nothing asked: all it allows',
  )
  assert.equal(granted('mcp:github read write', 'admin'), ['mcp:github', 'read'], 'admin is not allowed')
  assert.equal(granted('mcp:github read write admin', 'admin'), ['mcp:github', 'read', 'admin'])
  assert.equal(granted('all', 'write'), ['mcp:github', 'read', 'write'], 'a broad scope implies narrow ones')
  assert.is(
    codeOf(() => granted('mcp:github')),
    'invalid_grant',
    'less than every token must carry',
  )
  assert.is(
    codeOf(() => granted('')),
    'invalid_grant',
  )
})

test.run()
