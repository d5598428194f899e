// The other end of standby-gateway.ts.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { TestContext } from '../support/suite.ts'

export interface Standby {
  /** Resolves when it answers. */
  begin(): Promise<void>
  /** Moves its clock. */
  forward(ms: number): Promise<void>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

const script = fileURLToPath(new URL('standby-gateway.ts', import.meta.url))

/** A process that is ready to become a gateway. It ends with the test at the latest. */
export function standby(
  { after }: TestContext,
  file: string,
  stateFolder: string,
  env: Record<string, string>,
): Standby {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), script, file, stateFolder], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, ...env },
  })
  after(() => child.kill('SIGKILL'))
  // The iterator at once: a line that comes before there is one is lost.
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const order = async (command: string) => {
    child.stdin.write(`${command}\n`)
    const { value } = await lines.next()
    const done = `done ${command.split(' ')[0]}`
    if (value !== done) throw new Error(`the gateway did not say ${done} but ended`)
  }
  return {
    begin: () => order('begin'),
    forward: (ms) => order(`forward ${ms}`),
    async kill() {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}
