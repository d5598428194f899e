// A running gateway: store, server and the current generation, started together and ended together. Reload builds the
// next generation, swaps one pointer, and lets the old one end with its last request.
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { restartSettings, storePath } from './app/restart.ts'
import { openServices } from './app/services.ts'
import { type Loaded, loadConfig } from './config/load.ts'
import { describeProblem } from './config/problem.ts'
import type { Config } from './config/types.ts'
import { countRoutes } from './control/numbers.ts'
import type { Numbers } from './control/protocol.ts'
import { routesSince, type Since } from './control/since.ts'
import { admitUsers, forgetDepartedUsers } from './departed.ts'
import type { Environment } from './environment.ts'
import { errorFields, GatewayError, UpstreamError } from './errors.ts'
import { watchExchanges } from './exchanges.ts'
import { buildGateway, type Gateway } from './gateway.ts'
import { buildLogins } from './login/index.ts'
import { asUsers, type InitialUser, initialUser } from './login/initial-user.ts'
import { createThrottle } from './login/throttle.ts'
import type { Log } from './ops/log.ts'
import { createServer } from './server.ts'
import { type StatePaths, statePaths } from './store/state-folder.ts'
import type { Destination } from './upstream/pools.ts'

/** A configuration text and where it comes from. */
export interface Source {
  /** As messages name it. */
  readonly name: string
  /** Relative `${file:…}` references start here. */
  readonly folder: string
  readonly text: string
}

export interface AppOptions {
  readonly source: Source
  readonly env: Environment
  /** Where state goes unless the configuration names a place. */
  readonly stateFolder: string
  readonly log: Log
  readonly now?: () => number
  /** Told of every configuration that took effect after the first. */
  readonly onApplied?: (config: Config) => void
}

/** What runs, as far as it can be compared with a file. */
export interface Running {
  readonly text: string
  /** Absolute paths of the files whose content is part of it. */
  readonly secretFiles: readonly string[]
  /** Settings that were edited and wait for a restart. */
  readonly restartPending: readonly string[]
  /** The configuration, and since when each of its routes is what it is. */
  readonly since: Since
}

export interface App {
  /** Where clients reach it. */
  readonly publicUrl: string
  readonly port: number
  /** The generation that new requests meet. */
  current(): Gateway
  running(): Running
  /** How many streams are open, by route. */
  openStreams(): ReadonlyMap<string, number>
  /** Counts what the store holds for each route. */
  numbers(): Promise<Numbers>
  /** Set while the configuration names no login of its own. */
  readonly initialUser: InitialUser | undefined
  /** Whether `reload` would find nothing wrong with the text. */
  isValid(text: string): boolean
  /** Compiles a new text and swaps it in, one after the other. Throws, and changes nothing, when that cannot be: ConfigError for what is wrong with the text. */
  reload(text: string): Promise<Gateway>
  close(): Promise<void>
}

/** Supervisors kill after 30 s; what is being written to the store must be done before. */
const MAX_DRAIN_MS = 20_000
/** For refreshes at upstreams that are still under way then. */
const LAST_REFRESHES_MS = 3_000

