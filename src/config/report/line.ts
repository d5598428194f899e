// One line per problem, as compilers write them: editors and problem matchers read it.
import { messageOf, oneLine, type Report } from './report.ts'

export const lineReport: Report = (files) =>
  files
    .flatMap(({ file, checked, unreadable }) => [
      ...(unreadable === undefined
        ? []
        : [`${oneLine(file)}:1:1: error: ${oneLine(unreadable)} [file/unreadable]`]),
      ...(checked?.problems ?? []).map(
        (problem) =>
          `${oneLine(file)}:${problem.start.line}:${problem.start.column}: ${problem.severity}: ${messageOf(problem)} [${problem.rule}]`,
      ),
    ])
    .map((line) => `${line}\n`)
    .join('')
