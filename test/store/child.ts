// Runs one of the scripts in children/ as a process of its own and reads it line by line.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { TestContext } from '../support/suite.ts'

export interface Child {
  readonly lines: AsyncIterableIterator<string>
  write(text: string): void
  kill(): void
  /** The exit code, null when a signal ended it. */
  readonly ended: Promise<number | null>
}

export function scriptArguments(script: string, parameters: readonly string[]): string[] {
  const path = fileURLToPath(new URL(`children/${script}`, import.meta.url))
  return ['--import', 'tsx', path, ...parameters]
}

/** It ends with the test at the latest. */
export function runChild({ after }: TestContext, script: string, ...parameters: string[]): Child {
  const child = spawn(process.execPath, scriptArguments(script, parameters), {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  after(() => child.kill('SIGKILL'))
  return {
    // The iterator at once: a line that comes before there is one is lost.
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    write: (text) => child.stdin.write(text),
    kill: () => child.kill('SIGKILL'),
    ended: once(child, 'close').then(([code]) => code as number | null),
  }
}
