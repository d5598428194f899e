// Scopes as sets.
import * as assert from 'uvu/assert'
import {
  formatScope,
  includesAll,
  parseScope,
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
