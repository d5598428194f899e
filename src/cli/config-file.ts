// Which file is meant, and its text. `-` is standard input.
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { FILE_ERRORS, fileErrorCode } from '../config/file-error.ts'
import type { Environment } from '../environment.ts'

export const DEFAULT_FILE = 'gateways.yaml'

/** The configuration file cannot be read. */
export class UnreadableFile extends Error {
  constructor(file: string, reason: string) {
    super(`cannot read ${file}: ${reason}`)
    this.name = 'UnreadableFile'
  }
}

export interface ConfigText {
  /** As it is shown in messages. */
  readonly file: string
  readonly text: string
  /** Where relative paths in it start. */
  readonly folder: string
}

export function configFile(given: string | undefined, env: Environment): string {
  return given ?? (env.MCP_GATEWAY_CONFIG || DEFAULT_FILE)
}

export async function readConfigText(file: string): Promise<ConfigText> {
  try {
    if (file === '-') return { file: '(stdin)', text: await text(process.stdin), folder: process.cwd() }
    return { file, text: await readFile(file, 'utf8'), folder: dirname(resolve(file)) }
  } catch (error) {
    throw unreadable(file, error)
  }
}

export function unreadable(file: string, error: unknown): UnreadableFile {
  const code = fileErrorCode(error)
  const reason = FILE_ERRORS[code] ?? code
  // Nobody named it: who runs this for the first time has to be told what it looks for.
  return new UnreadableFile(
    file,
    code === 'ENOENT' && file === DEFAULT_FILE ? `${reason}. ${FIRST_RUN}` : reason,
  )
}

const FIRST_RUN = 'Write one with `mcp-oauth-gateway init`, or name another with --config.'

/** What to say when a file that a command makes cannot be written. */
export function unwritable(file: string, error: unknown): string {
  const code = fileErrorCode(error)
  const reasons = { ...FILE_ERRORS, ENOENT: 'no such folder', EROFS: 'the file system is read-only' }
  return `cannot write ${file}: ${reasons[code as keyof typeof reasons] ?? code}`
}
