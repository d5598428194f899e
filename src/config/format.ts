// Problems as people read them: place, message, advice, and the lines of the file with what may not be seen hidden.
import { printable } from '../printable.ts'
import { type Mask, maskText } from './mask.ts'
import { type Problem, placeOf, textOf } from './problem.ts'
import { bundleSchema } from './schema.ts'
import { walkSchema } from './schema-walk.ts'

export interface FormatOptions {
  readonly color: boolean
  /** Each problem is followed by its rule, to look up in docs/rules.md. */
  readonly rules?: boolean
}

const MAX_SHOWN = 100
const LINES_BEFORE = 2
const MAX_COLUMNS = 120
const HIDDEN = '•••'

/** `texts` holds the text of each file by the name under which problems mention it; without it there is no frame. */
export function formatProblems(
  problems: readonly Problem[],
  texts: ReadonlyMap<string, string>,
  { color, rules = false }: FormatOptions,
): string {
  const paint = color ? ansi : plain
  const errorsFirst = [...problems].sort(
    (a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'),
  )
  const schema = walkSchema(bundleSchema())
  const masks = new Map(
    [...texts].map(([file, text]) => [file, { lines: splitLines(text), mask: maskText(text, schema) }]),
  )
  const shown = errorsFirst.slice(0, MAX_SHOWN).map((problem) => {
    const source = masks.get(problem.file)
    const rule = rules ? paint.dim(`  [${problem.rule}]`) : ''
    if (!source) return headline(problem, problem.file, paint) + rule
    return [
      headline(problem, placeOf(problem), paint) + rule,
      ...frame(problem, source.lines, source.mask, paint),
    ].join('\n')
  })
  const more = problems.length > MAX_SHOWN ? [`… and ${problems.length - MAX_SHOWN} more`] : []
  return [...shown, ...more].join(texts.size > 0 ? '\n\n' : '\n')
}

type Paint = Record<'bold' | 'red' | 'yellow' | 'dim', (text: string) => string>

const plain: Paint = { bold: same, red: same, yellow: same, dim: same }
const ansi: Paint = { bold: sgr(1, 22), red: sgr(31, 39), yellow: sgr(33, 39), dim: sgr(2, 22) }

function headline(problem: Problem, place: string, paint: Paint): string {
  const label = problem.severity === 'warning' ? paint.yellow('warning  ') : ''
  return `${paint.bold(shown(place))}  ${label}${shown(textOf(problem))}`
}

function frame(
  { start, end, severity }: Problem,
  lines: readonly Line[],
  mask: Mask,
  paint: Paint,
): string[] {
  const last = Math.min(start.line, lines.length)
  const width = String(last).length
  const gutter = (label: string) => paint.dim(`${label.padStart(width + 4)} |`)
  const rendered = lines
    .slice(Math.max(0, last - 1 - LINES_BEFORE), last)
    .map((line) => render(line, mask, start.offset, end.offset))
  const { from, to } = rendered.at(-1) ?? { from: 0, to: 1 }
  // A long line is shown from a little before the mistake.
  const skipped = from > MAX_COLUMNS * 0.8 ? from - MAX_COLUMNS / 2 : 0
  const shown = rendered.map(({ text }, index) => {
    const number = String(last - rendered.length + 1 + index)
    return `${gutter(number)} ${text.slice(skipped, skipped + MAX_COLUMNS)}`.trimEnd()
  })
  const carets = '^'.repeat(Math.max(1, Math.min(to - from, skipped + MAX_COLUMNS - from)))
  const caret = (severity === 'warning' ? paint.yellow : paint.red)(carets)
  return [...shown, `${gutter('')} ${' '.repeat(from - skipped)}${caret}`]
}

interface Line {
  readonly text: string
  readonly offset: number
}

function splitLines(text: string): Line[] {
  let offset = 0
  return text.split('\n').map((line) => {
    const found = { text: line.replace(/\r$/, ''), offset }
    offset += line.length + 1
    return found
  })
}

/** A line as shown, and the columns at which a span of the file begins and ends in it. */
function render(
  line: Line,
  mask: Mask,
  start: number,
  end: number,
): { text: string; from: number; to: number } {
  let text = ''
  let width = 0
  let from: number | undefined
  let to: number | undefined
  let at = line.offset
  for (const character of line.text) {
    if (at >= start) from ??= width
    if (at >= end) to ??= width
    const isHidden = mask[at] === 1
    // A run of hidden characters is as wide as any other: its length is nobody's business either.
    const piece = isHidden ? (mask[at - 1] === 1 && at > line.offset ? '' : HIDDEN) : shown(character)
    text += piece
    width += displayWidth(piece)
    at += character.length
  }
  return { text, from: from ?? width, to: to ?? width }
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
const NO_WIDTH = /\p{Mark}|\u200b|\u200d|\ufeff/u

function displayWidth(piece: string): number {
  return [...piece].reduce(
    (sum, character) => sum + (WIDE.test(character) ? 2 : NO_WIDTH.test(character) ? 0 : 1),
    0,
  )
}

function same(text: string): string {
  return text
}

function sgr(on: number, off: number): (text: string) => string {
  return (text) => `\u001b[${on}m${text}\u001b[${off}m`
}

/** Of a file, which may be indented with tabs. */
function shown(text: string): string {
  return printable(text.replaceAll('\t', ' '))
}
