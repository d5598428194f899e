// SARIF 2.1.0, for code scanning. Columns count UTF-16 units, as ours do.
import { createHash } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import type { Position, Problem } from '../problem.ts'
import { ruleAnchor, ruleDoc } from '../rule-docs.ts'
import { type FileReport, jsonText, messageOf, problemsOf, type Report } from './report.ts'

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json'
const project = new URL('../../../', import.meta.url)

export const sarifReport: Report = (files, { pathOf, strict }) => {
  const problems = problemsOf(files)
  const ids = [...new Set(problems.map(({ rule }) => rule))].sort()
  const run = {
    tool: { driver: { name: 'mcp-oauth-gateway', rules: ids.map(describeRule) } },
    columnKind: 'utf16CodeUnits',
    invocations: [invocation(files)],
    results: problems.map((problem) => result(problem, ids, strict, pathOf)),
  }
  return jsonText({ $schema: SCHEMA, version: '2.1.0', runs: [run] })
}

function describeRule(id: string) {
  const { summary = id, why = '' } = ruleDoc(id) ?? {}
  return {
    id,
    shortDescription: { text: summary },
    fullDescription: { text: `${summary} ${why}` },
    help: { text: `${summary} ${why}`, markdown: `${summary} ${why}` },
    helpUri: new URL(ruleAnchor(id), project).href,
  }
}

function invocation(files: readonly FileReport[]) {
  const notifications = files.flatMap(({ unreadable }) =>
    unreadable === undefined ? [] : [{ level: 'error', message: { text: unreadable } }],
  )
  return {
    executionSuccessful: notifications.length === 0,
    ...(notifications.length === 0 ? {} : { toolExecutionNotifications: notifications }),
  }
}

function result(problem: Problem, ids: readonly string[], strict: boolean, pathOf: (file: string) => string) {
  const { rule, severity, file, start, end, fix } = problem
  const artifactLocation = { uri: uriOf(pathOf(file)) }
  const text = messageOf(problem)
  return {
    ruleId: rule,
    ruleIndex: ids.indexOf(rule),
    level: strict ? 'error' : severity,
    message: { text },
    locations: [{ physicalLocation: { artifactLocation, region: region(start, end) } }],
    // The same mistake on another line is the same alert.
    partialFingerprints: {
      'problem/v1': createHash('sha256').update(`${rule} ${problem.pointer} ${text}`).digest('hex'),
    },
    ...(fix && !fix.isPrivate ? { fixes: [describeFix(fix, artifactLocation)] } : {}),
  }
}

function describeFix(
  { start, end, text, title }: NonNullable<Problem['fix']>,
  artifactLocation: { uri: string },
) {
  const replacement = { deletedRegion: region(start, end), insertedContent: { text } }
  return {
    description: { text: title },
    artifactChanges: [{ artifactLocation, replacements: [replacement] }],
  }
}

function region(start: Position, end: Position) {
  return {
    startLine: start.line,
    startColumn: start.column,
    endLine: end.line,
    endColumn: end.column,
    charOffset: start.offset,
    charLength: Math.max(0, end.offset - start.offset),
  }
}

/** Relative where the path is: code scanning resolves it against the repository. */
function uriOf(path: string): string {
  return path.startsWith('/')
    ? pathToFileURL(path).href
    : encodeURI(path).replaceAll(/[#?]/g, encodeURIComponent)
}
