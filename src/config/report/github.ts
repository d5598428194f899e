// Annotations of a pull request: workflow commands of GitHub Actions, which shows the first ten of each kind.
import { countErrors, type Problem } from '../problem.ts'
import { type FileReport, messageOf, problemsOf, type Report } from './report.ts'

export const githubReport: Report = (files, { pathOf }) => {
  const commands = [
    ...files.flatMap(({ file, unreadable }) =>
      unreadable === undefined ? [] : [command('error', { file: pathOf(file) }, unreadable)],
    ),
    ...problemsOf(files).map((problem) => annotation(problem, pathOf)),
    ...files.flatMap(({ checked }) =>
      (checked?.notes ?? []).map(({ file, line, column, message }) =>
        command('notice', { file: pathOf(file), line, col: column, title: 'to do outside' }, message),
      ),
    ),
  ]
  return [...commands, ...files.flatMap(summary)].map((line) => `${line}\n`).join('')
}

function annotation(
  { file, start, end, rule, severity, ...rest }: Problem,
  pathOf: (file: string) => string,
) {
  // GitHub ignores columns of a range over several lines, and complains about them.
  const endColumn = end.line === start.line ? { endColumn: Math.max(end.column, start.column) } : {}
  const properties = {
    file: pathOf(file),
    line: start.line,
    col: start.column,
    endLine: end.line,
    ...endColumn,
    title: rule,
  }
  return command(severity, properties, messageOf({ file, start, end, rule, severity, ...rest }))
}

function command(
  name: string,
  properties: Readonly<Record<string, string | number>>,
  message: string,
): string {
  const list = Object.entries(properties).map(([key, value]) => `${key}=${escapeProperty(String(value))}`)
  return `::${name} ${list.join(',')}::${escapeData(message)}`
}

function summary({ file, checked }: FileReport): string[] {
  if (!checked) return []
  const errors = countErrors(checked.problems)
  const warnings = checked.problems.length - errors
  return [escapeData(`${file}: ${errors} errors, ${warnings} warnings`).replaceAll('::', ': :')]
}

/** github.com/actions/toolkit, core/src/command.ts: these and no others. */
const escapeData = (text: string) =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
const escapeProperty = (text: string) => escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
