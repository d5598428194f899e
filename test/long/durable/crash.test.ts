// `kill -9` in the middle of everything, a hundred times.
import * as assert from 'uvu/assert'
import { startMortal } from '../../durable/mortal.ts'
import { assertInvalidGrant, assertOver, Walk } from '../../durable/walk.ts'
import { PASSWORD_HASHES, VICTIM } from '../../security/world.ts'
import { startGithub } from '../../support/github.ts'
import { suite } from '../../support/suite.ts'
import { document, githubEnv, githubRoute } from '../../support/yaml.ts'
import { crashWalk, login } from './crash-walk.ts'

const test = suite('long/durable/crash')

test(
  'after a kill at any of a hundred points what was acknowledged is there, nothing works twice, and all goes on',
  (context) => crashWalk(context, 100),
  { timeoutMs: 8 * 60_000 },
)

test('a code that was redeemed before the crash is a replay after it, and ends what it had brought', async (context) => {
  const github = await startGithub()
  context.after(() => github.close())
  const yaml = document(githubRoute('github', github)) + login(['user-0'])
  const gateway = await startMortal(context, yaml, { ...githubEnv(github), ...PASSWORD_HASHES })
  const world = { gateway, github, usualMs: new Map() }
  const left = await new Walk(world, { username: 'user-0', password: VICTIM.password }).run(true)
  await gateway.crash()
  assertInvalidGrant(await left.client.redeem(left.code, left.verifier))
  await assertOver(gateway.url, left)
  assert.is(github.recorder.count('POST /login/oauth/access_token'), 1)
})

test.run()
