// `mcp-oauth-gateway plan`: what an edit of the file would change, and for whom. Changes nothing itself.
import { existsSync } from 'node:fs'
import { type Analysis, analyse } from '../config/analyse.ts'
import { formatPlanMarkdown } from '../config/plan/markdown.ts'
import { planChanges, withNumbers } from '../config/plan/plan.ts'
import { formatPlan } from '../config/plan/pretty.ts'
import type { Plan } from '../config/plan/types.ts'
import { hasErrors } from '../config/problem.ts'
import { bundleSchema } from '../config/schema.ts'
import { walkSchema } from '../config/schema-walk.ts'
import { didYouMean } from '../config/suggest.ts'
import { ask, NotRunning } from '../control/client.ts'
import type { Numbers } from '../control/protocol.ts'
import { readArgs, UsageError } from './args.ts'
import { type ConfigText, configFile, readConfigText, UnreadableFile } from './config-file.ts'
import { EXIT } from './exit.ts'
import { textAt } from './git.ts'
import { printProblems } from './print-problems.ts'
import { json, painterFor } from './style.ts'

const options = {
  config: { type: 'string', short: 'c' },
  against: { type: 'string' },
  format: { type: 'string' },
  'exit-code': { type: 'boolean' },
} as const

/** `plan --exit-code`: there are changes. */
const CHANGES = 2

/** What the file is compared with. */
interface Before {
  readonly name: string
  /** Undefined: there was no file. */
  readonly text: string | undefined
  readonly numbers?: Numbers
}

type Format = (plan: Plan, file: string, against: string) => string

const FORMATS: Readonly<Record<string, Format>> = {
  pretty: (plan, _, against) => formatPlan(plan, against, painterFor(process.stdout)),
  md: formatPlanMarkdown,
  json: (plan, file, against) => json({ formatVersion: '1.0', file, against, ...plan }),
}

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = readArgs(args, options, true)
  if (positionals.length > 1) throw new UsageError('plan takes one file')
  const format = formatNamed(values.format ?? 'pretty')
  const file = configFile(values.config ?? positionals.find((name) => name !== '-'), process.env)
  try {
    const after = await readConfigText(positionals[0] ?? file)
    const before = await readBefore(values.against, file)
    return compare(before, after, format, values['exit-code'] === true)
  } catch (error) {
    if (!(error instanceof UnreadableFile || error instanceof NotRunning)) throw error
    process.stderr.write(`${error.message}\n`)
    return EXIT.unreadable
  }
}

function compare(before: Before, after: ConfigText, format: Format, exitCode: boolean): number {
  const now = analyse(after)
  if (hasErrors(now.problems)) {
    printProblems(now.problems, new Map([[after.file, after.text]]), process.stderr)
    return EXIT.failed
  }
  const plan = planChanges(analysisOf(before, after), now, walkSchema(bundleSchema()))
  if (plan === undefined) throw new UnreadableFile(before.name, 'it is no configuration')
  const counted = before.numbers === undefined ? plan : withNumbers(plan, before.numbers)
  process.stdout.write(format(counted, after.file, before.name))
  return exitCode && plan.changes.length > 0 ? CHANGES : EXIT.ok
}

function analysisOf({ name, text }: Before, { folder }: ConfigText): Analysis | undefined {
  if (text === undefined) {
    process.stderr.write(`${name}: there is no such file yet, so all of it is new\n`)
    return undefined
  }
  const analysis = analyse({ file: name, text, folder })
  if (hasErrors(analysis.problems)) {
    process.stderr.write(`${name} has mistakes: what they touch is not compared\n`)
  }
  return analysis
}

async function readBefore(against: string | undefined, file: string): Promise<Before> {
  if (against === 'running') return running(file)
  if (against === 'HEAD') return committed('HEAD', undefined, file)
  if (against !== undefined) return named(against, file)
  try {
    return await running(file)
  } catch (error) {
    if (!(error instanceof NotRunning)) throw error
    return committed('HEAD', undefined, file)
  }
}

/** A file, `REV:FILE`, or `REV` alone for the same file at another time. */
async function named(against: string, file: string): Promise<Before> {
  const colon = against.indexOf(':')
  if (existsSync(against) || (colon === -1 && against.includes('.yaml'))) {
    return { name: against, text: (await readConfigText(against)).text }
  }
  return colon === -1
    ? committed(against, undefined, file)
    : committed(against.slice(0, colon), against.slice(colon + 1), file)
}

async function running(file: string): Promise<Before> {
  const { text, generation } = await ask(file, process.env, 'GET /config')
  const numbers = await ask(file, process.env, 'GET /numbers')
  return { name: `what runs (generation ${generation})`, text, numbers }
}

async function committed(revision: string, path: string | undefined, file: string): Promise<Before> {
  const text = await textAt({ revision, path }, file)
  // Another path than the file's own was probably mistyped; its own was not there yet.
  if (text === undefined && path !== undefined && path !== file) {
    throw new UnreadableFile(`${revision}:${path}`, 'no such file in that revision')
  }
  return { name: `${revision}:${path ?? file}`, text }
}

function formatNamed(name: string): Format {
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
  if (format !== undefined) return format
  const known = Object.keys(FORMATS)
  throw new UsageError(`unknown format ${name}`, didYouMean(name, known) ?? `Use ${known.join(', ')}.`)
}
