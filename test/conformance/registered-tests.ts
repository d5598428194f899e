// The names of all tests of this project as they are registered, those of `test/long` among them.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { AddedTest } from '../support/suite.ts'

export interface RegisteredTest extends AddedTest {
  /** Below `test/`. */
  readonly file: string
}

const lister = fileURLToPath(new URL('list-tests.ts', import.meta.url))

/** Takes seconds: every test file is imported, in a process of its own, so that none of them runs here. */
export async function registeredTests(): Promise<RegisteredTest[]> {
  const child = fork(lister, {
    env: { ...process.env, LIST_TESTS: '1' },
    execArgv: ['--import', import.meta.resolve('tsx')],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let complaint = ''
  child.stderr?.on('data', (chunk) => {
    complaint += chunk
  })
  const failed = once(child, 'close').then(() => {
    throw new Error(`the test files cannot be listed: ${complaint}`)
  })
  const [found] = (await Promise.race([once(child, 'message'), failed])) as [RegisteredTest[]]
  await failed.catch(() => undefined)
  return found
}
