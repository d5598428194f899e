// Reads a file's text as git has it. Asks git without a shell and changes nothing.
import { execFile } from 'node:child_process'
import { basename, dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import { MAX_BYTES } from '../config/fault.ts'
import { UnreadableFile } from './config-file.ts'

const run = promisify(execFile)

export interface Revision {
  /** `HEAD`, `origin/main`, `v1.2`. */
  readonly revision: string
  /** In the repository when `file` stands alone, else relative to the working folder. */
  readonly path: string | undefined
}

/** Undefined when the revision is there and the file is not in it. Throws UnreadableFile. */
export async function textAt({ revision, path }: Revision, file: string): Promise<string | undefined> {
  const name = `${revision}:${path ?? file}`
  // It would be read as an option of git.
  if (revision.startsWith('-')) throw new UnreadableFile(name, 'no such revision')
  const folder = path === undefined ? dirname(resolve(file)) : process.cwd()
  const git = (...args: string[]) => run('git', args, { cwd: folder, maxBuffer: 2 * MAX_BYTES })
  await git('rev-parse', '--quiet', '--verify', `${revision}^{commit}`).catch((error: unknown) => {
    throw new UnreadableFile(name, whyNot(error))
  })
  // With a leading dot, git reads a path from its working folder on instead of from the top of the repository.
  const objects =
    path === undefined
      ? [`${revision}:./${basename(file)}`]
      : [`${revision}:${path}`, `${revision}:./${path}`]
  for (const object of objects) {
    const found = await git('cat-file', 'blob', object).catch(() => undefined)
    if (found !== undefined) return found.stdout
  }
  return undefined
}

function whyNot(error: unknown): string {
  const { code, stderr = '' } = error as { readonly code?: unknown; readonly stderr?: string }
  if (code === 'ENOENT') return 'git is not installed'
  return stderr.includes('not a git repository') ? 'this is no git repository' : 'no such revision'
}
