// Runs the command line as people do: a process of its own, with its exit code and both of its streams.
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { gatewayCommand } from '../support/command.ts'

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export async function runCli(
  args: readonly string[],
  { input = '', env = {}, cwd }: CliOptions = {},
): Promise<Outcome> {
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, [...gatewayCommand, ...args], { cwd, env: { PATH, ...env } })
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  child.stdin.end(input)
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed])
  return { code, stdout, stderr }
}
