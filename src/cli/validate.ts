// `mcp-oauth-gateway validate`: checks configuration files without starting anything. Results go to stdout.
import { type Checked, checkConfig } from '../config/load.ts'
import { hasErrors } from '../config/problem.ts'
import type { Variable } from '../config/variables.ts'
import { readArgs } from './args.ts'
import { type ConfigText, configFile, readConfigText, UnreadableFile } from './config-file.ts'
import { EXIT } from './exit.ts'
import { printProblems } from './print-problems.ts'

const options = { config: { type: 'string', short: 'c' }, 'require-env': { type: 'boolean' } } as const

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = readArgs(args, options, true)
  const files = positionals.length > 0 ? positionals : [configFile(values.config, process.env)]
  const codes: number[] = []
  for (const file of files) codes.push(await validateFile(file, values['require-env'] === true))
  return Math.max(...codes)
}

async function validateFile(file: string, requireEnv: boolean): Promise<number> {
  const source = await readOrReport(file)
  if (!source) return EXIT.unreadable
  const checked = checkConfig({ ...source, env: requireEnv ? process.env : undefined })
  printProblems(checked.problems, new Map([[source.file, source.text]]), process.stdout)
  if (checked.problems.length > 0) process.stdout.write('\n')
  process.stdout.write(`${summary(source, checked)}\n${variables(checked.variables)}`)
  return hasErrors(checked.problems) ? EXIT.failed : EXIT.ok
}

async function readOrReport(file: string): Promise<ConfigText | undefined> {
  try {
    return await readConfigText(file)
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error
    process.stderr.write(`${error.message}\n`)
    return undefined
  }
}

function summary({ file }: ConfigText, { problems, routes }: Checked): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length
  const warnings = problems.length - errors
  const noted = [
    ...(errors > 0 ? [count(errors, 'error')] : ['ok', count(routes.length, 'route')]),
    ...(warnings > 0 ? [count(warnings, 'warning')] : []),
  ]
  return `${file}: ${noted.join(', ')}`
}

/** What has to be there when the gateway starts. Whether it is set, never what it holds. */
function variables(found: readonly Variable[]): string {
  if (found.length === 0) return ''
  const width = Math.max(...found.map(({ name }) => name.length))
  const lines = found.map((variable) => `  ${variable.name.padEnd(width)}  ${stateOf(variable)}\n`)
  return `needs:\n${lines.join('')}`
}

function stateOf({ name, kind, required }: Variable): string {
  if (kind === 'file') return 'file'
  if (process.env[name]) return 'set'
  return required ? 'unset' : 'unset, has a default'
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`
