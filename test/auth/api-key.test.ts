// Auth types `api_key` and `none`: the same for whoever calls.
import * as assert from 'uvu/assert'
import { apiKey } from '../../src/auth/api-key.ts'
import { none } from '../../src/auth/none.ts'
import type { Caller, Subject } from '../../src/slots.ts'
import { suite } from '../support/suite.ts'

const test = suite('auth/api-key')
const caller = (subject: string): Caller => ({
  subject: subject as Subject,
  profile: { kind: 'person', name: subject, groups: [], claims: {} },
  clientId: 'dcr-1',
  grantId: 'g',
  tokenHash: 'h',
  route: 'search',
  scopes: [],
})

test('a header is sent as configured, its name in lower case, whoever calls', async () => {
  const { attach, link } = apiKey({ type: 'api_key', in: 'header', name: 'X-Api-Key', value: 'Key s3cret' })
  for (const subject of ['users/ann', 'users/bob']) {
    assert.equal(await attach(caller(subject)), { headers: { 'x-api-key': 'Key s3cret' } })
  }
  assert.is(link, undefined, 'nobody connects an account')
})

test('a query parameter is sent as configured, and no header with it', async () => {
  const { attach } = apiKey({ type: 'api_key', in: 'query', name: 'apiKey', value: 'a&b=c d' })
  assert.equal(await attach(caller('users/ann')), { headers: {}, query: { apiKey: 'a&b=c d' } })
})

test('none adds nothing and asks nobody', async () => {
  const { attach, link } = none()
  assert.equal(await attach(caller('users/ann')), { headers: {} })
  assert.is(link, undefined)
})

test.run()
