// The one user of a gateway whose configuration names none.
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { asUsers, initialUser } from '../../src/login/initial-user.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('login/initial-user')

async function passwordFile({ after }: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'initial-user-'))
  after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'state'), { mode: 0o700 })
  return join(folder, 'state', 'password')
}

test('the environment decides, and nothing is written', async (context) => {
  const file = await passwordFile(context)
  const env = { MCP_GATEWAY_USERNAME: 'ann', MCP_GATEWAY_PASSWORD: 'from the environment' }
  assert.equal(await initialUser(env, file), {
    name: 'ann',
    password: 'from the environment',
    file: undefined,
  })
  assert.is((await initialUser({ MCP_GATEWAY_PASSWORD: 'x' }, file)).name, 'gateway_user')
  assert.is(await stat(file).catch(() => undefined), undefined)
})

test('sec-L13: without one a password is made once, kept for its owner alone, and found again', async (context) => {
  const file = await passwordFile(context)
  const first = await initialUser({}, file)
  assert.equal([first.name, first.file], ['gateway_user', file])
  assert.match(first.password, /^[a-z2-9]{6}(-[a-z2-9]{6}){3}$/)
  assert.is((await stat(file)).mode & 0o777, 0o600)
  assert.is((await readFile(file, 'utf8')).trim(), first.password)
  assert.is((await initialUser({}, file)).password, first.password)
})

test('an empty variable is no password', async (context) => {
  const file = await passwordFile(context)
  const { password, name } = await initialUser({ MCP_GATEWAY_PASSWORD: '', MCP_GATEWAY_USERNAME: '' }, file)
  assert.ok(password.length > 20)
  assert.is(name, 'gateway_user')
})

test('two gateways that start at once end with the same password', async (context) => {
  const file = await passwordFile(context)
  const users = await Promise.all([1, 2, 3, 4].map(() => initialUser({}, file)))
  assert.is(new Set(users.map(({ password }) => password)).size, 1)
})

test('sec-L13: no two passwords are alike, and none is shorter than it should be', async (context) => {
  const files = await Promise.all(Array.from({ length: 30 }, () => passwordFile(context)))
  const users = await Promise.all(files.map((file) => initialUser({}, file)))
  assert.is(new Set(users.map(({ password }) => password)).size, 30)
  for (const { password } of users) assert.is(password.length, 27)
})

test('sec-L13: a password that others may read is refused', async (context) => {
  const file = await passwordFile(context)
  await writeFile(file, 'known\n', { mode: 0o644 })
  const error = await initialUser({}, file).catch((failure: unknown) => failure)
  assert.instance(error, Error)
  assert.not.match(String(error), 'known')
})

test('as a user: that password fits and no other', async () => {
  const users = asUsers({ name: 'gateway_user', password: 'right', file: undefined })
  const user = users.get('gateway_user')
  assert.is(await user?.checkPassword('right'), true)
  for (const wrong of ['', 'Right', 'right ', 'rightright'])
    assert.is(await user?.checkPassword(wrong), false, wrong)
  assert.is(users.size, 1)
  const accented = asUsers({ name: 'ann', password: 'pa\u0308ss', file: undefined }).get('ann')
  assert.is(await accented?.checkPassword('p\u00e4ss'), true, 'however the keyboard composed it')
})

test.run()
