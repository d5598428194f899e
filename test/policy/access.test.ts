// Who may use a route.
import * as assert from 'uvu/assert'
import type { AccessConfig } from '../../src/config/types.ts'
import { mayUse } from '../../src/policy/access.ts'
import type { Profile } from '../../src/slots.ts'
import { suite } from '../support/suite.ts'

const test = suite('policy/access')
const alice: Profile = {
  kind: 'person',
  name: 'alice',
  groups: ['staff', 'admins'],
  email: 'Alice@Example.com',
  claims: { department: 'engineering', level: 3, contractor: false, roles: ['writer', 'reader'], team: null },
}
const bob: Profile = { kind: 'person', name: 'bob', groups: [], claims: {} }
const machine: Profile = { kind: 'client', name: 'reports', groups: [], claims: {} }

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

const attributes: [name: string, lists: NonNullable<Exclude<AccessConfig, 'anyone'>>, forAlice: boolean][] = [
  ['an email domain, whatever the letter case', { email_domains: ['EXAMPLE.com'] }, true],
  ['no domain above it', { email_domains: ['com'] }, false],
  ['no domain that ends alike', { email_domains: ['ample.com'] }, false],
  ['no domain below it', { email_domains: ['mail.example.com'] }, false],
  ['no domain with the @', { email_domains: ['@example.com'] }, false],
  ['a claim with that value', { claims: { department: 'engineering' } }, true],
  ['a claim with one of the values', { claims: { department: ['sales', 'engineering'] } }, true],
  ['a claim with another value', { claims: { department: 'sales' } }, false],
  ['claims are case-sensitive', { claims: { department: 'Engineering' } }, false],
  ['one of several claims is enough', { claims: { department: 'sales', level: 3 } }, true],
  ['a number', { claims: { level: 3 } }, true],
  ['a number as a variable writes it', { claims: { level: '3' } }, true],
  ['false is a value', { claims: { contractor: false } }, true],
  ['true is another one', { claims: { contractor: true } }, false],
  ['one of a list of values', { claims: { roles: 'writer' } }, true],
  ['none of a list of values', { claims: { roles: 'owner' } }, false],
  ['null is no value', { claims: { team: 'null' } }, false],
  ['a claim nobody has', { claims: { missing: 'undefined' } }, false],
  ['what every object has is no claim', { claims: { constructor: 'Object' } }, false],
]

for (const [name, lists, isNamed] of attributes) {
  test(`admits, and denies, by attribute: ${name}`, () => {
    assert.is(mayUse(lists, alice), isNamed)
    assert.is(mayUse(lists, bob), false, 'of bob nothing is known')
    const deny = { users: [], groups: [], ...lists }
    assert.is(mayUse({ deny }, alice), !isNamed)
    assert.is(mayUse({ users: ['alice'], deny }, alice), !isNamed, 'deny wins')
    assert.is(mayUse({ deny }, bob), true)
  })
}

test('nobody is admitted by an address without an owner to speak of', () => {
  const at = (email: string) => mayUse({ email_domains: ['example.com'] }, { ...bob, email })
  assert.ok(at('bob@example.com'))
  assert.not.ok(at('bob@example.com.evil.test'))
  assert.not.ok(at('"@example.com"@evil.test'), 'what is behind the last @ counts')
  assert.not.ok(at('bob@example.com '))
  const deny = { users: [], groups: [], email_domains: ['evil.test'] }
  assert.not.ok(mayUse({ deny }, { ...bob, email: '"x@y"@evil.test' }), 'nobody gets round a deny by it')
})

test('machine clients have a list of their own, and no name is taken for another kind', () => {
  assert.is(mayUse('anyone', machine), true)
  assert.is(mayUse({ deny: { users: [], groups: ['staff'] } }, machine), true, 'deny alone leaves the others')
  assert.is(mayUse({ clients: ['reports'] }, machine), true)
  assert.is(mayUse({ users: ['reports'] }, machine), false, 'a client id is no user')
  assert.is(mayUse({ clients: ['alice'] }, alice), false, 'a user is no client')
  assert.is(mayUse({ users: ['alice'] }, machine), false, 'a list of people admits no machine')
  const deny = { users: [], groups: [], clients: ['reports'] }
  assert.is(mayUse({ deny }, machine), false)
  assert.is(mayUse({ clients: ['reports'], deny }, machine), false, 'deny wins')
  assert.is(mayUse({ deny: { users: ['reports'], groups: [] } }, machine), true, 'no user is meant')
})

const NOBODY = { users: [], groups: [] }
const told: Profile = {
  kind: 'person',
  name: 'oidc/https://idp.example#dora',
  groups: ['staff'],
  claims: { client_id: 'agent' },
  clientIds: ['agent', 'suite'],
  doubts: { emails: ['Dora@Example.com'], areGroupsUntold: true, untoldClaims: ['department'] },
}

const suspicions: [name: string, lists: NonNullable<Exclude<AccessConfig, 'anyone'>>][] = [
  ['groups, some of which were not told', { groups: ['contractors'] }],
  ['an address that nobody verified', { email_domains: ['example.com'] }],
  ['a claim that was not told', { claims: { department: 'sales' } }],
  ['the client that a person came with', { clients: ['agent'] }],
  ['another client that the token names', { clients: ['suite'] }],
]

for (const [name, lists] of suspicions)
  test(`what is open counts against people, never for them: ${name}`, () => {
    assert.is(mayUse(lists, told), false, 'admits nobody')
    assert.is(mayUse({ deny: { ...NOBODY, ...lists } }, told), false)
    assert.is(mayUse({ groups: ['staff'], deny: { ...NOBODY, ...lists } }, told), false, 'deny wins')
    const { doubts: _doubts, clientIds: _clientIds, ...proven } = told
    assert.is(mayUse({ deny: { ...NOBODY, ...lists } }, proven), true, 'without doubts nothing is denied')
  })

test('what is open is no matter where deny does not ask for it', () => {
  assert.is(mayUse({ groups: ['staff'] }, told), true)
  assert.is(mayUse({ deny: NOBODY }, told), true)
  const others = { email_domains: ['b.example'], claims: { tier: 1 }, clients: ['other'] }
  assert.is(mayUse({ deny: { ...NOBODY, ...others } }, told), true)
})

test("an issuer's client goes by its subject, and nobody gets in by the client_id that a token names", () => {
  const own: Profile = { ...told, kind: 'client' }
  assert.is(mayUse({ clients: [own.name] }, own), true)
  assert.is(mayUse({ clients: ['agent', 'suite'] }, own), false)
  assert.is(mayUse({ deny: { ...NOBODY, clients: ['suite'] } }, own), false)
})

test.run()
