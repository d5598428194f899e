// JUnit XML, which every CI shows: one suite per file, one case per problem, or one that passed.
import type { Problem } from '../problem.ts'
import { type FileReport, messageOf, type Report } from './report.ts'

export const junitReport: Report = (files, { strict }) => {
  const isFailure = ({ severity }: Problem) => strict || severity === 'error'
  const failures = files.flatMap(({ checked }) => (checked?.problems ?? []).filter(isFailure)).length
  const errors = files.filter(({ checked }) => !checked).length
  const suites = files.map((file) => suite(file, isFailure))
  const tests = suites.reduce((sum, { tests }) => sum + tests, 0)
  const attributes = `name="mcp-oauth-gateway validate" tests="${tests}" failures="${failures}" errors="${errors}"`
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites ${attributes}>
${suites.map(({ xml }) => xml).join('\n')}
</testsuites>
`
}

function suite(
  { file, checked, unreadable = '' }: FileReport,
  isFailure: (problem: Problem) => boolean,
): { readonly xml: string; readonly tests: number } {
  const problems = checked?.problems ?? []
  const failures = problems.filter(isFailure).length
  const name = escapeXml(file)
  const cases = checked
    ? problems.map((problem) => testCase(problem, isFailure(problem)))
    : [
        `    <testcase classname="${name}" name="file/unreadable"><error message="${escapeXml(unreadable)}"/></testcase>`,
      ]
  if (checked && failures === 0) cases.push(`    <testcase classname="${name}" name="valid"/>`)
  const attributes = `name="${name}" tests="${cases.length}" failures="${failures}" errors="${checked ? 0 : 1}" skipped="0"`
  return { xml: `  <testsuite ${attributes}>\n${cases.join('\n')}\n  </testsuite>`, tests: cases.length }
}

function testCase(problem: Problem, isFailure: boolean): string {
  const { file, start, rule, severity } = problem
  const place = `${file}:${start.line}:${start.column}`
  const message = escapeXml(messageOf(problem))
  const text = escapeXml(`${place} ${messageOf(problem)}`)
  const body = isFailure
    ? `<failure type="${severity}" message="${message}">${text}</failure>`
    : `<system-out>${escapeXml(severity)}: ${text}</system-out>`
  return `    <testcase classname="${escapeXml(file)}" name="${escapeXml(`${rule} ${start.line}:${start.column}`)}">${body}</testcase>`
}

/** Besides the five of XML, characters that no XML document may hold, not even escaped. */
function escapeXml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;')
    .replaceAll('\n', '&#10;')
    .replaceAll('\r', '&#13;')
    .replaceAll('\t', '&#9;')
}
