// One line per problem, as compilers write them: editors and problem matchers read it.
import { printable } from '../../printable.ts'
import { messageOf, type Report } from './report.ts'

export const lineReport: Report = (files) =>
  files
    .flatMap(({ file, checked, unreadable }) => [
      ...(unreadable === undefined
        ? []
        : [`${printable(file)}:1:1: error: ${printable(unreadable)} [file/unreadable]`]),
      ...(checked?.problems ?? []).map(
        (problem) =>
          `${printable(file)}:${problem.start.line}:${problem.start.column}: ${problem.severity}: ${messageOf(problem)} [${problem.rule}]`,
      ),
    ])
    .map((line) => `${line}\n`)
    .join('')
