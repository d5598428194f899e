// Mends a text by splicing: comments and layout stay as they are. It reads and writes no file.
import type { Fix, Problem } from './problem.ts'

export interface Mended {
  readonly text: string
  /** What was mended, in the order in which it was done; places are those of the moment. */
  readonly fixed: readonly Problem[]
}

/** Behind one syntax error may be the next. */
const MAX_ROUNDS = 200

/** Fixes until nothing can be fixed. `check` is asked again after every round: an edit may bring the next mistake to light. */
export function mend(text: string, check: (text: string) => readonly Problem[]): Mended {
  let current = { text, problems: check(text) }
  const fixed: Problem[] = []
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const chosen = applicable(current.problems)
    const next = splice(current.text, chosen)
    if (chosen.length === 0 || next === current.text) break
    const problems = check(next)
    if (!isBetter(problems, current.problems)) break
    fixed.push(...chosen)
    current = { text: next, problems }
  }
  return { text: current.text, fixed }
}

type Fixable = Problem & { readonly fix: Fix }

/** Of fixes that touch each other, the first; of names that would become the same one, none. */
function applicable(problems: readonly Problem[]): Fixable[] {
  const fixable = problems.filter((problem): problem is Fixable => problem.fix !== undefined)
  const names = new Map<string, number>()
  for (const problem of fixable) names.set(nameAfter(problem), (names.get(nameAfter(problem)) ?? 0) + 1)
  let end = -1
  return fixable
    .filter((problem) => problem.rule !== 'schema/unknown' || names.get(nameAfter(problem)) === 1)
    .sort((a, b) => a.fix.start.offset - b.fix.start.offset)
    .filter(({ fix }) => {
      if (fix.start.offset < end) return false
      end = fix.end.offset
      return true
    })
}

const nameAfter = ({ pointer, rule, fix }: Fixable) =>
  `${rule} ${pointer.slice(0, pointer.lastIndexOf('/'))} ${fix.text}`

function splice(text: string, problems: readonly Fixable[]): string {
  let mended = ''
  let from = 0
  for (const { fix } of problems) {
    mended += text.slice(from, fix.start.offset) + fix.text
    from = fix.end.offset
  }
  return mended + text.slice(from)
}

/** A text that no longer reads as YAML, or that stops at an earlier place, is no improvement. */
function isBetter(after: readonly Problem[], before: readonly Problem[]): boolean {
  const brokenAt = (problems: readonly Problem[]) =>
    problems.find(({ rule }) => rule.startsWith('yaml/'))?.start.offset ?? Number.POSITIVE_INFINITY
  return brokenAt(after) >= brokenAt(before)
}
