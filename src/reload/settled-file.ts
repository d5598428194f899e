// Reads a file that others may be writing to, and tells why it cannot be read or why edits of it cannot arrive.
import { readFile, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../message-of.ts'
import { identity } from '../watch.ts'

export type Reading =
  | { readonly state: 'read'; readonly text: string; readonly detached: boolean }
  | { readonly state: 'missing' | 'unreadable'; readonly reason: string }

const TRIES = 20
const RETRY_MS = 50

export async function readSettled(file: string): Promise<Reading> {
  try {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const before = await identity(file)
      const text = await readFile(file, 'utf8')
      // Written to while we read: what we have may be half of it.
      if ((await identity(file)) === before) return { state: 'read', text, detached: await isDetached(file) }
      await delay(RETRY_MS)
    }
    return { state: 'unreadable', reason: 'it is being written to all the time' }
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const reason = messageOf(error)
    return { state: isMissing ? 'missing' : 'unreadable', reason }
  }
}

/**
 * A single file that is mounted into a container stays the old file when it is replaced outside (git checkout, vim):
 * no name leads to it any more, and no edit will ever arrive.
 */
async function isDetached(file: string): Promise<boolean> {
  if ((await stat(file)).nlink === 0) return true
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  return isMountOfDeleted(mounts, file)
}

/** proc(5): the fourth field is what is mounted, with `//deleted` when that is gone; the fifth is where. */
export function isMountOfDeleted(mountinfo: string, file: string): boolean {
  return mountinfo.split('\n').some((line) => {
    const [, , , root, mountPoint] = line.split(' ')
    return root?.endsWith('//deleted') === true && mountPoint !== undefined && unescaped(mountPoint) === file
  })
}

/** proc(5) writes blanks as `\040`. */
const unescaped = (path: string) =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
