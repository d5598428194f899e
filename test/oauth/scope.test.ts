// Scopes as sets.
import * as assert from 'uvu/assert'
import {
  challenged,
  formatScope,
  implied,
  includesAll,
  missing,
  offered,
  parseScope,
  remembered,
  routeOfScopes,
  routeScope,
  union,
} from '../../src/oauth/scope.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/scope')

test('a scope is a set of names: order stays, doubles and stray spaces go', () => {
  assert.equal(parseScope('repo  read:user repo '), ['repo', 'read:user'])
  assert.equal(parseScope(''), [])
  assert.equal(parseScope(undefined), [])
  assert.is(formatScope(['repo', 'read:user']), 'repo read:user')
})

test('names outside RFC 6749 §3.3 are not scopes', () => {
  assert.equal(parseScope('a"b a\\b a\tb a\nb é ok a\u0000b'), ['ok'])
})

test('names are case-sensitive, and a prefix is another name', () => {
  assert.ok(includesAll(['repo', 'user'], ['user']))
  assert.ok(includesAll([], []))
  assert.not.ok(includesAll(['repo'], ['Repo']))
  assert.not.ok(includesAll(['repo:status'], ['repo']))
  assert.not.ok(includesAll(['repo'], ['repo', 'user']))
})

const HIERARCHY = { repo: ['public_repo', 'repo:status'], public_repo: ['read_public'], a: ['b'], b: ['a'] }

test('spec-R5: a broad scope includes the narrow ones, step by step and not the other way', () => {
  assert.equal(implied(['repo'], HIERARCHY), ['repo', 'public_repo', 'repo:status', 'read_public'])
  assert.equal(implied(['a'], HIERARCHY), ['a', 'b'], 'a circle ends')
  assert.ok(includesAll(['repo'], ['read_public', 'repo:status'], HIERARCHY))
  assert.not.ok(includesAll(['read_public'], ['public_repo'], HIERARCHY))
  assert.equal(missing(['public_repo'], ['read_public', 'repo', 'x'], HIERARCHY), ['repo', 'x'])
})

test('a scope that is called like a property of every object implies nothing', () => {
  const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty']
  assert.equal(implied(names, HIERARCHY), names)
  assert.equal(missing(names, ['x'], HIERARCHY), ['x'])
})

test('of what an upstream demands at most 50 scopes of 100 characters are remembered, the known ones first', () => {
  const many = Array.from({ length: 60 }, (_, index) => `scope-${index}`)
  assert.equal(remembered(['known'], many), ['known', ...many.slice(0, 49)])
  assert.equal(remembered([], ['x'.repeat(101), 'y'.repeat(100)]), ['y'.repeat(100)])
})

test('spec-A10: of what a client asks for it may have what is offered', () => {
  assert.equal(offered('openid gist claudeai repo', ['repo', 'gist']), ['gist', 'repo'])
  assert.equal(offered(undefined, ['repo']), [])
})

test('spec-D4: a challenge never names offline_access', () => {
  assert.equal(challenged(['mcp:a'], ['offline_access', 'repo'], ['mcp:a']), ['mcp:a', 'repo'])
})

test('a union holds each name once', () => {
  assert.equal(union(['a', 'b'], ['b', 'c'], []), ['a', 'b', 'c'])
})

test('mcp:<route> names a route if exactly one is named', () => {
  assert.is(routeScope('github'), 'mcp:github')
  assert.is(routeOfScopes(['openid', 'mcp:github']), 'github')
  assert.is(routeOfScopes(['mcp:github', 'mcp:linear']), undefined)
  assert.is(routeOfScopes(['github', 'xmcp:github']), undefined)
  assert.is(routeOfScopes([]), undefined)
})

test.run()
