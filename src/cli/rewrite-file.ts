// Replaces the text of a file at once or not at all: whoever reads it meanwhile sees the old text or the new one.
import { randomBytes } from 'node:crypto'
import { chown, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { UnreadableFile } from './config-file.ts'

/** `before` is what the new text was made from: if it is no longer what stands there, nothing is written. */
export async function rewriteFile(file: string, before: string, after: string): Promise<void> {
  // A link stays a link.
  const target = await realpath(file)
  const { mode, uid, gid } = await stat(target)
  if (!(await readFile(target)).equals(Buffer.from(before))) {
    throw new UnreadableFile(file, 'it was changed meanwhile, or is not UTF-8; nothing was written')
  }
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const handle = await open(temporary, 'wx', mode)
    try {
      await handle.writeFile(after)
      // The umask took its part of the mode.
      await handle.chmod(mode & 0o7777)
      await handle.sync()
    } finally {
      await handle.close()
    }
    // Only root may give a file away; for others it is theirs already, or stays so.
    await chown(temporary, uid, gid).catch(() => undefined)
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    throw new UnreadableFile(file, `it could not be rewritten (${code})`)
  }
}
