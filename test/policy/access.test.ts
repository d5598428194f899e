// Who may use a route.
import * as assert from 'uvu/assert'
import type { AccessConfig } from '../../src/config/types.ts'
import { mayUse } from '../../src/policy/access.ts'
import { suite } from '../support/suite.ts'

const test = suite('policy/access')
const alice = { name: 'alice', groups: ['staff', 'admins'] }
const bob = { name: 'bob', groups: [] }

const decisions: [name: string, access: AccessConfig, alice: boolean, bob: boolean][] = [
  ['anyone', 'anyone', true, true],
  ['no lists at all', {}, true, true],
  ['a list of users', { users: ['alice'] }, true, false],
  ['a list of groups', { groups: ['admins'] }, true, false],
  ['either list admits', { users: ['bob'], groups: ['staff'] }, true, true],
  ['an empty list admits nobody', { users: [] }, false, false],
  ['an empty list of groups admits nobody', { groups: [] }, false, false],
  ['deny alone leaves the others', { deny: { users: ['bob'], groups: [] } }, true, false],
  [
    'deny wins over a list of users',
    { users: ['alice', 'bob'], deny: { users: ['alice'], groups: [] } },
    false,
    true,
  ],
  [
    'deny by group wins over a list of users',
    { users: ['alice', 'bob'], deny: { users: [], groups: ['staff'] } },
    false,
    true,
  ],
  ['an empty deny denies nobody', { deny: { users: [], groups: [] } }, true, true],
  ['names are case-sensitive', { users: ['Alice'] }, false, false],
  ['a group is no user', { users: ['admins'] }, false, false],
  ['a user is no group', { groups: ['alice'] }, false, false],
]

for (const [name, access, forAlice, forBob] of decisions) {
  test(name, () => {
    assert.is(mayUse(access, alice), forAlice, 'alice')
    assert.is(mayUse(access, bob), forBob, 'bob')
  })
}

test.run()