/** Throws ConfigError when the configuration is not valid, and the reason when the store or the port can't be had. */
export async function startApp(options: AppOptions): Promise<App> {
  const { source, env, stateFolder, log, now = Date.now, onApplied } = options
  const input = { file: source.name, folder: source.folder, env }
  const load = (text: string): Loaded => loadConfig({ ...input, text, isRunning: true })
  const first = loadConfig({ ...input, text: source.text })
  const paths = statePaths(stateFolder, storePath(first.config), source.folder)
  let gateway: Gateway | undefined
  const current = (): Gateway => {
    if (gateway === undefined)
      throw new Error('a request arrived before the first configuration was compiled')
    return gateway
  }
  const services = await openServices({ config: first.config, paths, current, now, log })
  const { deps, authDeps, pools } = services
  const { store, streams } = deps
  const throttle = createThrottle(now)
  let firstUser = await initialUserOf(first.config, env, paths)

  const server = createServer({ current, deps, pools, tls: first.config.server.tls })
  const exchanges = watchExchanges(server.server)
  const port = await listen(server, first.config)

  function build({ config }: Loaded): Gateway {
    const publicUrl =
      config.server.public_url ?? `${first.config.server.tls ? 'https' : 'http'}://localhost:${port}`
    const users = firstUser && asUsers(firstUser)
    const logins = buildLogins(config.login, namesNobody(config) ? users : undefined, throttle)
    return buildGateway({
      generation: (gateway?.generation ?? 0) + 1,
      config,
      publicUrl,
      logins,
      deps: authDeps,
    })
  }

  gateway = build(first)
  let running: Running = {
    text: source.text,
    secretFiles: first.secretFiles,
    restartPending: [],
    since: routesSince(undefined, first.config, gateway.generation),
  }
  await admitUsers(gateway, deps)
  await forgetDepartedUsers(gateway, deps)
  warmUp(gateway, log)

  async function reload(text: string): Promise<Gateway> {
    const loaded = load(text)
    // An edit may take away the users that the file named.
    firstUser ??= await initialUserOf(loaded.config, env, paths)
    const next = build(loaded)
    // Again, in case the store failed after the last swap: who comes back now must inherit nothing.
    const previous = current()
    await forgetDepartedUsers(previous, deps)
    await admitUsers(next, deps)
    gateway = next
    const restartPending = restartSettings(first.config, loaded.config)
    const since = routesSince(running.since, loaded.config, next.generation)
    running = { text, secretFiles: loaded.secretFiles, restartPending, since }
    for (const problem of loaded.warnings)
      log.warn('configuration warning', { problem: describeProblem(problem) })
    for (const setting of restartPending)
      log.warn('a changed setting takes effect after a restart', { setting })
    onApplied?.(loaded.config)
    pools.retain(destinations(next))
    await cleanUp(next, previous)
    warmUp(next, log)
    return next
  }

  /** The swap is made: what fails here is made up for by the next look at the streams, and before the next swap. */
  async function cleanUp(next: Gateway, previous: Gateway): Promise<void> {
    try {
      await forgetDepartedUsers(next, deps, previous)
      await streams.check()
    } catch (error) {
      log.error('not all that was removed could be cleaned up yet', { reason: String(error) })
    }
  }

  let reloading: Promise<unknown> = Promise.resolve()
  return {
    get publicUrl() {
      return current().issuer
    },
    port,
    get initialUser() {
      return firstUser
    },
    current,
    running: () => running,
    openStreams: () => streams.countByRoute(),
    numbers: () => countRoutes(current(), { store, streams: streams.countByRoute() }),
    isValid(text) {
      try {
        load(text)
        return true
      } catch {
        return false
      }
    },
    reload(text) {
      const next = reloading.then(() => reload(text))
      reloading = next.catch(() => {})
      return next
    },
    async close() {
      // New connections are refused at once; what is under way may end by itself, for a while.
      const closed = server.close()
      await atMost(Math.min(current().drainTimeoutMs, MAX_DRAIN_MS), exchanges.over())
      // A connection that never asked for anything is not idle to Node, and would hold us for as long as it likes.
      server.server.closeAllConnections()
      await closed
      streams.close()
      // A refresh token that works once is spent by now: its successor must be stored, or that person is signed out.
      await atMost(LAST_REFRESHES_MS, services.settled())
      await services.close()
    },
  }
}

const namesNobody = ({ login }: Config): boolean => login.users === undefined && login.none === undefined

async function initialUserOf(
  config: Config,
  env: AppOptions['env'],
  paths: StatePaths,
): Promise<InitialUser | undefined> {
  return namesNobody(config) ? initialUser(env, paths.password) : undefined
}

async function atMost(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const patience = new AbortController()
  const late = delay(timeoutMs, undefined, { signal: patience.signal }).catch(() => {})
  await Promise.race([work, late])
  patience.abort()
}

async function listen(server: FastifyInstance, { server: { host, port } }: Config): Promise<number> {
  await server.listen({ host, port }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    throw new Error(
      `port ${port} on ${host} is taken: stop what listens there, or set another port (server.port, or --port)`,
    )
  })
  const address = server.addresses()[0]
  if (typeof address !== 'object') throw new Error('the server has no TCP address')
  return address.port
}

/** In the background: an upstream that is down must neither delay the others nor keep the gateway from starting. */
function warmUp({ routes }: Gateway, log: Log): void {
  for (const { name, auth } of routes.values()) {
    auth.warmUp?.().catch((error: unknown) => {
      const fields = error instanceof GatewayError ? errorFields(error) : { reason: String(error) }
      // The first passes, the second only when somebody changes something.
      if (error instanceof UpstreamError && error.fault === 'credential_refused')
        log.error('the upstream refuses this gateway', { route: name, ...fields })
      else log.warn('the upstream could not be looked up yet', { route: name, ...fields })
    })
  }
}

/** Connections that no route uses any more end with their last answer. */
function destinations({ routes }: Gateway): readonly Destination[] {
  return [...routes.values()].map(({ upstream, timeouts }) => ({
    url: upstream.url,
    options: { connectMs: timeouts.connect_ms },
  }))
}
