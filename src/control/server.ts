// The gateway's end of the control socket: listens where only this user can reach it, and answers from `Control`.
// It never listens on a port. Without it the gateway runs all the same.
import { chmod, rename, rm, rmdir, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'
import { messageOf } from '../message-of.ts'
import type { Log } from '../ops/log.ts'
import { assertPrivate, makePrivateFolder } from '../store/private-files.ts'
import type { Control } from './protocol.ts'
import {
  fitsSocket,
  isAlive,
  makeShortFolder,
  pointerIn,
  readPointer,
  SOCKET,
  socketIn,
  writePointer,
} from './socket-path.ts'

export interface ControlServer {
  readonly socket: string
  close(): Promise<void>
}

export interface ControlServerOptions {
  readonly control: Control
  readonly stateFolder: string
  /** Other state folders under which people may look for this gateway. */
  readonly alsoIn?: readonly string[]
  readonly log: Log
}

type Endpoint = (control: Control) => unknown

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  'GET /status': (control) => control.status(),
  'GET /routes': (control) => control.routes(),
  'GET /config': (control) => control.config(),
  'GET /numbers': (control) => control.numbers(),
  'POST /reload': (control) => control.reload(),
}

/** Undefined when there can be none; the log says why. */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer | undefined> {
  const { log } = options
  // A named pipe's default access list is nothing to rely on.
  if (process.platform === 'win32') {
    log.info('no control socket on Windows: status, routes and reload are not available')
    return undefined
  }
  try {
    return await open(options)
  } catch (error) {
    const reason = messageOf(error)
    log.warn('no control socket: status, routes and reload are not available', { reason })
    return undefined
  }
}

async function open({
  control,
  stateFolder,
  alsoIn = [],
  log,
}: ControlServerOptions): Promise<ControlServer> {
  await makePrivateFolder(stateFolder)
  await assertPrivate(stateFolder)
  const left = await socketIn(stateFolder)
  if (await isAlive(left)) throw new Error('another gateway runs on this file and has it')
  await discard(left, stateFolder)
  const draftName = `${SOCKET}.${process.pid}`
  const isShort = fitsSocket(join(stateFolder, draftName))
  const folder = isShort ? stateFolder : await makeShortFolder()
  const [draft, socket] = [join(folder, draftName), join(folder, SOCKET)]
  const server = createServer((request, response) => void answer(control, request, response, log))
  await listen(server, draft)
  await chmod(draft, 0o600)
  // Named when it is ready: whoever finds it can use it, and nobody's socket is unlinked unseen.
  await rename(draft, socket)
  const pointers = isShort ? alsoIn : [stateFolder, ...alsoIn]
  for (const place of pointers) {
    await makePrivateFolder(place)
    await writePointer(place, socket)
  }
  return { socket, close: closing(server, socket, await identity(socket), pointers, isShort) }
}

/** What a process that was killed left behind. */
async function discard(socket: string, stateFolder: string): Promise<void> {
  if (dirname(socket) === stateFolder) return
  await rm(pointerIn(stateFolder), { force: true })
  await removeShortFolder(socket)
}

function closing(
  server: Server,
  socket: string,
  made: string | undefined,
  pointers: readonly string[],
  keepFolder: boolean,
) {
  return async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
    // Another gateway may have it by now.
    if ((await identity(socket)) !== made) return
    for (const place of pointers) {
      if ((await readPointer(place)) === socket) await rm(pointerIn(place), { force: true })
    }
    if (keepFolder) await rm(socket, { force: true })
    else await removeShortFolder(socket)
  }
}

/** Inode numbers are given again at once; together with the time they tell. */
async function identity(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined)
  return found && `${found.ino}:${found.ctimeNs}`
}

async function removeShortFolder(socket: string): Promise<void> {
  await rm(socket, { force: true })
  // Only ever an empty one.
  await rmdir(dirname(socket)).catch(() => {})
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      // A gateway whose server has closed must not be held by this.
      server.unref()
      resolve()
    })
  })
}

async function answer(
  control: Control,
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  request.resume()
  const name = `${request.method} ${request.url}`
  const endpoint = Object.hasOwn(ENDPOINTS, name) ? ENDPOINTS[name] : undefined
  if (endpoint === undefined) return send(response, 404, { error: `no ${name} here` })
  try {
    send(response, 200, await endpoint(control))
  } catch (error) {
    const reason = messageOf(error)
    log.error('the control socket could not answer', { request: name, reason })
    send(response, 500, { error: reason })
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
