// Keeps a running gateway at what its file says: saves, SIGHUP and `reload` take the same path here, one at a time.
// It knows what is wrong with the file when it is not what runs.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ConfigError } from '../config/problem.ts'
import { messageOf } from '../message-of.ts'
import type { Log } from '../ops/log.ts'
import { watchFiles } from '../watch.ts'
import { suspicion } from './judge.ts'
import { readSettled } from './settled-file.ts'

/** What it needs of the app. */
export interface Reloadable {
  readonly running: () => { readonly text: string; readonly secretFiles: readonly string[] }
  readonly isValid: (text: string) => boolean
  /** All or nothing. */
  readonly reload: (text: string) => Promise<Generation>
  readonly current: () => Generation
}

interface Generation {
  readonly generation: number
  readonly routes: ReadonlyMap<string, unknown>
}

export type Trigger = 'save' | 'request'

export type Outcome =
  | { readonly kind: 'applied' | 'unchanged'; readonly generation: number }
  | { readonly kind: 'refused'; readonly generation: number; readonly error: unknown }
  /** A save only: what is asked for is never held. */
  | { readonly kind: 'held'; readonly generation: number; readonly reason: string }

export interface LastReload {
  readonly kind: 'applied' | 'refused'
  readonly trigger: Trigger
  readonly atMs: number
  /** What ran afterwards. */
  readonly generation: number
  /** Why it was refused: a ConfigError has the places. */
  readonly error?: unknown
}

/** Why the file is not what runs, or why edits of it cannot arrive. */
export interface Stale {
  readonly why: 'held' | 'refused' | 'missing' | 'unreadable' | 'detached'
  readonly reason: string
  readonly sinceMs: number
}

export interface Follower {
  /** Reads the file now and applies it, held or not. */
  reload(): Promise<Outcome>
  readonly lastReload: () => LastReload | undefined
  readonly stale: () => Stale | undefined
  /** Resolves when the reload that is under way has ended. */
  close(): Promise<void>
}

export interface FollowOptions {
  readonly file: string
  readonly app: Reloadable
  readonly log: Log
  /** False: only what is asked for is applied. */
  readonly watch: boolean
  readonly now?: () => number
}

/** A save that takes longer than this between two writes is beyond help. */
export const HOLD_MS = 5_000

export function followFile({ file, app, log, watch, now = Date.now }: FollowOptions): Follower {
  let last: LastReload | undefined
  let stale: Stale | undefined
  let held: { readonly text: string; readonly timer: NodeJS.Timeout } | undefined
  /** What was judged last, so that the same text with the same secrets is not refused again and again. */
  let judged: { readonly text: string; readonly secrets: string } = { text: app.running().text, secrets: '' }
  let secretFiles = app.running().secretFiles
  let queue: Promise<unknown> = digest(secretFiles).then((secrets) => {
    judged = { ...judged, secrets }
  })
  let closed = false

  /** One at a time; each sees what the one before left. */
  function enqueue(trigger: Trigger, ripe?: string): Promise<Outcome> {
    const outcome = queue.then(() => take(trigger, ripe))
    queue = outcome.catch(() => {})
    return outcome
  }

  function onSave(ripe?: string): void {
    if (closed) return
    enqueue('save', ripe).catch((error: unknown) =>
      log.error('the configuration file cannot be followed', { file, reason: messageOf(error) }),
    )
  }

  async function take(trigger: Trigger, ripe: string | undefined): Promise<Outcome> {
    const { generation } = app.current()
    const reading = await readSettled(file)
    if (reading.state !== 'read') return cannotRead(reading.state, reading.reason)
    const { text, detached } = reading
    const secrets = await digest(secretFiles)
    const isNew = text !== judged.text || secrets !== judged.secrets
    if (!isNew) {
      settle(detached)
      return { kind: 'unchanged', generation }
    }
    const doubt =
      trigger === 'request' || text === ripe ? undefined : suspicion(app.running().text, text, app.isValid)
    return doubt === undefined ? apply(text, secrets, trigger, detached) : hold(text, doubt)
  }

  async function apply(text: string, secrets: string, trigger: Trigger, detached: boolean): Promise<Outcome> {
    release()
    judged = { text, secrets }
    const outcome = await app.reload(text).then(
      ({ generation, routes }): LastReload => {
        log.info('reloaded', { generation, routes: routes.size })
        return { kind: 'applied', trigger, atMs: now(), generation }
      },
      (error: unknown): LastReload => {
        const { generation } = app.current()
        log.error('reload refused, the running configuration stays', { generation, reason: messageOf(error) })
        return { kind: 'refused', trigger, atMs: now(), generation, error }
      },
    )
    last = outcome
    await watchSecrets(outcome.error)
    if (outcome.kind === 'applied') {
      stale = undefined
      settle(detached)
      return { kind: 'applied', generation: outcome.generation }
    }
    become('refused', messageOf(outcome.error))
    return { kind: 'refused', generation: outcome.generation, error: outcome.error }
  }

  /** Those of a refused text too: one of them may be what was wrong. */
  async function watchSecrets(error: unknown): Promise<void> {
    const before = secretFiles
    const refused = error instanceof ConfigError ? error.secretFiles : []
    secretFiles = [...new Set([...app.running().secretFiles, ...refused])]
    const hasOthers = secretFiles.join('\n') !== before.join('\n')
    if (hasOthers) judged = { ...judged, secrets: await digest(secretFiles) }
  }

  function hold(text: string, reason: string): Outcome {
    const { generation } = app.current()
    if (held?.text === text) return { kind: 'held', generation, reason }
    release()
    const timer = setTimeout(() => onSave(text), HOLD_MS).unref()
    held = { text, timer }
    become('held', reason)
    log.warn(
      'the file looks half-written and is held: it counts once it stays like this for 5 s, or at once with `reload`',
      {
        file,
        reason,
      },
    )
    return { kind: 'held', generation, reason }
  }

  function release(): void {
    clearTimeout(held?.timer)
    held = undefined
  }

  function cannotRead(why: 'missing' | 'unreadable', reason: string): Outcome {
    release()
    if (stale?.why !== why) log.warn('the configuration file cannot be read', { file, reason })
    become(why, reason)
    return { kind: 'refused', generation: app.current().generation, error: new Error(reason) }
  }

  /** The file is there, and says what was judged last. */
  function settle(detached: boolean): void {
    release()
    if (detached) {
      const reason = 'it was replaced outside of its mount, so no edit can arrive: mount its folder instead'
      if (stale?.why !== 'detached') log.warn('the configuration file is detached', { file, reason })
      become('detached', reason)
      return
    }
    // Gone and there again unchanged, or held and completed to what runs.
    if (last?.kind === 'refused' && judged.text !== app.running().text)
      become('refused', messageOf(last.error))
    else stale = undefined
  }

  function become(why: Stale['why'], reason: string): void {
    if (stale?.why !== why || stale.reason !== reason) stale = { why, reason, sinceMs: now() }
  }

  const watcher = watch
    ? watchFiles({ file, alongside: () => secretFiles, onSettled: () => onSave(), log })
    : undefined
  return {
    reload: () => enqueue('request'),
    lastReload: () => last,
    stale: () => stale,
    async close() {
      closed = true
      release()
      await watcher?.close()
      await queue
    },
  }
}

/** Of contents, not of times: a rotation that writes the same secret again is none. */
async function digest(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files)
    hash.update(await readFile(file).catch((error: unknown) => String(error))).update('\0')
  return hash.digest('base64')
}
