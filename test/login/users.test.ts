// The logins as slots: who they make of a form, and whom they vouch for.
import * as assert from 'uvu/assert'
import { LoginRefused } from '../../src/errors.ts'
import { noneLogin } from '../../src/login/none.ts'
import { type Throttle, type User, usersLogin } from '../../src/login/users.ts'
import type { Subject } from '../../src/slots.ts'
import { suite } from '../support/suite.ts'

const test = suite('login/users')

function world() {
  const seen: string[] = []
  const throttle: Throttle = {
    check: (account) => {
      seen.push(`check ${account}`)
      if (account === 'waiting') throw new LoginRefused('wait', 429, 7)
    },
    failed: (account) => seen.push(`failed ${account}`),
    succeeded: (account) => seen.push(`succeeded ${account}`),
  }
  const user = (name: string, password: string, groups: string[] = []): User => ({
    profile: { kind: 'person', name, groups, claims: {} },
    checkPassword: async (given) => {
      seen.push('hash')
      return given === password
    },
  })
  const login = usersLogin({
    users: new Map([
      ['alice', user('alice', 'a', ['staff'])],
      ['waiting', user('waiting', 'w')],
    ]),
    sessionTtlMs: 1000,
    throttle,
    checkNobody: async () => {
      seen.push('hash')
      return false
    },
  })
  const submit = async (username?: string, password?: string): Promise<string> => {
    const form = new Map(
      Object.entries({
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
      }),
    )
    return login.submit(form).catch((error: unknown) => {
      if (error instanceof LoginRefused) return `${error.status} ${error.message}`
      throw error
    })
  }
  return { login, submit, seen }
}

const WRONG = '403 The user name or the password is wrong.'

test('the right name and password make the subject users/<name>', async () => {
  const { submit, seen } = world()
  assert.is(await submit('alice', 'a'), 'users/alice')
  assert.equal(seen, ['check alice', 'hash', 'succeeded alice'])
})

test('sec-L5: a wrong password and an unknown name cost the same work, words and counting', async () => {
  const { submit, seen } = world()
  assert.is(await submit('alice', 'x'), WRONG)
  assert.is(await submit('nobody', 'a'), WRONG)
  assert.equal(seen, ['check alice', 'hash', 'failed alice', 'check nobody', 'hash', 'failed nobody'])
})

test('missing fields and names that every object has are wrong, not errors', async () => {
  const { submit } = world()
  for (const [name, password] of [
    [undefined, undefined],
    ['alice', undefined],
    [undefined, 'a'],
    ['__proto__', 'a'],
    ['ALICE', 'a'],
    [' alice', 'a'],
  ]) {
    assert.is(await submit(name, password), WRONG, `${name}/${password}`)
  }
})

test('who has to wait is told so before any password is looked at', async () => {
  const { submit, seen } = world()
  assert.is(await submit('waiting', 'w'), '429 wait')
  assert.equal(seen, ['check waiting'])
})

test('it vouches for the users it has, with their groups, and for nobody else', () => {
  const { login } = world()
  assert.equal(login.profile('users/alice' as Subject), {
    kind: 'person',
    name: 'alice',
    groups: ['staff'],
    claims: {},
  })
  assert.is(login.profile('users/bob' as Subject), undefined)
  assert.is(login.profile('users/' as Subject), undefined)
  assert.is(login.profile('users/__proto__' as Subject), undefined)
  assert.ok(login.reusableNames.has('users/alice' as Subject), 'somebody else may be called alice later')
})

test('login none: every form is somebody new, with 128 bits of their own', async () => {
  const login = noneLogin()
  const subjects = await Promise.all(Array.from({ length: 100 }, () => login.submit(new Map())))
  assert.is(new Set(subjects).size, 100)
  for (const subject of subjects) assert.match(subject, /^none\/[\w-]{22}$/)
  assert.equal(login.prompt, { kind: 'anonymous' })
  assert.is(login.reusableNames.size, 0)
})

test.run()
