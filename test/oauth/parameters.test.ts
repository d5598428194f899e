// Form parameters: what counts as given, as absent and as an attack.
import * as assert from 'uvu/assert'
import { OAuthError } from '../../src/errors.ts'
import {
  MAX_PARAMETER_LENGTH,
  parseParameters,
  required,
  SEVERAL_RESOURCES,
} from '../../src/oauth/parameters.ts'
import { suite } from '../support/suite.ts'

const test = suite('oauth/parameters')

const refusal = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof OAuthError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'accepted'
}

test('values are decoded as application/x-www-form-urlencoded: plus, percent, UTF-8', () => {
  const parameters = parseParameters('state=a+b%2Bc%26d&name=%E2%82%AC&empty=&scope=x%20y')
  assert.is(parameters.get('state'), 'a b+c&d')
  assert.is(parameters.get('name'), '€')
  assert.is(parameters.get('scope'), 'x y')
})

test('a parameter without a value counts as absent (RFC 6749 §3.1)', () => {
  const parameters = parseParameters('state=&scope&code=x')
  assert.not.ok(parameters.has('state'))
  assert.not.ok(parameters.has('scope'))
  assert.is(
    refusal(() => required(parameters, 'state')),
    'invalid_request: parameter "state" is missing',
  )
  assert.is(required(parameters, 'code'), 'x')
})

test('a repeated parameter is refused, whatever its values', () => {
  const repeated = {
    'twice with other values': 'client_id=a&client_id=b',
    'twice with the same value': 'client_id=a&client_id=a',
    'once empty': 'client_id=&client_id=a',
    'once empty, the other way round': 'client_id=a&client_id=',
    'both empty': 'client_id=&client_id=',
    'percent-encoded name': 'client_id=a&client%5Fid=b',
    'with others in between': 'client_id=a&state=s&client_id=b',
  }
  for (const [name, text] of Object.entries(repeated)) {
    assert.match(
      refusal(() => parseParameters(text)),
      /^invalid_request: .*more than once/,
      name,
    )
  }
})

test('one resource may be repeated, two different ones match no route (RFC 8707 §2)', () => {
  assert.is(parseParameters('resource=https://a/x&resource=https://a/x').get('resource'), 'https://a/x')
  assert.is(parseParameters('resource=https://a/x&resource=https://a/y').get('resource'), SEVERAL_RESOURCES)
  assert.is(
    parseParameters('resource=a&resource=b&resource=a').get('resource'),
    SEVERAL_RESOURCES,
    'the first one coming again does not win it back',
  )
})

test('a value may be as long as the limit and not one character longer', () => {
  const longest = 's'.repeat(MAX_PARAMETER_LENGTH)
  assert.is(parseParameters(`state=${longest}`).get('state'), longest)
  assert.match(
    refusal(() => parseParameters(`state=${longest}s`)),
    /"state" is too long/,
  )
})

test('names that objects inherit are ordinary names', () => {
  const parameters = parseParameters('__proto__=a&constructor=b')
  assert.is(parameters.get('__proto__'), 'a')
  assert.is(parameters.get('constructor'), 'b')
  assert.is(parameters.get('toString'), undefined)
})

test('the name in an error is cut and stripped: it comes from whoever asked', () => {
  const name = '<script>"\r\n'.repeat(20)
  const text = new URLSearchParams([
    [name, '1'],
    [name, '2'],
  ])
  assert.match(
    refusal(() => parseParameters(text.toString())),
    /^[\w:"?. ]{1,100}$/,
  )
})

test.run()
