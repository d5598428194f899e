// A gateway that is killed without notice and comes back on the same folder, the next process always at hand.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '../store/temporary.ts'
import { freePort, onPort } from '../support/ports.ts'
import type { TestContext } from '../support/suite.ts'
import { standby } from './standby.ts'

export interface Mortal {
  url: string
  /** SIGKILL now; resolves when the next one answers at the same address. */
  crash(): Promise<void>
}

export async function startMortal(
  context: TestContext,
  yaml: string,
  env: Record<string, string>,
): Promise<Mortal> {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'gateways.yaml')
  const port = await freePort()
  await writeFile(file, onPort(port, yaml))
  const another = () => standby(context, file, join(folder, 'state'), env)
  let running = another()
  await running.begin()
  let next = another()
  return {
    url: `http://localhost:${port}`,
    async crash() {
      await running.kill()
      running = next
      await running.begin()
      next = another()
    },
  }
}
