// `mcp-oauth-gateway serve`: from arguments to a running gateway, and from signals to its end. The composition root.
import { readFileSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type App, type Source, startApp } from '../app.ts'
import { type DocumentFlags, documentFromFlags } from '../config/from-flags.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigError, describeProblem } from '../config/problem.ts'
import type { Config } from '../config/types.ts'
import { stateFoldersOf } from '../control/client.ts'
import { createControl } from '../control/control.ts'
import { type ControlServer, startControlServer } from '../control/server.ts'
import type { Environment } from '../environment.ts'
import { messageOf } from '../message-of.ts'
import { createLog, type LeveledLog } from '../ops/log.ts'
import { type Follower, followFile } from '../reload/follow.ts'
import { stateFolder, stateIdForFile, stateIdForUrl } from '../store/state-folder.ts'
import { banner, readyFields } from './banner.ts'
import { unreadable } from './config-file.ts'
import { EXIT } from './exit.ts'
import { printProblems } from './print-problems.ts'
import { serveOptions } from './serve-options.ts'
import { version } from './version.ts'

/** What is served, and whose state it is. */
interface Plan {
  readonly source: Source
  /** What SIGHUP and `reload` read; undefined when flags are all there is. */
  readonly file: string | undefined
  /** Whether edits of the file count by themselves. */
  readonly watch: boolean
  readonly env: Environment
  /** Asked once the text was found good: a port that is none makes no URL. */
  readonly stateId: (config: Config) => string
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
  const log = createLog(loaded.config.observability.log)
  for (const problem of loaded.warnings)
    log.warn('configuration warning', { problem: describeProblem(problem) })
  try {
    return await serve(plan, loaded.config, log)
  } catch (error) {
    log.error('cannot start', { reason: messageOf(error) })
    return EXIT.failed
  }
}

function load({ source: { name, folder, text }, env }: Plan) {
  return loadConfig({ file: name, folder, text, env })
}

function planFromFile(file: string, watch: boolean): Plan {
  const path = resolve(file)
  const text = readText(file)
  const id = stateIdForFile(realpathSync(path))
  return {
    source: { name: file, folder: dirname(path), text },
    file: path,
    watch,
    env: process.env,
    stateId: () => id,
  }
}

function readText(file: string): string {
  try {
    return readFileSync(resolve(file), 'utf8')
  } catch (error) {
    throw unreadable(file, error)
  }
}

function planFromFlags(flags: DocumentFlags): Plan {
  const { text, env } = documentFromFlags(flags, process.env)
  return {
    source: { name: '(flags)', folder: process.cwd(), text },
    file: undefined,
    watch: false,
    env,
    stateId: ({ server: { port } }) => stateIdForUrl(`http://localhost:${port}`),
  }
}

async function serve(plan: Plan, config: Config, log: LeveledLog): Promise<number> {
  const folder = stateFolder(plan.stateId(config), process.env, process.platform)
  const onApplied = ({ observability }: Config) => log.setLevel(observability.log.level)
  const { source, env, file, watch } = plan
  const app = await startApp({ source, env, stateFolder: folder, log, onApplied })
  const follower = file === undefined ? undefined : followFile({ file, app, log, watch })
  const control = follower && (await openControl(plan, folder, { app, follower, log }))
  process.on('SIGHUP', () => hangUp(follower, log))
  announce(plan, app, log, config.observability.log.format)
  const signal = await ended()
  void ended().then(() => process.exit(EXIT.failed))
  const openStreams = [...app.openStreams().values()].reduce((sum, open) => sum + open, 0)
  log.info('ending: open streams may finish for up to 20 s; a second signal ends at once', {
    signal,
    openStreams,
  })
  await control?.close()
  await follower?.close()
  await app.close()
  // Now: an upstream that still owes an answer must not hold the process up.
  process.exit(EXIT.ok)
}

/** Never ends the process: that is what a hang-up does to one that does not listen. */
function hangUp(follower: Follower | undefined, log: LeveledLog): void {
  if (follower === undefined) {
    log.warn('nothing to reload: there is no file')
    return
  }
  follower.reload().then(
    ({ kind, generation }) => {
      if (kind === 'unchanged') log.info('nothing to reload: the file says what runs', { generation })
    },
    (error: unknown) => log.error('the configuration file cannot be followed', { reason: messageOf(error) }),
  )
}

/** Found by the name of the file, too: a link may lead elsewhere by the time somebody asks. */
async function openControl(
  { source, file = '', env }: Plan,
  stateFolder: string,
  { app, follower, log }: { readonly app: App; readonly follower: Follower; readonly log: LeveledLog },
): Promise<ControlServer | undefined> {
  const control = createControl({ version: version(), app, source: source.name, file, follower })
  const alsoIn = stateFoldersOf(file, env).filter((folder) => folder !== stateFolder)
  return startControlServer({ control, stateFolder, alsoIn, log })
}

function announce(plan: Plan, app: App, log: LeveledLog, format: 'auto' | 'pretty' | 'json'): void {
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
