// Which strings name the same resource, and what the token endpoint makes of another one.
import * as assert from 'uvu/assert'
import { OAuthError } from '../../src/errors.ts'
import { SEVERAL_RESOURCES } from '../../src/oauth/parameters.ts'
import { canonicalResource, checkSameResource, sameResource } from '../../src/oauth/resource.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/resource')
const ISSUER = 'https://gw.example'
const ROUTE = `${ISSUER}/github`

test('spec-D3, spec-A9: what clients do to a URL does not make it another resource: trailing slash, case of scheme and host, port', () => {
  for (const written of [ROUTE, `${ROUTE}/`, 'HTTPS://GW.example/github', 'https://gw.example:443/github']) {
    assert.ok(sameResource(written, ROUTE), written)
  }
  assert.ok(sameResource(ISSUER, `${ISSUER}/`))
})

test('everything else does', () => {
  const others = [
    `${ROUTE}//`,
    `${ISSUER}/GitHub`,
    `${ISSUER}/github2`,
    `${ISSUER}/github/mcp`,
    `${ISSUER}/`,
    `${ROUTE}?a=b`,
    `${ROUTE}/?`,
    'http://gw.example/github',
    'https://gw.example:8443/github',
    'https://gw.example.evil.example/github',
    'https://gw.example./github',
    'https://evil.example/github',
  ]
  for (const other of others) assert.not.ok(sameResource(other, ROUTE), other)
})

test('a slash at the end of a query is part of it', () => {
  assert.not.ok(sameResource(`${ROUTE}?a=/`, `${ROUTE}?a=`))
})

test('no resource at all: fragments, user information, other schemes, relative references', () => {
  const refused = [
    `${ROUTE}#`,
    `${ROUTE}#x`,
    'https://user@gw.example/github',
    'https://:pw@gw.example/github',
    'ftp://gw.example/github',
    'urn:example:github',
    '/github',
    'github',
    '',
    SEVERAL_RESOURCES,
  ]
  for (const written of refused) {
    assert.is(canonicalResource(written), undefined, written)
    assert.not.ok(sameResource(written, written), `${written} is not even the same as itself`)
  }
})

test('the token endpoint takes the resource of the grant, the bare issuer or none, and nothing else', () => {
  for (const asked of [undefined, ROUTE, `${ROUTE}/`, ISSUER, `${ISSUER}/`]) {
    checkSameResource(ROUTE, asked, ISSUER)
  }
  for (const asked of [`${ISSUER}/linear`, SEVERAL_RESOURCES, 'https://evil.example', 'x']) {
    assert.throws(
      () => checkSameResource(ROUTE, asked, ISSUER),
      (error: unknown) => error instanceof OAuthError && error.code === 'invalid_target',
      asked,
    )
  }
})

test.run()
