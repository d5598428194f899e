// From pointers to lines: where each value of the configuration is written, and findings as problems with a place.
import type { Document, LineCounter } from 'yaml'
import type { Fault } from './fault.ts'
import { locate, type Place, type Range } from './locate.ts'
import { dottedPath, isAmong, withAncestors } from './pointer.ts'
import type { Finding, Fix, Position, Problem } from './problem.ts'

/** A preset's values are placed at the word that names the preset. */
export type Origin = 'file' | 'default' | 'preset'

export interface Source {
  /** Where the value is written; undefined when it is a default. Pointers use the names in the file. */
  locate(
    pointer: string,
  ): { readonly file: string; readonly line: number; readonly column: number } | undefined
  origin(pointer: string): Origin
}

export interface SourceMap {
  readonly file: string
  readonly lines: LineCounter
  readonly document: Document
  /** Routes' values that are written under `defaults`. */
  readonly inherited: ReadonlyMap<string, string>
  /** Values that a preset filled in, and where the preset is named. */
  readonly presets: ReadonlyMap<string, string>
}

export function createSource(map: SourceMap, defaults: ReadonlySet<string>): Source {
  const origin = (pointer: string): Origin => {
    if (map.presets.has(pointer)) return 'preset'
    return isAmong(pointer, defaults) ? 'default' : 'file'
  }
  return {
    origin,
    locate(pointer) {
      const { key, value, exact } = locate(map.document, written(map, pointer))
      const range = key ?? value
      if (!exact || !range || origin(pointer) === 'default') return undefined
      const { line, col } = map.lines.linePos(range.start)
      return { file: map.file, line, column: col }
    },
  }
}

export function placeFinding(map: SourceMap, finding: Finding): Problem {
  const { rule, severity = 'error', pointer: asked, message, hint } = finding
  const pointer = written(map, asked)
  const found = locate(map.document, pointer)
  const range = blamed(found, finding.at)
  const via =
    found.alias &&
    `It comes in through *${found.alias.name} on line ${map.lines.linePos(found.alias.offset).line}.`
  const advice = [hint, via].filter(Boolean).join(' ')
  return {
    rule,
    severity,
    file: map.file,
    start: position(map.lines, range.start),
    end: position(map.lines, range.end),
    pointer,
    path: dottedPath(pointer),
    message: pointer === '' ? `the file ${message}` : message,
    ...(advice === '' ? {} : { hint: advice }),
    ...fixOf(map, finding, found, range),
  }
}

/** Not through an alias: the text serves other places too. Not for a value that is written nowhere. */
function fixOf(
  { lines }: SourceMap,
  { fix }: Finding,
  { alias, exact, key, scalar }: Place,
  range: Range,
): { readonly fix?: Fix } {
  if (!fix || alias || !exact || (range !== key && !scalar)) return {}
  const { text, title, isPrivate = false } = fix
  const [start, end] = [position(lines, range.start), position(lines, range.end)]
  return { fix: { start, end, text, title, isPrivate } }
}

export function placeFault(
  file: string,
  lines: LineCounter,
  { rule, message, hint, start, end, fix }: Fault,
): Problem {
  return {
    rule,
    severity: 'error',
    file,
    start: position(lines, start),
    end: position(lines, end),
    pointer: '',
    path: '',
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(fix && {
      fix: {
        ...fix,
        start: position(lines, fix.start),
        end: position(lines, fix.end),
      },
    }),
  }
}

/** The pointer under which the value stands in the file. */
function written({ inherited, presets }: SourceMap, pointer: string): string {
  const preset = presets.get(pointer)
  if (preset !== undefined) return preset
  for (const part of withAncestors(pointer)) {
    const source = inherited.get(part)
    if (source !== undefined) return source + pointer.slice(part.length)
  }
  return pointer
}

/** What the caret goes under: a missing value's place is its parent's name; an empty value has no width. */
function blamed({ key, value, exact, scalar }: Place, at: Finding['at']): Range {
  const isEmpty = value !== undefined && value.start === value.end
  const preferKey = at === 'key' || !exact || isEmpty
  const whole = exact && scalar !== undefined ? value : firstCharacter(value)
  return (preferKey ? (key ?? whole) : value) ?? { start: 0, end: 1 }
}

const firstCharacter = (range: Range | undefined) => range && { start: range.start, end: range.start + 1 }

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col), offset }
}
