// For people: code frames, then one line per file, then what the file needs from elsewhere.
import { formatProblems } from '../format.ts'
import { countErrors } from '../problem.ts'
import type { Variable } from '../variables.ts'
import type { FileReport, Report, ReportOptions } from './report.ts'

export const prettyReport: Report = (files, options) => files.map((file) => describe(file, options)).join('')

function describe({ file, text, checked }: FileReport, { color, env }: ReportOptions): string {
  // Why a file cannot be read is told on stderr.
  if (!checked) return ''
  const { problems, variables, notes } = checked
  const texts = new Map([[file, text]])
  const frames = problems.length === 0 ? '' : `${formatProblems(problems, texts, { color, rules: true })}\n\n`
  const outside = notes.map(({ message, line }) => `  ${message}  (line ${line})\n`).join('')
  return [
    `${frames}${file}: ${summary(checked)}\n`,
    needs(variables, env),
    outside === '' ? '' : `outside this file:\n${outside}`,
  ].join('')
}

function summary({ problems, routes }: NonNullable<FileReport['checked']>): string {
  const errors = countErrors(problems)
  const warnings = problems.length - errors
  return [
    ...(errors > 0 ? [count(errors, 'error')] : ['ok', count(routes.length, 'route')]),
    ...(warnings > 0 ? [count(warnings, 'warning')] : []),
  ].join(', ')
}

/** What has to be there when the gateway starts. Whether it is set, never what it holds. */
function needs(found: readonly Variable[], env: ReportOptions['env']): string {
  if (found.length === 0) return ''
  const width = Math.max(...found.map(({ name }) => name.length))
  const lines = found.map((variable) => `  ${variable.name.padEnd(width)}  ${stateOf(variable, env)}\n`)
  return `needs:\n${lines.join('')}`
}

function stateOf({ name, kind, required }: Variable, env: ReportOptions['env']): string {
  if (kind === 'file') return 'file'
  if (env[name]) return 'set'
  return required ? 'unset' : 'unset, has a default'
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`
