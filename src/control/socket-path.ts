// Where the control socket of a gateway lies: in its state folder or, when that path is too long for a socket, in a
// short folder of its own that a file in the state folder names.
import { mkdtemp, readFile, rename, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const SOCKET = 'control.sock'
const POINTER = 'control.path'
const SHORT_FOLDER = 'mcp-gateway-'

/** sockaddr_un holds 108 bytes on Linux and 104 elsewhere, one of them the final zero. */
const MAX_BYTES = process.platform === 'linux' ? 107 : 103

export function fitsSocket(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_BYTES
}

/** Made 0700, as mkdtemp does. */
export function makeShortFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), SHORT_FOLDER))
}

/** The socket that the state folder leads to, whether or not anybody listens there. */
export async function socketIn(stateFolder: string): Promise<string> {
  return (await readPointer(stateFolder)) ?? join(stateFolder, SOCKET)
}

export async function readPointer(stateFolder: string): Promise<string | undefined> {
  const text = await readFile(join(stateFolder, POINTER), 'utf8').catch(() => '')
  return text.trim() || undefined
}

export const pointerIn = (stateFolder: string) => join(stateFolder, POINTER)

export async function writePointer(stateFolder: string, socket: string): Promise<void> {
  const draft = `${pointerIn(stateFolder)}.${process.pid}`
  await writeFile(draft, `${socket}\n`, { mode: 0o600 })
  await rename(draft, pointerIn(stateFolder))
}

/** A socket file outlives a process that was killed: only an answer tells. */
export function isAlive(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    if (!fitsSocket(socket)) return resolve(false)
    const probe = connect(socket)
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false))
    probe.once('connect', () => probe.destroy())
  })
}
