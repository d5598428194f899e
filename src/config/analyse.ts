// The pipeline: text → tree → schema → presets → variables, types, defaults → rules. Collects problems, never throws for them.
import { readFileSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import type { Document } from 'yaml'
import type { Environment } from '../environment.ts'
import { discardRefused } from './discard.ts'
import type { Lookup } from './expand.ts'
import { inheritDefaults } from './inherit.ts'
import { locate } from './locate.ts'
import { parseYaml } from './parse.ts'
import { isAmong, parsePointer } from './pointer.ts'
import { applyPresets } from './presets/apply.ts'
import type { Finding, Problem } from './problem.ts'
import { checkRules } from './rules/index.ts'
import type { Facts } from './rules/rule.ts'
import { bundleSchema } from './schema.ts'
import { childValue, isTree, type Tree, walkSchema } from './schema-walk.ts'
import { type Settled, settle } from './settle.ts'
import { placeFault, placeFinding, type SourceMap } from './source.ts'
import type { Config } from './types.ts'
import { createValidator, MAX_FINDINGS, onePerMistake } from './validate.ts'

export interface CheckInput {
  /** As it is shown in messages. */
  readonly file: string
  readonly text: string
  /** Absent: `${…}` is left alone, and what depends on it is not checked. */
  readonly env?: Environment | undefined
  /** Where relative `${file:…}` paths start. */
  readonly folder: string
  /** The text is for a process whose environment is what it is. */
  readonly isRunning?: boolean
  readonly readFile?: (path: string) => string
}

export interface Analysis {
  /** In the order of the file. */
  readonly problems: readonly Problem[]
  /** The raw tree, as far as the text is YAML. */
  readonly tree: unknown
  readonly result?: { readonly settled: Settled; readonly map: SourceMap }
  readonly secretFiles: readonly string[]
}

const schema = walkSchema(bundleSchema())
const validator = createValidator(schema)

export function analyse(input: CheckInput): Analysis {
  const { file, text } = input
  const { lines, document, value: tree, faults } = parseYaml(text)
  const broken = faults.map((fault) => placeFault(file, lines, fault))
  if (!document) return { problems: inOrder(broken), tree: undefined, secretFiles: [] }

  const refused = validator.tree(tree, writtenIn(document))
  const map: SourceMap = { file, lines, document, inherited: new Map(), presets: new Map() }
  const mistakes = onePerMistake(refused).map((finding) => placeFinding(map, finding))
  // What is refused but not known to be would look sound to what comes next.
  if (!isTree(tree) || refused.length >= MAX_FINDINGS)
    return { problems: inOrder([...broken, ...mistakes]), tree, secretFiles: [] }

  const rest = checkRest(input, tree, refused, map)
  return { ...rest, problems: inOrder([...broken, ...mistakes, ...rest.problems]), tree }
}

/** What the schema did not refuse goes on: later mistakes are found in the same run. */
function checkRest(input: CheckInput, tree: Tree, refused: readonly Finding[], bare: SourceMap) {
  const discarded = discardRefused(tree, refused, schema)
  const { lookup, secretFiles } = createLookup(input)
  const applied = applyPresets(discarded.tree, lookup)
  const inherited = inheritDefaults({ version: 1, routes: {}, ...applied.tree })
  const map: SourceMap = { ...bare, inherited: inherited.sources, presets: applied.sources }
  const settled = settle(inherited.tree, { schema, validator, lookup })
  const violations = checkRules(factsOf(input, tree, settled, discarded.pointers, map), discarded.pointers)
  const gone = new Set(discarded.pointers)
  const misapplied = applied.findings.filter(({ pointer }) => !isAmong(pointer, gone))
  const problems = [...misapplied, ...settled.findings, ...violations].map((finding) =>
    placeFinding(map, finding),
  )
  return { problems, result: { settled, map }, secretFiles }
}

function factsOf(
  { env }: CheckInput,
  tree: Tree,
  settled: Settled,
  gone: readonly string[],
  map: SourceMap,
): Facts {
  const unknown = new Set([...settled.unknown, ...gone])
  return {
    config: settled.value as Config,
    env,
    known: (pointer) => !isAmong(pointer, unknown),
    names: (pointer) => namesIn(tree, pointer),
    place: (pointer) => {
      const { start } = placeFinding(map, { rule: '', pointer, at: 'key', message: '' })
      return `${map.file}:${start.line}`
    },
  }
}

export function namesIn(tree: unknown, pointer: string): string[] {
  const map = parsePointer(pointer).reduce(childValue, tree)
  return isTree(map) ? Object.keys(map) : []
}

function createLookup({ env, folder, isRunning = false, readFile = readText }: CheckInput) {
  const secretFiles: string[] = []
  const lookup: Lookup | undefined = env && {
    env,
    isFixed: isRunning,
    readFile(path) {
      const absolute = isAbsolute(path) ? path : resolve(folder, path)
      if (!secretFiles.includes(absolute)) secretFiles.push(absolute)
      return readFile(absolute)
    },
  }
  return { lookup, secretFiles }
}

/** What several routes inherit from one line is one problem. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const identity = ({ rule, start, pointer, message }: Problem) =>
    [rule, start.offset, pointer, message].join('\n')
  const distinct = new Map(problems.map((problem) => [identity(problem), problem]))
  return [...distinct.values()].sort((a, b) => a.start.offset - b.start.offset)
}

const writtenIn = (document: Document) => (pointer: string) => locate(document, pointer).scalar?.source
const readText = (path: string) => readFileSync(path, 'utf8')
