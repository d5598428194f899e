// What to make of a text that was just saved: is it whole, or the first half of a save that is still under way? Pure.
// It never says that a text is good; that is the compiler's matter.
import { parseYaml } from '../config/parse.ts'
import { childValue, isTree, kindOf } from '../config/schema-walk.ts'

/**
 * Undefined: nothing speaks against it. Else why it is held, for people to read. `isValid` is asked only where a text
 * that is refused anyway is better refused at once, so that a typo is told without delay.
 */
export function suspicion(
  running: string,
  text: string,
  isValid: (text: string) => boolean,
): string | undefined {
  if (text === running) return undefined
  if (text.trim() === '') return 'it is empty'
  if (!text.endsWith('\n')) return 'its last line does not end in a newline'
  if (running.startsWith(text)) return 'it is the beginning of the text that runs'
  const doubt = endsEarly(running, text)
  return doubt !== undefined && isValid(text) ? doubt : undefined
}

type Path = readonly string[]

/**
 * A cut between two lines of an edited text is YAML as good as any, with routes or their `access` missing. It shows by
 * two signs together: something that runs is gone, and the text does not end where the running one ends.
 */
function endsEarly(running: string, text: string): string | undefined {
  const before = parseYaml(running).value
  const after = parseYaml(text).value
  if (!isTree(before) || !isTree(after)) return undefined
  const gone = firstGone(before, after)
  if (gone === undefined) return undefined
  const end = lastLeaf(before)
  const endsAlike = samePath(end, lastLeaf(after)) && valueAt(before, end) === valueAt(after, end)
  return endsAlike ? undefined : `it lacks ${gone.join('.')} and ends before the text that runs ends`
}

/** Losing a line here shuts a route for a moment at worst, and swapping it is the everyday edit that must not wait. */
const REPLACEABLE: ReadonlySet<string> = new Set(['auth', 'upstream'])

/** The first key or list item, in the order of the file, that only `before` has. */
function firstGone(before: unknown, after: unknown): Path | undefined {
  // `auth: none` where a block stood is an edit; a cut leaves nothing there.
  if (kindOf(after) === 'scalar' && after != null) return undefined
  for (const key of keysOf(before)) {
    if (!keysOf(after).includes(key)) return [key]
    if (REPLACEABLE.has(key)) continue
    const inner = firstGone(childValue(before, key), childValue(after, key))
    if (inner !== undefined) return [key, ...inner]
  }
  return undefined
}

function lastLeaf(value: unknown): Path {
  const key = keysOf(value).at(-1)
  return key === undefined ? [] : [key, ...lastLeaf(childValue(value, key))]
}

const keysOf = (value: unknown): string[] =>
  typeof value === 'object' && value !== null ? Object.keys(value) : []
const valueAt = (value: unknown, path: Path) => path.reduce(childValue, value)
const samePath = (a: Path, b: Path) => a.length === b.length && a.every((key, index) => key === b[index])
