// A folder of one's own per test, gone when the test ends.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from '../support/suite.ts'

export async function temporaryFolder({ after }: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'store-'))
  after(() => rm(folder, { recursive: true }))
  return folder
}
