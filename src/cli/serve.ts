// `mcp-oauth-gateway serve`: from arguments to a running gateway, and from signals to its end. The composition root.
import { readFileSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type App, type Source, startApp } from '../app.ts'
import { type DocumentFlags, documentFromFlags } from '../config/from-flags.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigError, describeProblem } from '../config/problem.ts'
import { createLog, type Log } from '../ops/log.ts'
import { stateFolder, stateIdForFile, stateIdForUrl } from '../store/state-folder.ts'
import { watchFile } from '../watch.ts'
import { banner, readyFields } from './banner.ts'
import { EXIT } from './exit.ts'
import { printProblems } from './print-problems.ts'
import { serveOptions } from './serve-options.ts'
import { version } from './version.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** What is served, and where its state goes. */
interface Plan {
  readonly source: Source
  /** The file to watch for edits; undefined when there is none, or none is wanted. */
  readonly watched: string | undefined
  readonly env: Environment
  readonly stateFolder: string
}

/** Resolves with the exit code once the gateway has ended. */
export async function run(args: string[]): Promise<number> {
  const options = serveOptions(args, process.env)
  const plan =
    options.kind === 'flags' ? planFromFlags(options.flags) : planFromFile(options.file, options.watch)
  let loaded: ReturnType<typeof load>
  try {
    loaded = load(plan)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    printProblems(error.problems, new Map([[plan.source.name, plan.source.text]]), process.stderr)
    return EXIT.config
  }
  const settings = loaded.config.observability.log
  const log = createLog(settings)
  for (const problem of loaded.warnings)
    log.warn('configuration warning', { problem: describeProblem(problem) })
  try {
    return await serve(plan, log, settings.format)
  } catch (error) {
    log.error('cannot start', { reason: reasonOf(error) })
    return EXIT.failed
  }
}

function load({ source: { name, folder, text }, env }: Plan) {
  return loadConfig({ file: name, folder, text, env })
}

function planFromFile(file: string, watch: boolean): Plan {
  const path = resolve(file)
  const env = process.env
  return {
    source: { name: file, folder: dirname(path), text: readFileSync(path, 'utf8') },
    watched: watch ? path : undefined,
    env,
    stateFolder: stateFolder(stateIdForFile(realpathSync(path)), env, process.platform),
  }
}

function planFromFlags(flags: DocumentFlags): Plan {
  const { text, env } = documentFromFlags(flags, process.env)
  return {
    source: { name: '(flags)', folder: process.cwd(), text },
    watched: undefined,
    env,
    stateFolder: stateFolder(
      stateIdForUrl(`http://localhost:${flags.port ?? 8002}`),
      process.env,
      process.platform,
    ),
  }
}

async function serve(plan: Plan, log: Log, format: 'auto' | 'pretty' | 'json'): Promise<number> {
  const app = await startApp({ source: plan.source, env: plan.env, stateFolder: plan.stateFolder, log })
  const watcher = plan.watched === undefined ? undefined : watch(plan.watched, plan.source, app, log)
  announce(plan, app, log, format)
  const signal = await ended()
  log.info('ending: new requests are refused, open ones may finish; a second signal ends at once', { signal })
  void ended().then(() => process.exit(EXIT.failed))
  await watcher?.close()
  await app.close()
  return EXIT.ok
}

function watch(file: string, source: Source, app: App, log: Log) {
  return watchFile({
    file,
    initialText: source.text,
    log,
    onText: async (text) => {
      try {
        const { generation, routes } = await app.reload(text)
        log.info('reloaded', { generation, routes: routes.size })
      } catch (error) {
        const { generation } = app.current()
        log.error('reload refused, the running configuration stays', { generation, reason: reasonOf(error) })
      }
    },
  })
}

function announce(plan: Plan, app: App, log: Log, format: 'auto' | 'pretty' | 'json'): void {
  const onTerminal = process.stderr.isTTY === true
  const input = {
    version: version(),
    gateway: app.current(),
    source: plan.source.name,
    initialUser: app.initialUser,
    showPassword: onTerminal,
  }
  if (format === 'pretty' || (format === 'auto' && onTerminal)) process.stderr.write(`${banner(input)}\n`)
  else log.info('ready', readyFields(input))
}

/** Resolves at the next request to end. */
function ended(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
