// `mcp-oauth-gateway validate`: checks configuration files without starting anything. Results go to stdout.
import { relative, resolve } from 'node:path'
import { checkConfig } from '../config/load.ts'
import { hasErrors } from '../config/problem.ts'
import { type Format, isFormat, reports } from '../config/report/index.ts'
import type { FileReport, ReportOptions } from '../config/report/report.ts'
import { didYouMean } from '../config/suggest.ts'
import { readArgs, UsageError } from './args.ts'
import { type ConfigText, configFile, readConfigText, UnreadableFile } from './config-file.ts'
import { EXIT } from './exit.ts'

const options = {
  config: { type: 'string', short: 'c' },
  format: { type: 'string' },
  strict: { type: 'boolean' },
  'require-env': { type: 'boolean' },
  fix: { type: 'boolean' },
  watch: { type: 'boolean' },
} as const

interface Task {
  readonly files: readonly string[]
  readonly format: Format
  readonly strict: boolean
  readonly requireEnv: boolean
  readonly fix: boolean
}

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = readArgs(args, options, true)
  const files = [...(values.config === undefined ? [] : [values.config]), ...positionals]
  const task = {
    files: files.length > 0 ? files : [configFile(undefined, process.env)],
    format: chosenFormat(values.format),
    strict: values.strict === true,
    requireEnv: values['require-env'] === true,
    fix: values.fix === true,
  }
  refuseStdin(task, { fix: task.fix, watch: values.watch === true })
  if (values.watch !== true) return validate(task)
  const { watchAndRepeat } = await import('./watch-files.ts')
  return watchAndRepeat(task.files, () => validate(task))
}

/** GitHub's own format where nobody asked for another one: its log is where problems are looked for. */
function chosenFormat(given: string | undefined): Format {
  if (given === undefined) return process.env.GITHUB_ACTIONS === 'true' ? 'github' : 'pretty'
  if (isFormat(given)) return given
  const names = Object.keys(reports)
  throw new UsageError('there is no such format', didYouMean(given, names) ?? `Formats: ${names.join(', ')}.`)
}

function refuseStdin({ files }: Task, flags: Readonly<Record<'fix' | 'watch', boolean>>): void {
  if (!files.includes('-')) return
  if (flags.fix) throw new UsageError('--fix edits files', 'Give the name of a file instead of -.')
  if (flags.watch) throw new UsageError('--watch needs files', 'Give the name of a file instead of -.')
  if (files.filter((file) => file === '-').length > 1) throw new UsageError('- can be read once')
}

async function validate(task: Task): Promise<number> {
  const found: FileReport[] = []
  for (const file of task.files) found.push(await validateFile(file, task))
  const report = await reports[task.format]()
  process.stdout.write(report(found, reportOptions(task)))
  return exitCode(found, task)
}

async function validateFile(file: string, task: Task): Promise<FileReport> {
  try {
    const source = await readConfigText(file)
    const text = task.fix ? await fixFile(source, task) : source.text
    return { file: source.file, text, checked: check({ ...source, text }, task), unreadable: undefined }
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error
    process.stderr.write(`${error.message}\n`)
    return { file, text: '', checked: undefined, unreadable: error.message }
  }
}

function check(source: ConfigText, { requireEnv }: Task) {
  return checkConfig({ ...source, env: requireEnv ? process.env : undefined })
}

/** What was changed goes where it does not get between a program and the report it reads. */
async function fixFile(source: ConfigText, task: Task): Promise<string> {
  const { mend } = await import('../config/fix.ts')
  const { text, fixed } = mend(source.text, (text) => check({ ...source, text }, task).problems)
  if (fixed.length === 0) return source.text
  const { rewriteFile } = await import('./rewrite-file.ts')
  await rewriteFile(source.file, source.text, text)
  const output = task.format === 'pretty' ? process.stdout : process.stderr
  for (const { file, start, path, rule, fix } of fixed) {
    const subject = path === '' ? '' : `${path}: `
    output.write(`${file}:${start.line}:${start.column}  fixed  ${subject}${fix?.title}  [${rule}]\n`)
  }
  return text
}

function reportOptions({ strict }: Task): ReportOptions {
  const { NO_COLOR, GITHUB_WORKSPACE } = process.env
  return {
    // https://no-color.org: any value but the empty one.
    color: process.stdout.isTTY === true && !NO_COLOR,
    strict,
    env: process.env,
    pathOf: (file) => (GITHUB_WORKSPACE ? insideOf(GITHUB_WORKSPACE, file) : file),
  }
}

/** Annotations and alerts are found by the path from the top of the repository. */
function insideOf(folder: string, file: string): string {
  const path = relative(folder, resolve(file))
  return path.startsWith('..') ? file : path
}

function exitCode(found: readonly FileReport[], { strict }: Task): number {
  if (found.some(({ checked }) => !checked)) return EXIT.unreadable
  const failed = found.some(({ checked }) => {
    const problems = checked?.problems ?? []
    return hasErrors(problems) || (strict && problems.length > 0)
  })
  return failed ? EXIT.failed : EXIT.ok
}
