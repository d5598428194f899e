// Folders and files that only this user may read: made so, checked so (sec-S8), and durable once made.
// Modes mean nothing on Windows, where the user's profile folder is private by its ACL: there nothing is checked.
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, stat, unlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

const GROUP_AND_OTHERS = 0o077
const WINDOWS = process.platform === 'win32'

/** Makes the folder and its parents, all 0700, and flushes the new names to disk. */
export async function makePrivateFolder(folder: string): Promise<void> {
  const path = resolve(folder)
  const firstMade = await mkdir(path, { recursive: true, mode: 0o700 })
  if (firstMade === undefined) return
  for (let made = path; made.length >= firstMade.length; made = dirname(made)) {
    await syncFolder(dirname(made))
  }
}

/** Refuses what the group or others may read, write or enter. The message holds the command that repairs it. */
export async function assertPrivate(path: string): Promise<void> {
  if (WINDOWS) return
  const found = await stat(path)
  if ((found.mode & GROUP_AND_OTHERS) === 0) return
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
  const wanted = found.isDirectory() ? '700' : '600'
  throw new Error(`${path} is open to other users (mode ${mode}): run \`chmod ${wanted} '${path}'\``)
}

/**
 * Writes a file that did not exist, 0600, whole or not at all, and durable. False when the path was taken: the file
 * is linked into place only when complete, so whoever loses a race reads the winner's whole text.
 */
export async function createPrivateFile(path: string, text: string): Promise<boolean> {
  await makePrivateFolder(dirname(path))
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
    await file.close()
    await link(draft, path)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await file.close()
    await unlink(draft)
  }
  await syncFolder(dirname(path))
  return true
}

/** An empty 0600 file, unless there is one already. For files that a library opens with a wider mode. */
export async function touchPrivateFile(path: string): Promise<void> {
  const file = await open(path, 'a', 0o600)
  await file.close()
  await syncFolder(dirname(path))
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** Why nothing can be kept at a path; undefined for what is not the file system's refusal. */
export function refusalInWords(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : undefined
}

const REFUSALS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EEXIST: 'it is a file',
  // Folders on the way are made: where that does not help, it is no place for files, such as /proc.
  ENOENT: 'nothing can be made there',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is a file',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
}

async function syncFolder(folder: string): Promise<void> {
  if (WINDOWS) return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
