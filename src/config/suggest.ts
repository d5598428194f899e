// "Did you mean": the candidate nearest to a mistyped word, if any is near enough to be worth naming.

/** The candidate that differs in case or separators only, else the one fewest edits away. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  return nearest(word, candidates)[0]
}

/** The candidate that must be meant: no other one is near enough. */
export function onlyClosest(word: string, candidates: readonly string[]): string | undefined {
  const [best, ...others] = nearest(word, candidates)
  return others.length === 0 ? best : undefined
}

function nearest(word: string, candidates: readonly string[]): string[] {
  const folded = fold(word.slice(0, MAX_LENGTH))
  const same = candidates.filter((candidate) => fold(candidate) === folded)
  if (same.length > 0) return same
  return candidates
    .slice(0, MAX_CANDIDATES)
    .map((candidate) => ({ candidate, limit: tolerance(Math.min(word.length, candidate.length)) }))
    .filter(({ candidate, limit }) => Math.abs(candidate.length - word.length) <= limit + SEPARATORS)
    .map((one) => ({ ...one, edits: editDistance(folded, fold(one.candidate)) }))
    .filter(({ limit, edits }) => edits <= limit)
    .sort((a, b) => a.edits - b.edits)
    .map(({ candidate }) => candidate)
}

/** Thousands of mistakes in a file of thousands of names must not take minutes. */
const MAX_CANDIDATES = 200
const MAX_LENGTH = 100
/** Dashes and the like do not count as letters, so lengths may differ by some more. */
const SEPARATORS = 4

/** `Did you mean "x"?` or undefined. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const candidate = closest(word, candidates)
  return candidate === undefined ? undefined : `Did you mean "${candidate}"?`
}

/** A third of the letters, one at least; a word that is all wrong is no typo. */
const tolerance = (length: number) => Math.min(length - 1, Math.max(1, Math.floor(length / 3)))

const fold = (word: string) => word.toLowerCase().replaceAll(/[-_ ]/g, '')

/** Optimal string alignment: insert, delete, replace and swap of neighbours count one each. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = at(previous, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1)
      const swapped =
        a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
          ? at(beforePrevious, column - 2) + 1
          : Number.POSITIVE_INFINITY
      current.push(Math.min(at(previous, column) + 1, at(current, column - 1) + 1, replaced, swapped))
    }
    beforePrevious = previous
    previous = current
  }
  return at(previous, b.length)
}

const at = (row: readonly number[], column: number) => row[column] ?? Number.POSITIVE_INFINITY
