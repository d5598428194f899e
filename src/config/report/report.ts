// What every format is made from, and the small things that several need. Formats are pure: values in, text out.
import type { Environment } from '../../environment.ts'
import { printable, printableJson } from '../../printable.ts'
import type { Checked } from '../load.ts'
import { type Problem, textOf } from '../problem.ts'

/** What became of one file. Without `checked` it could not be read. */
export interface FileReport {
  /** As it was given; `(stdin)` for standard input. */
  readonly file: string
  readonly text: string
  readonly checked: Checked | undefined
  readonly unreadable: string | undefined
}

export interface ReportOptions {
  readonly color: boolean
  /** Whether warnings count as errors. */
  readonly strict: boolean
  readonly env: Environment
  /** The path by which a file is known to whoever reads the report. */
  readonly pathOf: (file: string) => string
}

export type Report = (files: readonly FileReport[], options: ReportOptions) => string

/** All problems of all files, errors first: readers of machine formats show the first ten or so. */
export function problemsOf(files: readonly FileReport[]): Problem[] {
  const all = files.flatMap(({ checked }) => checked?.problems ?? [])
  return [
    ...all.filter(({ severity }) => severity === 'error'),
    ...all.filter(({ severity }) => severity !== 'error'),
  ]
}

/** Escaped where a terminal or an editor would act on it instead of showing it. */
export function jsonText(value: unknown): string {
  return `${printableJson(JSON.stringify(value, null, 2))}\n`
}

export const messageOf = (problem: Problem) => printable(textOf(problem))
