// A running gateway: store, server and the current generation, started together and ended together. Reload builds the
// next generation, swaps one pointer, and lets the old one end with its last request.
import type { FastifyInstance } from 'fastify'
import { createLinks } from './auth/links.ts'
import { createRefresh } from './auth/refresh.ts'
import { type Loaded, loadConfig } from './config/load.ts'
import type { Config } from './config/types.ts'
import { forgetDepartedUsers } from './departed.ts'
import type { Deps } from './endpoints/endpoint.ts'
import { UpstreamError } from './errors.ts'
import { buildGateway, type Gateway } from './gateway.ts'
import { buildLogins } from './login/index.ts'
import { asUsers, type InitialUser, initialUser } from './login/initial-user.ts'
import { createThrottle } from './login/throttle.ts'
import type { Log } from './ops/log.ts'
import { createServer } from './server.ts'
import { openStore } from './store/open.ts'
import { type StatePaths, statePaths } from './store/state-folder.ts'
import { createStreams } from './streams.ts'
import { controlHttp } from './upstream/http.ts'
import { createPools, type Pools } from './upstream/pools.ts'

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
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where state goes unless the configuration names a place. */
  readonly stateFolder: string
  readonly log: Log
  readonly now?: () => number
}

export interface App {
  /** Where clients reach it. */
  readonly publicUrl: string
  readonly port: number
  /** The generation that new requests meet. */
  current(): Gateway
  /** Set while the configuration names no login of its own. */
  readonly initialUser: InitialUser | undefined
  /** Compiles a new text and swaps it in. Throws ConfigError and changes nothing when it is not valid. */
  reload(text: string): Promise<Gateway>
  close(): Promise<void>
}

/** Supervisors kill after 30 s; what is being written to the store must be done before. */
const MAX_DRAIN_MS = 20_000
/** What is not a stream is answered within this. */
const LAST_ANSWERS_MS = 1_000

/** Throws ConfigError when the configuration is not valid, and the reason when the store or the port can't be had. */
export async function startApp({ source, env, stateFolder, log, now = Date.now }: AppOptions): Promise<App> {
  const load = (text: string): Loaded => loadConfig({ file: source.name, folder: source.folder, text, env })
  const first = load(source.text)
  const paths = statePaths(
    stateFolder,
    first.config.store.type === 'embedded' ? first.config.store.path : undefined,
  )
  const { store, sealer } = await openStore(first.config.store, paths, now)
  let gateway: Gateway | undefined
  const current = (): Gateway => {
    if (gateway === undefined)
      throw new Error('a request arrived before the first configuration was compiled')
    return gateway
  }
  const streams = createStreams({ store, current, now })
  const deps: Deps = { store, sealer, streams, now, log }
  const pools = createPools()
  const throttle = createThrottle(now)
  const links = createLinks(store, sealer, now)
  const refresh = createRefresh({ links, store, http: controlHttp, now })
  const authDeps = { store, sealer, links, refresh, http: controlHttp, now, log }
  const firstUser = await initialUserOf(first.config, env, paths)

  const server = createServer({ current, deps, pools, tls: first.config.server.tls })
  const port = await listen(server, first.config)

  function build({ config }: Loaded): Gateway {
    const publicUrl =
      config.server.public_url ?? `${first.config.server.tls ? 'https' : 'http'}://localhost:${port}`
    const logins = buildLogins(config.login, firstUser && asUsers(firstUser), throttle)
    return buildGateway({
      generation: (gateway?.generation ?? 0) + 1,
      config,
      publicUrl,
      logins,
      deps: authDeps,
    })
  }

  gateway = build(first)
  await forgetDepartedUsers(gateway, deps)
  warmUp(gateway, log)
  return {
    publicUrl: gateway.issuer,
    port,
    initialUser: firstUser,
    current,
    async reload(text) {
      const loaded = load(text)
      warnOfRestart(first.config, loaded.config, log)
      const previous = current()
      const next = build(loaded)
      gateway = next
      retireUnused(previous, next, pools)
      await forgetDepartedUsers(next, deps)
      await streams.check()
      warmUp(next, log)
      return next
    },
    async close() {
      // New connections are refused at once; what is under way may end by itself, for a while.
      const closed = server.close()
      await streams.drain(Math.min(current().drainTimeoutMs, MAX_DRAIN_MS))
      // A connection that never asked for anything is not idle to Node, and would hold us for as long as it likes.
      const late = setTimeout(() => server.server.closeAllConnections(), LAST_ANSWERS_MS)
      await closed
      clearTimeout(late)
      streams.close()
      await pools.close()
      await store.close()
    },
  }
}

async function initialUserOf(
  { login }: Config,
  env: AppOptions['env'],
  paths: StatePaths,
): Promise<InitialUser | undefined> {
  return login.users === undefined && login.none === undefined ? initialUser(env, paths.password) : undefined
}

async function listen(server: FastifyInstance, { server: { host, port } }: Config): Promise<number> {
  await server.listen({ host, port })
  const address = server.addresses()[0]
  if (typeof address !== 'object') throw new Error('the server has no TCP address')
  return address.port
}

/** In the background: an upstream that is down must neither delay the others nor keep the gateway from starting. */
function warmUp({ routes }: Gateway, log: Log): void {
  for (const { name, auth } of routes.values()) {
    auth.warmUp?.().catch((error: unknown) => {
      const detail = error instanceof UpstreamError ? error.detail : {}
      log.warn('the upstream could not be looked up yet', {
        route: name,
        reason: error instanceof Error ? error.message : String(error),
        ...detail,
      })
    })
  }
}

/** These are read once; the rest of the file takes effect all the same. */
function warnOfRestart(running: Config, next: Config, log: Log): void {
  const fixed = ({ server: { host, port, tls }, store, observability }: Config) => ({
    'server.host': host,
    'server.port': port,
    'server.tls': tls,
    store,
    observability,
  })
  const before = fixed(running)
  for (const [name, value] of Object.entries(fixed(next))) {
    const changed = JSON.stringify(value) !== JSON.stringify(before[name as keyof typeof before])
    if (changed) log.warn('a changed setting takes effect after a restart', { setting: name })
  }
}

/** Connections to an upstream that no route uses any more end with their last answer. */
function retireUnused(previous: Gateway, next: Gateway, pools: Pools): void {
  const used = new Set([...next.routes.values()].map((route) => route.upstream.url.origin))
  for (const { upstream } of previous.routes.values()) {
    if (!used.has(upstream.url.origin)) void pools.retire(upstream.url.origin)
  }
}
