// The conformance matrix: which tests prove which row of requirements.yaml and threats.yaml. Pure.
import { parse } from 'yaml'
import type { RegisteredTest } from './registered-tests.ts'

/** The revisions of the MCP specification that say something of authorization. */
export const REVISIONS = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] as const
type Revision = (typeof REVISIONS)[number]

export interface Row {
  readonly text: string
  readonly level?: string
  readonly role?: string
  readonly since?: Revision
  readonly until?: Revision
  readonly source?: string
  /** Why nothing proves it yet. */
  readonly open?: string
  readonly note?: string
}
export interface Group {
  readonly title: string
  readonly rows: Readonly<Record<string, Row>>
}
export type Groups = readonly Group[]

/** One line of a test file, and how many tests it adds. */
interface Proof {
  readonly file: string
  readonly name: string
  readonly count: number
}
type Proofs = ReadonlyMap<string, readonly Proof[]>

export const readGroups = (text: string): Groups => parse(text)

const ID = /\b(?:sec|spec)-[A-Za-z0-9]+/g
const LEADING_IDS = /^(?:(?:sec|spec)-[A-Za-z0-9]+,? ?)+: /

const idsOf = (name: string): string[] => [...new Set(name.match(ID) ?? [])]

function provenBy(tests: readonly RegisteredTest[]): Proofs {
  const proofs = new Map<string, Map<string, Proof>>()
  for (const { name, file, line } of tests) {
    for (const id of idsOf(name)) {
      const ofRow = proofs.get(id) ?? new Map<string, Proof>()
      const known = ofRow.get(line)
      ofRow.set(line, { file, name: known?.name ?? name, count: (known?.count ?? 0) + 1 })
      proofs.set(id, ofRow)
    }
  }
  return new Map([...proofs].map(([id, ofRow]) => [id, [...ofRow.values()]]))
}

/** What is wrong between the rows and the names, each as a sentence. */
export function faults(groups: Groups, tests: readonly RegisteredTest[]): string[] {
  const rows = new Map(groups.flatMap((group) => Object.entries(group.rows)))
  const proofs = provenBy(tests)
  const unknown = [...proofs].filter(([id]) => !rows.has(id))
  const unproven = [...rows].filter(([id, { open }]) => open === undefined && !proofs.has(id))
  const closed = [...rows].filter(([id, { open }]) => open !== undefined && proofs.has(id))
  return [
    ...unknown.map(([id, [proof]]) => `${proof?.file}: there is no row ${id}`),
    ...unproven.map(([id]) => `no test proves ${id}`),
    ...closed.map(([id]) => `${id} has a test: it is not open any more`),
  ]
}

/** The document that lies in docs/. */
export function render(
  intro: string,
  requirements: Groups,
  threats: Groups,
  tests: readonly RegisteredTest[],
): string {
  const proofs = provenBy(tests)
  const part = (heading: string, groups: Groups) => [
    `## ${heading}`,
    '',
    summary(groups, proofs),
    '',
    ...groups.flatMap(({ title, rows }) => [
      `### ${title}`,
      '',
      '| Row | What it says | Tests |',
      '|---|---|---|',
      ...Object.entries(rows).map(([id, row]) => tableLine(id, row, proofs.get(id) ?? [])),
      '',
    ]),
  ]
  return [intro, ...part('Requirements', requirements), ...part('Attacks', threats)]
    .join('\n')
    .trimEnd()
    .concat('\n')
}

function summary(groups: Groups, proofs: Proofs): string {
  const rows = groups.flatMap((group) => Object.entries(group.rows))
  const open = rows.filter(([, row]) => row.open !== undefined)
  const count = rows.flatMap(([id]) => proofs.get(id) ?? []).reduce((sum, proof) => sum + proof.count, 0)
  const are = open.length === 1 ? 'is' : 'are'
  return `${rows.length} rows, proven by ${count} tests; ${open.length} ${are} open.`
}

function tableLine(id: string, row: Row, proofs: readonly Proof[]): string {
  const said = [row.text, attributes(row), row.note, row.open && `**Open:** ${row.open}.`]
  const cell = said.filter((part) => part !== undefined && part !== '').join('<br>')
  return `| **${id}** | ${cell} | ${tests(proofs)} |`
}

function attributes({ level, role, since, until, source }: Row): string {
  const place = [level, role, level && revisions(since, until)]
    .filter((part) => part !== undefined)
    .join(', ')
  const said = [place, source].filter((part) => part !== undefined && part !== '').join('. ')
  return said === '' ? '' : `<sub>${said}</sub>`
}

function revisions(since: Revision | undefined, until: Revision | undefined): string {
  if (since !== undefined && until !== undefined) return `${since} to ${until}`
  if (until !== undefined) return until === REVISIONS[0] ? `${until} only` : `until ${until}`
  return since === undefined ? 'all revisions' : `since ${since}`
}

function tests(proofs: readonly Proof[]): string {
  const files = [...new Set(proofs.map(({ file }) => file))]
  return files
    .map((file) =>
      ofFile(
        file,
        proofs.filter((proof) => proof.file === file),
      ),
    )
    .join('<br>')
}

function ofFile(file: string, proofs: readonly Proof[]): string {
  const names = proofs.map(({ name, count }) => {
    const more = count === 1 ? '' : ` (and ${count - 1} more like it)`
    return `• ${asText(name.replace(LEADING_IDS, ''))}${more}`
  })
  return [`[${file.replace(/\.test\.ts$/, '')}](../test/${file})`, ...names].join('<br>')
}

/** As it reads, in a cell of a table. */
function asText(name: string): string {
  return name
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\|*_`[\]]/g, (char) => `\\${char}`)
}
