// A gateway as a process of its own, started from the command line as people start it, on a folder that outlives it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { gatewayCommand } from '../support/command.ts'
import { USER } from '../support/gateway.ts'
import type { TestContext } from '../support/suite.ts'

export interface ServeOptions {
  /** Holds the configuration file and, below `state`, everything that is kept. */
  folder: string
  yaml: string
  env?: Record<string, string>
  /** Of the configuration file. Two gateways on one folder need two. */
  file?: string
  /** A command that runs the gateway, such as strace with its options. */
  under?: readonly string[]
}
export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
}
export interface Served {
  pid: number
  /** Every line it wrote to stderr: its log. */
  lines: readonly string[]
  /** The fields of the first line that begins so, written or to come. Rejects with the whole log if it ends without. */
  logged(start: string): Promise<Record<string, unknown>>
  ended: Promise<Ended>
  signal(signal: NodeJS.Signals): void
  stop(signal?: NodeJS.Signals): Promise<Ended>
}

/** Starts it; it may still refuse to run. */
export async function launch({ after }: TestContext, options: ServeOptions): Promise<Served> {
  const { folder, yaml, env = {}, file = 'gateways.yaml', under = [] } = options
  const path = join(folder, file)
  await writeFile(path, yaml)
  const [command = process.execPath, ...args] = [
    ...under,
    process.execPath,
    ...gatewayCommand,
    ...['serve', '--config', path],
  ]
  const child = spawn(command, args, {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { PATH: process.env.PATH, XDG_STATE_HOME: join(folder, 'state'), ...loginOf(yaml), ...env },
  })
  after(() => child.kill('SIGKILL'))
  return follow(child)
}

/** Starts it and waits until it answers. */
export async function serve(context: TestContext, options: ServeOptions): Promise<Served & { url: string }> {
  const served = await launch(context, options)
  const { url } = await served.logged('ready')
  return { ...served, url: String(url) }
}

export const loginOf = (yaml: string) =>
  yaml.includes('login:') ? {} : { MCP_GATEWAY_PASSWORD: USER.password }

function follow(child: ChildProcess): Served {
  const lines: string[] = []
  const waiting = new Set<() => void>()
  let over = false
  const changed = () => {
    for (const check of [...waiting]) check()
  }
  if (child.stderr === null) throw new Error('stderr is not a pipe')
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    changed()
  })
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    over = true
    changed()
    return { code, signal }
  })
  const logged = (start: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const check = () => {
        const line = lines.find((candidate) => candidate.includes(`"msg":"${start}`))
        if (line !== undefined) resolve(JSON.parse(line) as Record<string, unknown>)
        else if (over) reject(new Error(`it ended without "${start}":\n${lines.join('\n')}`))
        else return
        waiting.delete(check)
      }
      waiting.add(check)
      check()
    })
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    return ended
  }
  return { pid: child.pid ?? 0, lines, logged, ended, signal: (signal) => child.kill(signal), stop }
}
