// Which file is meant, and its text. `-` is standard input.
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { text } from 'node:stream/consumers'

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

export function configFile(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
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
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
  return new UnreadableFile(file, REASONS[code] ?? code)
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
}
