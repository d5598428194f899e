// The files that a gateway lives on: its configuration, the secrets it refers to, its state. Looks, and changes nothing.
import { access, constants, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { messageOf } from '../message-of.ts'
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
  const wrong = await Promise.all([paths.store, paths.key, paths.password].map(lookAt))
  const found = [...refusedAtOnce(wrong.flat()), ...wrong.flat().flatMap(judgeError)]
  if (found.length > 0) return found
  const made = await stat(paths.store).then(
    () => true,
    () => false,
  )
  return [made ? ok('store', `${paths.store} is private`) : await checkPlace(paths.store)]
}

interface Wrong {
  readonly path: string
  readonly error: unknown
}

async function lookAt(path: string): Promise<Wrong[]> {
  try {
    await assertPrivate(path)
    await access(path, constants.R_OK | constants.W_OK)
    return []
  } catch (error) {
    return isAbsence(error) ? [] : [{ path, error }]
  }
}

/** One owner, or one mount, is what is wrong with all of them. */
function refusedAtOnce(wrong: readonly Wrong[]): Finding[] {
  const refused = wrong.filter(({ error }) => isRefusal(error)).map(({ path }) => path)
  if (refused.length === 0) return []
  const message = `${refused.join(' and ')} cannot be written by this user`
  return [fail('store', message, 'Run the gateway as its owner, or change the owner.')]
}

function judgeError({ error }: Wrong): Finding[] {
  if (isRefusal(error)) return []
  const [message = '', command] = messageOf(error).split(': run ')
  return [
    fail(
      'store',
      message,
      command === undefined ? 'Look at its owner and mode.' : `Run: ${command.replaceAll('`', '')}`,
    ),
  ]
}

const isAbsence = (error: unknown) => hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')
const isRefusal = (error: unknown) => hasCode(error, 'EACCES') || hasCode(error, 'EROFS')

/** By the nearest folder that is there. */
async function checkPlace(store: string): Promise<Finding> {
  const cannot = (why: string) =>
    fail('store', `${store} cannot be made: ${why}`, 'Set store.path to a folder of the gateway.')
  for (let folder = dirname(store); ; folder = dirname(folder)) {
    try {
      if (!(await stat(folder)).isDirectory()) return cannot(`${folder} is a file`)
      await access(folder, constants.W_OK | constants.X_OK)
      return ok('store', `${store} will be made at the first start`)
    } catch (error) {
      if (isAbsence(error) && folder !== dirname(folder)) continue
      return cannot(`${folder} is not writable`)
    }
  }
}
