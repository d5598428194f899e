// The files that a gateway lives on: its configuration, the secrets it refers to, its state. Looks, and changes nothing.
import { access, constants, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { assertPrivate, hasCode } from '../store/private-files.ts'
import type { StatePaths } from '../store/state-folder.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

const MOUNT_THE_FOLDER = 'Mount the folder instead of the file.'

/**
 * A container that mounts one file holds on to that very file: an editor or `git checkout` on the host puts another in
 * its place, and the container never sees it. What it holds then has no name left.
 */
export async function checkConfigFile(file: string): Promise<Finding> {
  const { nlink } = await stat(file)
  if (nlink === 0)
    return fail(
      'file',
      `${file} was replaced on the host, but this container still has the old one`,
      MOUNT_THE_FOLDER,
    )
  if (isMountPoint(file, await mountInfo()))
    return warn(
      'file',
      `${file} is mounted as a single file: the gateway may not see edits on the host`,
      MOUNT_THE_FOLDER,
    )
  return ok('file', `the gateway sees edits to ${file}`)
}

/** `mountinfo`, proc(5): the fifth field is the mount point, with spaces and the like as octal. */
export function isMountPoint(file: string, mounts: string): boolean {
  return mounts
    .split('\n')
    .some(
      (line) =>
        line
          .split(' ')[4]
          ?.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))) === file,
    )
}

/** Linux only; nowhere else do containers mount. */
const mountInfo = () => readFile('/proc/self/mountinfo', 'utf8').catch(() => '')

const OTHERS_MAY_READ = 0o004

export async function checkSecretFiles(files: readonly string[]): Promise<Finding[]> {
  const open = await Promise.all(
    files.map(async (file) => {
      const { mode } = await stat(file)
      if (process.platform === 'win32' || (mode & OTHERS_MAY_READ) === 0) return []
      const shown = (mode & 0o777).toString(8).padStart(4, '0')
      return [
        warn(
          'secrets',
          `every user of this machine may read ${file} (mode ${shown})`,
          `Run: chmod 600 '${file}'`,
        ),
      ]
    }),
  )
  const found = open.flat()
  if (files.length === 0 || found.length > 0) return found
  return [
    ok(
      'secrets',
      files.length === 1 ? 'the secret file is private' : `${files.length} secret files are private`,
    ),
  ]
}

/** What the gateway will refuse to start on. */
export async function checkState(paths: StatePaths): Promise<Finding[]> {
  const wrong = await Promise.all([paths.store, paths.key, paths.password].map(checkPrivate))
  const found = wrong.flat()
  if (found.length > 0) return found
  const made = await stat(paths.store).then(
    () => true,
    () => false,
  )
  return [made ? ok('store', `${paths.store} is private`) : await checkPlace(paths.store)]
}

async function checkPrivate(path: string): Promise<Finding[]> {
  try {
    await assertPrivate(path)
    await access(path, constants.R_OK | constants.W_OK)
    return []
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    if (hasCode(error, 'EACCES') || hasCode(error, 'EROFS'))
      return [
        fail(
          'store',
          `${path} cannot be written by this user`,
          'Run the gateway as its owner, or change the owner.',
        ),
      ]
    const [message = '', command] = (error instanceof Error ? error.message : String(error)).split(': run ')
    return [
      fail(
        'store',
        message,
        command === undefined ? 'Look at its owner and mode.' : `Run: ${command.replaceAll('`', '')}`,
      ),
    ]
  }
}

async function checkPlace(store: string): Promise<Finding> {
  for (let folder = dirname(store); ; folder = dirname(folder)) {
    try {
      await access(folder, constants.W_OK | constants.X_OK)
      return ok('store', `${store} will be made at the first start`)
    } catch (error) {
      if (hasCode(error, 'ENOENT') && folder !== dirname(folder)) continue
      return fail(
        'store',
        `${store} cannot be made: ${folder} is not writable`,
        'Set store.path to a folder of the gateway.',
      )
    }
  }
}
