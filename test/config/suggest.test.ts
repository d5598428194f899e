import * as assert from 'uvu/assert'
import { closest } from '../../src/config/suggest.ts'
import { suite } from '../support/suite.ts'

const test = suite('config/suggest')
const NAMES = [
  'upstream',
  'auth',
  'access',
  'authorization_server',
  'client_id',
  'client_secret',
  'api_key',
  'in',
]

const meant: [word: string, name: string | undefined][] = [
  ['upsteam', 'upstream'],
  ['acess', 'access'],
  ['auht', 'auth'],
  ['authorizationServer', 'authorization_server'],
  ['client-id', 'client_id'],
  ['CLIENT_SECRET', 'client_secret'],
  ['api-key', 'api_key'],
  ['i', undefined],
  ['x', undefined],
  ['headers', undefined],
  ['', undefined],
]

for (const [word, name] of meant) {
  test(`"${word}" was meant to be ${name ?? 'nothing known'}`, () => {
    assert.is(closest(word, NAMES), name)
  })
}

test('the nearest of several wins', () => {
  assert.is(closest('gitlub', ['gitlab', 'github']), 'gitlab')
})

test.run()
