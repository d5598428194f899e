// A gateway that is killed without notice and comes back on the same folder, the next process always at hand.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../store/temporary.ts'
import type { TestContext } from '../support/suite.ts'
import { freePort, onPort } from './process.ts'

export interface Mortal {
  url: string
  /** SIGKILL now; resolves when the next one answers at the same address. */
  crash(): Promise<void>
}

const script = fileURLToPath(new URL('standby-gateway.ts', import.meta.url))

export async function startMortal(
  context: TestContext,
  yaml: string,
  env: Record<string, string>,
): Promise<Mortal> {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'gateways.yaml')
  const port = await freePort()
  await writeFile(file, onPort(port, yaml))

  const standby = (): ChildProcess => {
    const args = ['--import', import.meta.resolve('tsx'), script, file, join(folder, 'state')]
    const child = spawn(process.execPath, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH, ...env },
    })
    context.after(() => child.kill('SIGKILL'))
    return child
  }
  const begin = async (child: ChildProcess): Promise<ChildProcess> => {
    child.stdin?.write('begin\n')
    const [ready] = await Promise.race([once(child.stdout ?? child, 'data'), once(child, 'exit')])
    if (!String(ready).startsWith('READY')) throw new Error(`the gateway does not come back: ${ready}`)
    return child
  }

  let next = standby()
  let running = await begin(next)
  next = standby()
  return {
    url: `http://localhost:${port}`,
    async crash() {
      const gone = once(running, 'exit')
      running.kill('SIGKILL')
      await gone
      running = await begin(next)
      next = standby()
    },
  }
}
