// A gateway in this process, on a YAML text of the test's own, with an embedded store in a folder of its own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, startApp } from '../../src/app.ts'
import type { LogDetail } from '../../src/errors.ts'
import type { Log } from '../../src/ops/log.ts'
import { type Follower, followFile } from '../../src/reload/follow.ts'

export interface LogLine {
  readonly level: keyof Log
  readonly event: string
  readonly fields: LogDetail
}

export interface TestGateway {
  readonly app: App
  readonly follower: Follower
  readonly url: string
  readonly folder: string
  readonly file: string
  readonly log: readonly LogLine[]
  /** Writes the file as an editor would; with `watch` the gateway notices by itself. */
  write(yaml: string): Promise<void>
  /** Resolves with the nth log line of this event (counted from 1), past or to come. */
  logged(event: string, nth?: number): Promise<LogLine>
  close(): Promise<void>
}

export interface GatewayOptions {
  readonly yaml: string
  readonly env?: Readonly<Record<string, string>>
  readonly watch?: boolean
  readonly now?: () => number
  /** Puts further files beside the configuration. */
  readonly prepare?: (folder: string) => Promise<unknown>
}

/** The user of every test gateway that names no login. */
export const USER = { username: 'gateway_user', password: 'correct horse' } as const

export async function startGateway({
  yaml,
  env = {},
  watch = false,
  now,
  prepare,
}: GatewayOptions): Promise<TestGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-test-'))
  const file = join(folder, 'gateways.yaml')
  await writeFile(file, yaml)
  await prepare?.(folder)
  const recorded = recordingLog()
  const app = await startApp({
    source: { name: 'gateways.yaml', folder, text: yaml },
    env: { ...(yaml.includes('login:') ? {} : { MCP_GATEWAY_PASSWORD: USER.password }), ...env },
    stateFolder: join(folder, 'state'),
    log: recorded.log,
    ...(now && { now }),
  })
  const follower = followFile({ file, app, log: recorded.log, watch })
  return {
    app,
    follower,
    url: app.publicUrl,
    folder,
    file,
    log: recorded.lines,
    write: (text) => writeFile(file, text),
    logged: recorded.logged,
    async close() {
      await follower.close()
      await app.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export function recordingLog() {
  const lines: LogLine[] = []
  const waiting = new Set<() => void>()
  const write =
    (level: keyof Log) =>
    (event: string, fields: LogDetail = {}) => {
      lines.push({ level, event, fields })
      for (const check of [...waiting]) check()
    }
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  const logged = (event: string, nth = 1) =>
    new Promise<LogLine>((resolve) => {
      const check = () => {
        const line = lines.filter((candidate) => candidate.event === event)[nth - 1]
        if (line === undefined) return
        waiting.delete(check)
        resolve(line)
      }
      waiting.add(check)
      check()
    })
  return { log, lines, logged }
}
