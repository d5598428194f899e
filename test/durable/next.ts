// The next gateway on a folder, in this process: what the one before it has kept must be all that it needs.
import { join } from 'node:path'
import { startApp } from '../../src/app.ts'
import { type LogLine, recordingLog } from '../support/gateway.ts'
import type { TestContext } from '../support/suite.ts'
import { loginOf, type ServeOptions } from './process.ts'

export interface Next {
  url: string
  log: readonly LogLine[]
  close(): Promise<void>
}

/** Finds the state of a process only where the file says where it is: `store: { path: … }`. */
export async function startNext({ after }: TestContext, options: ServeOptions): Promise<Next> {
  const { folder, yaml, env = {} } = options
  const { log, lines } = recordingLog()
  const app = await startApp({
    source: { name: 'gateways.yaml', folder, text: yaml },
    env: { ...loginOf(yaml), ...env },
    stateFolder: join(folder, 'state'),
    log,
  })
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= app.close()
    return closed
  }
  after(close)
  return { url: app.publicUrl, log: lines, close }
}
