// What a running gateway tells about itself, gathered from its parts. Nothing in it is a secret: a configuration's text
// holds none, and what `${…}` stands for stays inside.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { App } from '../app.ts'
import { ConfigError } from '../config/problem.ts'
import type { AuthConfig, Config } from '../config/types.ts'
import { messageOf } from '../message-of.ts'
import type { Follower } from '../reload/follow.ts'
import type { Control, ReloadAnswer, RouteStatus, Status } from './protocol.ts'

export interface ControlInput {
  readonly version: string
  readonly app: App
  readonly source: string
  readonly file: string
  readonly follower: Follower
  readonly now?: () => number
}

export function createControl({
  version,
  app,
  source,
  file,
  follower,
  now = Date.now,
}: ControlInput): Control {
  const startedAtMs = now()
  return {
    async status() {
      const { text, restartPending } = app.running()
      const stale = follower.stale()
      const last = lastReload(follower)
      return {
        version,
        pid: process.pid,
        uptimeSeconds: Math.floor((now() - startedAtMs) / 1000),
        url: app.publicUrl,
        generation: app.current().generation,
        source,
        configHash: createHash('sha256').update(text).digest('hex').slice(0, 12),
        file: await compareFile(file, text),
        ...(stale && { stale: { ...stale, since: new Date(stale.sinceMs).toISOString() } }),
        ...(last && { lastReload: last }),
        restartPending,
        routes: app.current().routes.size,
        openStreams: [...app.openStreams().values()].reduce((sum, open) => sum + open, 0),
      }
    },
    routes: () => routesOf(app),
    config: () => ({ source, text: app.running().text, generation: app.current().generation }),
    numbers: () => app.numbers(),
    reload: () => reload(app, follower, source),
  }
}

async function compareFile(file: string, running: string): Promise<Status['file']> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return 'unreadable'
  return text === running ? 'same' : 'differs'
}

function lastReload(follower: Follower): Status['lastReload'] {
  const last = follower.lastReload()
  if (last === undefined) return undefined
  const { kind, trigger, atMs, generation, error } = last
  return {
    outcome: kind,
    trigger,
    at: new Date(atMs).toISOString(),
    generation,
    ...(kind === 'refused' && { reason: messageOf(error), problems: problemsOf(error) }),
  }
}

async function reload(app: App, follower: Follower, source: string): Promise<ReloadAnswer> {
  const before = app.running().text
  // Counted first: who is removed by the edit can't be counted afterwards.
  const numbers = await app.numbers().catch(() => ({}))
  const outcome = await follower.reload()
  const { generation } = outcome
  switch (outcome.kind) {
    case 'unchanged':
      return follower.stale()?.why === 'refused'
        ? refused(generation, follower.lastReload()?.error)
        : { outcome: 'unchanged', generation }
    case 'applied': {
      const { planOfTexts } = await import('./text-plan.ts')
      const plan = planOfTexts(source, before, app.running().text, numbers)
      return { outcome: 'applied', generation, ...(plan && { plan }) }
    }
    case 'refused':
      return refused(generation, outcome.error)
    case 'held':
      return { outcome: 'refused', generation, reason: outcome.reason, problems: [] }
  }
}

function refused(generation: number, error: unknown): ReloadAnswer {
  return { outcome: 'refused', generation, reason: messageOf(error), problems: problemsOf(error) }
}

function routesOf(app: App): RouteStatus[] {
  const { config, generations } = app.running().since
  const open = app.openStreams()
  return [...app.current().routes.values()].flatMap(({ name, path, resource, upstream, access }) => {
    const route = config.routes[name]
    if (route === undefined) return []
    return {
      name,
      path,
      url: resource,
      upstream: withoutSecrets(upstream.url),
      auth: authOf(route.auth, config),
      access,
      openStreams: open.get(name) ?? 0,
      since: generations.get(name) ?? 0,
    }
  })
}

/** A query may carry a key. */
function withoutSecrets({ origin, pathname, search }: URL): string {
  return `${origin}${pathname}${search === '' ? '' : '?•••'}`
}

function authOf(auth: AuthConfig, config: Config): string {
  if (!('authorization_server' in auth)) return auth.type
  const { authorization_server: server } = auth
  if (typeof server === 'string' && Object.hasOwn(config.authorization_servers, server)) {
    return `${auth.type}@${server}`
  }
  const url = typeof server === 'object' ? (server.issuer ?? server.token_endpoint) : undefined
  return url === undefined ? auth.type : `${auth.type}@${URL.parse(url)?.host ?? url}`
}

const problemsOf = (error: unknown) => (error instanceof ConfigError ? error.problems : [])
