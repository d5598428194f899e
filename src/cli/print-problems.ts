// Writes configuration problems to a terminal or a file, in colour where a person asked for none less.
import { formatProblems } from '../config/format.ts'
import { nameFlags } from '../config/from-flags.ts'
import type { Problem } from '../config/problem.ts'

export interface Output {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** `texts` holds each file's text by the name under which the problems mention it. */
export function printProblems(
  problems: readonly Problem[],
  texts: ReadonlyMap<string, string>,
  output: Output,
): void {
  if (problems.length === 0) return
  // https://no-color.org: any value but the empty one.
  const color = output.isTTY === true && !process.env.NO_COLOR
  output.write(`${formatProblems(nameFlags(problems), texts, { color })}\n`)
}
