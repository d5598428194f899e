// Acknowledged means durable (design §6.6): what an answer promises was flushed to the disk before its first byte left.
// A power cut can't be had in a test, so the order of system calls stands for it.
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Client, postForm, tokensOf } from '../security/client.ts'
import { temporaryFolder } from '../store/temporary.ts'
import { Browser } from '../support/browser.ts'
import { USER } from '../support/gateway.ts'
import { startGithub } from '../support/github.ts'
import { signIn } from '../support/person.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { document, githubEnv, githubRoute } from '../support/yaml.ts'
import { serve } from './process.ts'
import { type Call, during, isFlushed, readCalls, straceInto } from './system-calls.ts'

const test = suite('durable/order')

/** Containers may have strace and forbid its use. */
function canTrace(): boolean {
  try {
    execFileSync('strace', ['-D', '-o', '/dev/null', process.execPath, '--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** One whole life of a grant, traced. */
async function traceOneLife(context: TestContext): Promise<Call[]> {
  const github = await startGithub()
  context.after(() => github.close())
  const folder = await temporaryFolder(context)
  // Not in the configuration's folder: the gateway watches that, and would be woken by every line of its own trace.
  const trace = join(await temporaryFolder(context), 'trace')
  const gateway = await serve(context, {
    folder,
    yaml: document(githubRoute('github', github)),
    env: githubEnv(github),
    under: straceInto(trace),
  })
  const client = await Client.register(gateway.url)
  const trip = client.trip()
  const { callback } = await signIn(new Browser({ stopAt: ['https://'] }), trip.url, USER)
  const first = tokensOf(await client.redeem(callback.searchParams.get('code') ?? '', trip.verifier))
  const second = tokensOf(await client.refresh(first.refresh))
  const revoked = await postForm(`${gateway.url}/revoke`, { token: second.refresh, client_id: client.id })
  assert.is(revoked.status, 200)
  assert.is((await gateway.stop()).code, 0)
  return readCalls(await readFile(trace, 'utf8'))
}

test.skipUnless(canTrace(), 'strace cannot be used')(
  'a code, a redeemed code, a rotation and a revocation are on the disk before they are answered',
  async (context) => {
    const calls = await traceOneLife(context)
    const promises: [label: string, target: string, nth: number, status: number][] = [
      ['the transaction at the upstream', 'POST /login', 1, 303],
      ['the code', 'GET /upstream/callback/github', 1, 303],
      ['the spent code and the first pair', 'POST /token', 1, 200],
      ['the rotation', 'POST /token', 2, 200],
      ['the revocation', 'POST /revoke', 1, 200],
    ]
    for (const [label, target, nth, status] of promises) {
      const { status: answered, between } = during(calls, target, nth)
      assert.is(answered, status, label)
      assert.ok(
        between.some(({ kind }) => kind === 'write'),
        `${label} was written`,
      )
      assert.ok(isFlushed(between), `${label} was flushed: ${JSON.stringify(between)}`)
    }
    assert.equal(during(calls, 'POST /register').between, [], 'what promises nothing waits for no disk')
  },
)

test('a trace in which a flush comes after the answer is told from one in which it comes before', () => {
  const open = '7 openat(AT_FDCWD, "/s/data.mdb", O_RDWR|O_CREAT, 0664) = 19</s/data.mdb>'
  const request = '7 read(28<socket:[1]>, "POST /token HTTP/1.1\\r\\nhost"..., 65536) = 9'
  const write = '8 pwrite64(19</s/data.mdb>, "..."..., 4096, 0) = 4096'
  const flush = '8 fdatasync(19</s/data.mdb>) = 0'
  const answer = '7 writev(28<socket:[1]>, [{iov_base="HTTP/1.1 200 OK\\r\\n"...}], 1) = 9'
  const judge = (...lines: string[]) => isFlushed(during(readCalls(lines.join('\n')), 'POST /token').between)
  const [begun, ended] = ['8 fdatasync(19</s/data.mdb> <unfinished ...>', '8 <... fdatasync resumed>) = 0']
  assert.is(judge(open, request, write, flush, answer), true)
  assert.is(judge(open, request, write, begun, ended, answer), true)
  assert.is(judge(open, request, write, answer, flush), false)
  assert.is(judge(open, request, write, begun, answer, ended), false)
  assert.is(judge(open, request, flush, write, answer), false)
  assert.is(judge(open, request, write, flush.replace('= 0', '= -1 EIO'), answer), false)
  assert.is(judge(open.replace('O_RDWR', 'O_WRONLY|O_DSYNC'), request, write, answer), true)
})

test.run()
