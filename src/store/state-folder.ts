// Names the places where state lives on this machine. Pure: makes no folder.
import { createHash } from 'node:crypto'
import { homedir } from 'node:os'
import { basename, dirname, posix, resolve, win32 } from 'node:path'
import type { Environment } from '../environment.ts'

type Platform = NodeJS.Platform

const APPLICATION = 'mcp-oauth-gateway'
const SLUG_CHARACTERS = 40

export interface StatePaths {
  /** The folder of the embedded store. */
  readonly store: string
  /** The key that seals what is in it: beside it, so that a copy of the store opens nothing. */
  readonly key: string
  /** The generated first password. */
  readonly password: string
}

/** The folder for one gateway in the operating system's place for state. */
export function stateFolder(id: string, env: Environment, platform: Platform): string {
  const { join } = platform === 'win32' ? win32 : posix
  return join(stateHome(env, platform), APPLICATION, id)
}

/**
 * Where each thing lies, by default or, when the config sets `store.path`, at that path and beside it. A relative one
 * starts at `base`, the folder of the file: where the gateway was started from must not decide whose state it finds.
 */
export function statePaths(folder: string, storePath?: string, base = ''): StatePaths {
  if (storePath === undefined) {
    const store = resolve(folder, 'store')
    return { store, key: `${store}.key`, password: resolve(folder, 'password') }
  }
  const store = resolve(base, storePath)
  return { store, key: `${store}.key`, password: `${store}.password` }
}

/** One id per config file. Give the real path: two links to one file are one gateway. */
export function stateIdForFile(realPath: string): string {
  return `${slug(`${basename(dirname(realPath))}-${basename(realPath)}`)}-${shortHash(realPath)}`
}

/** One id per origin, for a gateway that has no config file. */
export function stateIdForUrl(publicUrl: string): string {
  const { origin, host } = new URL(publicUrl)
  return `${slug(host)}-${shortHash(origin)}`
}

function stateHome(env: Environment, platform: Platform): string {
  if (platform === 'win32') {
    return env.LOCALAPPDATA || win32.join(env.USERPROFILE || homedir(), 'AppData', 'Local')
  }
  const home = env.HOME || homedir()
  if (platform === 'darwin') return posix.join(home, 'Library', 'Application Support')
  // A relative path is to be ignored (XDG Base Directory Specification).
  const stated = env.XDG_STATE_HOME
  return stated !== undefined && posix.isAbsolute(stated) ? stated : posix.join(home, '.local', 'state')
}

function slug(text: string): string {
  const safe = text.toLowerCase().replace(/[^a-z0-9.]+/g, '-')
  return safe.slice(0, SLUG_CHARACTERS).replace(/^[-.]+|[-.]+$/g, '') || 'gateway'
}

// Hexadecimal, because file systems that ignore case would merge base64url names.
function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10)
}
