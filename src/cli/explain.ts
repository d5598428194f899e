// `mcp-oauth-gateway explain`: why a request is treated as it is, and what a setting means. From the file alone.
import { analyse } from '../config/analyse.ts'
import { type ExplainedRoute, explainRoute } from '../config/explain/route.ts'
import { type ExplainedSetting, explainSetting } from '../config/explain/setting.ts'
import { readSide, type Side } from '../config/plan/side.ts'
import { hasErrors } from '../config/problem.ts'
import { bundleSchema } from '../config/schema.ts'
import { type SchemaWalk, walkSchema } from '../config/schema-walk.ts'
import { didYouMean } from '../config/suggest.ts'
import { MCP_METHODS } from '../mcp-methods.ts'
import { readArgs, UsageError } from './args.ts'
import { configFile, readConfigText, UnreadableFile } from './config-file.ts'
import { EXIT } from './exit.ts'
import { routeInWords, settingInWords } from './explain-words.ts'
import { printProblems } from './print-problems.ts'
import { json, painterFor } from './style.ts'

const options = { config: { type: 'string', short: 'c' }, json: { type: 'boolean' } } as const

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = readArgs(args, options, true)
  if (positionals.length > 2) throw new UsageError('explain takes a route, METHOD PATH, or a setting')
  const [subject, path] = positionals
  const schema = walkSchema(bundleSchema())
  const output = new Output(values.json === true)
  // A setting needs no file, unless one is there that has a route of the same name.
  if (subject !== undefined && path === undefined && isSetting(subject)) {
    return output.setting(settingNamed(schema, subject))
  }
  const side = await readFile(configFile(values.config, process.env), schema)
  if (typeof side === 'number') return side
  if (path !== undefined || subject?.startsWith('/')) {
    const [method, at] = path === undefined ? ['POST', subject ?? ''] : [subject ?? '', path]
    return output.request(method.toUpperCase(), at, side)
  }
  if (subject === undefined) return output.routes(Object.keys(side.side.config.routes), side)
  if (Object.hasOwn(side.side.config.routes, subject)) return output.routes([subject], side)
  if (schema.child(schema.root, subject)) return output.setting(settingNamed(schema, subject))
  const routes = Object.keys(side.side.config.routes)
  const known = [...routes, ...Object.keys(schema.root.properties ?? {})]
  const hint = didYouMean(subject, known) ?? `Routes: ${routes.join(', ')}.`
  throw new UsageError(`there is no route or setting ${subject}`, hint)
}

/** A route's name has no dot. */
const isSetting = (subject: string) => /^[^/]+[.[]/.test(subject)

interface Read {
  readonly file: string
  readonly side: Side
}

class Output {
  readonly #json: boolean
  readonly #paint = painterFor(process.stdout)

  constructor(json: boolean) {
    this.#json = json
  }

  setting(setting: ExplainedSetting): number {
    process.stdout.write(this.#json ? json(setting) : settingInWords(setting, this.#paint))
    return EXIT.ok
  }

  routes(names: readonly string[], { file, side }: Read): number {
    const routes = names.flatMap((name) => explainRoute(side, name) ?? [])
    const words = (route: ExplainedRoute) => routeInWords(route, `POST ${route.path}`, file, this.#paint)
    process.stdout.write(this.#json ? json(routes) : routes.map(words).join('\n'))
    return EXIT.ok
  }

  async request(method: string, path: string, { file, side }: Read): Promise<number> {
    const found = Object.entries(side.config.routes).find(([, route]) => route.path === path)
    const route = found && explainRoute(side, found[0])
    if (route !== undefined && MCP_METHODS.includes(method)) {
      process.stdout.write(
        this.#json ? json([route]) : routeInWords(route, `${method} ${path}`, file, this.#paint),
      )
      return EXIT.ok
    }
    const answer =
      route === undefined ? await elsewhere(method, path) : `405: a route takes ${MCP_METHODS.join(', ')}`
    process.stdout.write(this.#json ? json({ method, path, answer }) : `${method} ${path} → ${answer}\n`)
    return EXIT.ok
  }
}

async function elsewhere(method: string, path: string): Promise<string> {
  const { ENDPOINTS } = await import('../endpoints/index.ts')
  const own = ENDPOINTS.some((endpoint) => endpoint.method === method && endpoint.path === path)
  if (own || path.startsWith('/.well-known/')) return 'the gateway itself, built in'
  return '404: no route has this path'
}

function settingNamed(schema: SchemaWalk, path: string): ExplainedSetting {
  const found = explainSetting(schema, path)
  if (!('unknown' in found)) return found
  const hint = found.meant === undefined ? undefined : `Did you mean "${found.meant}"?`
  throw new UsageError(`there is no setting ${found.unknown}`, hint)
}

/** An exit code when there is nothing to explain. */
async function readFile(file: string, schema: SchemaWalk): Promise<Read | number> {
  try {
    const source = await readConfigText(file)
    const analysis = analyse(source)
    const side = readSide(analysis, schema)
    if (side !== undefined && !hasErrors(analysis.problems)) return { file: source.file, side }
    printProblems(analysis.problems, new Map([[source.file, source.text]]), process.stderr)
    return EXIT.failed
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error
    process.stderr.write(`${error.message}\n`)
    return EXIT.unreadable
  }
}
