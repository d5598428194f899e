// For programs. The format is promised in docs/rules.md: members are added, never changed.
import type { Environment } from '../../environment.ts'
import type { Position, Problem } from '../problem.ts'
import { countErrors } from '../problem.ts'
import { ruleAnchor } from '../rule-docs.ts'
import { type FileReport, jsonText, problemsOf, type Report } from './report.ts'

const FORMAT_VERSION = '1.0'

export const jsonReport: Report = (files, { env }) => {
  const report = {
    formatVersion: FORMAT_VERSION,
    files: files.map((file) => describeFile(file, env)),
    problems: problemsOf(files).map(describe),
    notes: files.flatMap(({ checked }) => checked?.notes ?? []),
  }
  return jsonText(report)
}

function describeFile({ file, checked, unreadable }: FileReport, env: Environment) {
  if (!checked) return { file, unreadable }
  const errors = countErrors(checked.problems)
  return {
    file,
    routes: checked.routes.length,
    errors,
    warnings: checked.problems.length - errors,
    needs: checked.variables.map(({ name, kind, required }) => ({
      name,
      kind,
      required,
      ...(kind === 'env' ? { set: Boolean(env[name]) } : {}),
    })),
  }
}

function describe({ rule, severity, file, start, end, pointer, path, message, hint, fix }: Problem) {
  const range = (from: Position, to: Position) => ({ start: from, end: to })
  return {
    rule,
    severity,
    file,
    start,
    end,
    pointer,
    path,
    message,
    ...(hint === undefined ? {} : { hint }),
    docs: ruleAnchor(rule),
    ...(fix && !fix.isPrivate
      ? { fix: { range: range(fix.start, fix.end), text: fix.text, title: fix.title } }
      : {}),
  }
}
