// All of a doctor's visit: what is checked, in parallel, and in which order it is told. Every check ends by itself.
import type { Config } from '../config/types.ts'
import { printable } from '../printable.ts'
import type { StatePaths } from '../store/state-folder.ts'
import { createEgress, type Egress } from '../upstream/egress.ts'
import { type ControlHttp, controlHttp, createControlHttp } from '../upstream/http.ts'
import { checkAddress } from './address.ts'
import { checkServer } from './authorization-server.ts'
import { checkClock } from './clock.ts'
import { checkConfigFile, checkSecretFiles, checkState } from './files.ts'
import { type Finding, fail } from './finding.ts'
import { observe, reasonOf } from './observe.ts'
import { checkProxy } from './proxy.ts'
import { issuerQuestions, serverQuestions } from './questions.ts'
import { checkHosts, checkOwn } from './tls.ts'
import { checkIssuer } from './trusted-issuer.ts'
import { checkUpstream } from './upstream.ts'

export interface Visit {
  readonly config: Config
  /** Its real path. */
  readonly file: string
  readonly secretFiles: readonly string[]
  readonly statePaths: StatePaths
  /** Names of the routes to ask about. */
  readonly routes: readonly string[]
  /** Told whenever a check is over. */
  readonly onProgress?: (done: number, all: number) => void
}

/** A scope, and what is asked about it. */
interface Check {
  readonly scope: string
  readonly run: () => Promise<Finding | readonly Finding[]>
}

/** What hangs in spite of every timeout of its own. */
const LONGEST_CHECK_MS = 30_000

/** Everybody is asked by the way that the gateway itself goes out. */
export async function examine(visit: Visit): Promise<Finding[]> {
  const { proxy, proxy_authorization: authorization, direct } = visit.config.egress
  const egress = createEgress({ proxy, authorization, direct })
  try {
    return (await examineThrough(egress, visit)).map(shown)
  } finally {
    await egress.close()
  }
}

async function examineThrough(egress: Egress, visit: Visit): Promise<Finding[]> {
  const { http, clocks, tlsHosts } = observe(createControlHttp({ egress }))
  const checks = [...localChecks(visit, http), ...routeChecks(visit, http)]
  let done = 0
  const findings = await Promise.all(
    checks.map(async (check) => {
      const found = await bounded(check)
      done += 1
      visit.onProgress?.(done, checks.length)
      return found
    }),
  )
  const hosts = await bounded({ scope: 'tls', run: () => checkHosts(tlsHosts, Date.now(), egress) })
  return [...byScope(distinct(findings.flat())), ...hosts, ...checkClock(clocks)]
}

function localChecks({ config, file, secretFiles, statePaths }: Visit, http: ControlHttp): Check[] {
  const { server, store, egress } = config
  const { tls } = server
  const proxy = egress.proxy === undefined ? undefined : new URL(egress.proxy)
  // No proxy stands between this machine and its own port.
  const own = observe(controlHttp).http
  return [
    { scope: 'file', run: () => checkConfigFile(file) },
    { scope: 'secrets', run: () => checkSecretFiles(secretFiles) },
    ...(store.type === 'embedded' ? [{ scope: 'store', run: () => checkState(statePaths) }] : []),
    ...(tls ? [{ scope: 'server.tls', run: async () => checkOwn(tls, Date.now()) }] : []),
    { scope: 'server.port', run: () => checkAddress(server, publicUrlOf(config), { http, own }) },
    ...(proxy ? [{ scope: 'egress.proxy', run: () => checkProxy(proxy) }] : []),
  ]
}

function routeChecks(visit: Visit, http: ControlHttp): Check[] {
  const upstreams = visit.routes.flatMap((name) => {
    const route = visit.config.routes[name]
    const scope = `routes.${name}`
    return route ? [{ scope, run: () => checkUpstream(scope, route, http) }] : []
  })
  const servers = serverQuestions(visit.config, visit.routes, publicUrlOf(visit.config)).map((question) => ({
    scope: question.scope,
    run: () => checkServer(question, http),
  }))
  const issuers = issuerQuestions(visit.config, visit.routes).map((question) => ({
    scope: question.scope,
    run: () => checkIssuer(question, http),
  }))
  return [...upstreams, ...servers, ...issuers]
}

function publicUrlOf({ server: { public_url: publicUrl, tls, port } }: Config): string {
  return publicUrl?.replace(/\/$/, '') ?? `${tls ? 'https' : 'http'}://localhost:${port}`
}

/** A server that two kinds of grants use is asked for each, and what it says of both is told once. */
function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()]
}

/** What others say of themselves is shown on a terminal. */
function shown({ level, scope, message, advice }: Finding): Finding {
  const text = { message: printable(message), ...(advice !== undefined && { advice: printable(advice) }) }
  return { level, scope, ...text }
}

/** What is said of one thing stands together, where it was first spoken of. */
function byScope(findings: readonly Finding[]): Finding[] {
  const scopes = [...new Set(findings.map(({ scope }) => scope))]
  return scopes.flatMap((wanted) => findings.filter(({ scope }) => scope === wanted))
}

async function bounded({ scope, run }: Check): Promise<readonly Finding[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding>((resolve) => {
    const answer = fail(scope, `took longer than ${LONGEST_CHECK_MS / 1000} s`, 'Run doctor again.')
    timer = setTimeout(() => resolve(answer), LONGEST_CHECK_MS)
  })
  try {
    return [await Promise.race([run(), late])].flat()
  } catch (error) {
    return [fail(scope, `cannot be checked: ${reasonOf(error)}`, 'Run doctor again.')]
  } finally {
    clearTimeout(timer)
  }
}
