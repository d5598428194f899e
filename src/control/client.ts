// The command line's end of the control socket: finds the gateway that runs on a file, and asks it.
import { existsSync, realpathSync } from 'node:fs'
import { request } from 'node:http'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Environment } from '../environment.ts'
import { stateFolder, stateIdForFile } from '../store/state-folder.ts'
import type { Numbers, ReloadAnswer, RouteStatus, RunningConfig, Status } from './protocol.ts'
import { fitsSocket, socketIn } from './socket-path.ts'

/** Nobody listens where the gateway of this file would. */
export class NotRunning extends Error {
  constructor(file: string, socket: string) {
    const why = existsSync(file)
      ? `nobody answers at ${socket}. Is it this file, and are you the gateway's user?`
      : 'there is no such file. Name the one that it was started with, by --config.'
    super(`no gateway runs on ${file}: ${why}`)
    this.name = 'NotRunning'
  }
}

interface Answers {
  'GET /status': Status
  'GET /routes': readonly RouteStatus[]
  'GET /config': RunningConfig
  'GET /numbers': Numbers
  'POST /reload': ReloadAnswer
}

/** A reload may wait for the one before it, which may wait for a store. */
const TIMEOUT_MS = 60_000

/** The folders where a gateway's state may be: by the file itself and, for a link that moved since, by its name. */
export function stateFoldersOf(file: string, env: Environment): string[] {
  const path = resolve(file)
  const ids = [realPath(path), path].map(stateIdForFile)
  return [...new Set(ids)].map((id) => stateFolder(id, env, process.platform))
}

/** Throws NotRunning. */
export async function ask<N extends keyof Answers>(
  file: string,
  env: Environment,
  name: N,
): Promise<Answers[N]> {
  const sockets = await Promise.all(stateFoldersOf(file, env).map(socketIn))
  for (const socket of sockets) {
    const answer = await askAt(socket, name)
    if (answer !== undefined) return answer.body as Answers[N]
  }
  throw new NotRunning(file, sockets[0] ?? '')
}

function askAt(socketPath: string, name: string): Promise<{ readonly body: unknown } | undefined> {
  const [method, path] = name.split(' ')
  return new Promise((resolve, reject) => {
    if (!fitsSocket(socketPath)) return resolve(undefined)
    const asked = request({ socketPath, method, path, timeout: TIMEOUT_MS }, (response) => {
      text(response)
        .then((body) => resolve({ body: unwrap(response.statusCode, body) }))
        .catch(reject)
    })
    asked.once('timeout', () => asked.destroy(new Error('the gateway does not answer at its control socket')))
    asked.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined)
      else reject(error)
    })
    asked.end()
  })
}

function unwrap(status: number | undefined, body: string): unknown {
  const answer: unknown = JSON.parse(body)
  if (status === 200) return answer
  throw new Error((answer as { readonly error?: string }).error ?? `the gateway answers ${status}`)
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    // Gone: the gateway that runs on it may still be asked, by the name.
    return path
  }
}
