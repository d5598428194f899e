// Text and environment → Config, or every problem that one run can find. The only I/O is reading `${file:…}`.
import { readFileSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { discardRefused } from './discard.ts'
import type { Lookup } from './expand.ts'
import { inheritDefaults } from './inherit.ts'
import { locate } from './locate.ts'
import { parseYaml } from './parse.ts'
import { isWithin } from './pointer.ts'
import { ConfigError, hasErrors, type Problem } from './problem.ts'
import { checkRules } from './rules/index.ts'
import { bundleSchema } from './schema.ts'
import { childValue, isTree, type Tree, walkSchema } from './schema-walk.ts'
import { type Settled, settle } from './settle.ts'
import { createSource, placeFault, placeFinding, type Source, type SourceMap } from './source.ts'
import type { Config } from './types.ts'
import { createValidator } from './validate.ts'
import { type Variable, variablesIn } from './variables.ts'

export { ConfigError, type Problem } from './problem.ts'
export type { Source } from './source.ts'

export interface CheckInput {
  /** As it is shown in messages. */
  readonly file: string
  readonly text: string
  /** Absent: `${…}` is left alone, and what depends on it is not checked. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Where relative `${file:…}` paths start. */
  readonly folder: string
  readonly readFile?: (path: string) => string
}

export interface LoadInput extends CheckInput {
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface Loaded {
  readonly config: Config
  readonly source: Source
  readonly warnings: readonly Problem[]
  /** Absolute paths that `${file:…}` refers to. */
  readonly secretFiles: readonly string[]
}

export interface Checked {
  /** In the order of the file. */
  readonly problems: readonly Problem[]
  readonly variables: readonly Variable[]
  readonly routes: readonly string[]
}

/** Throws ConfigError. */
export function loadConfig(input: LoadInput): Loaded {
  const { problems, settled, map, secretFiles } = analyse(input)
  if (!settled || !map || hasErrors(problems)) throw new ConfigError(problems)
  const config = deepFreeze(settled.value) as Config
  return { config, source: createSource(map, settled.defaults), warnings: problems, secretFiles }
}

/** Never throws for what is in the file. Without `env` it needs no environment and reads no other file. */
export function checkConfig(input: CheckInput): Checked {
  const { problems, tree } = analyse(input)
  return { problems, variables: variablesIn(tree), routes: namesIn(tree, '/routes') }
}

interface Analysis {
  readonly problems: readonly Problem[]
  readonly tree: unknown
  readonly settled?: Settled
  readonly map?: SourceMap
  readonly secretFiles: readonly string[]
}

const schema = walkSchema(bundleSchema())
const validator = createValidator(schema)

function analyse(input: CheckInput): Analysis {
  const { file, text } = input
  const { lines, document, value: tree, faults } = parseYaml(text)
  const broken = faults.map((fault) => placeFault(file, lines, fault))
  if (!document) return { problems: broken, tree: undefined, secretFiles: [] }

  const refused = validator.tree(tree, (pointer) => locate(document, pointer).scalar?.source)
  const bare: SourceMap = { file, lines, document, inherited: new Map() }
  const place = (map: SourceMap) => (finding: (typeof refused)[number]) => placeFinding(map, finding)
  if (!isTree(tree)) return { problems: inOrder([...broken, ...refused.map(place(bare))]), tree, secretFiles: [] }

  const rest = discardRefused(tree, refused, schema)
  const { tree: whole, sources } = inheritDefaults({ version: 1, routes: {}, ...rest.tree })
  const map: SourceMap = { ...bare, inherited: sources }
  const { lookup, secretFiles } = createLookup(input)
  const settled = settle(whole, { walk: schema, validator, lookup })
  const gone = rest.pointers
  const violations = checkRules(factsOf(input, tree, settled, gone, map), gone)
  const found = [...refused.map(place(bare)), ...[...settled.findings, ...violations].map(place(map))]
  return { problems: inOrder([...broken, ...found]), tree, settled, map, secretFiles }
}

function factsOf({ env }: CheckInput, tree: Tree, settled: Settled, gone: readonly string[], map: SourceMap) {
  const unknown = [...settled.unknown, ...gone]
  return {
    config: settled.value as Config,
    env,
    known: (pointer: string) => !unknown.some((part) => isWithin(pointer, part)),
    names: (pointer: string) => namesIn(tree, pointer),
    place: (pointer: string) => {
      const { start } = placeFinding(map, { rule: '', pointer, at: 'key', message: '' })
      return `${map.file}:${start.line}`
    },
  }
}

function createLookup({ env, folder, readFile = readText }: CheckInput) {
  const secretFiles: string[] = []
  if (env === undefined) return { lookup: undefined, secretFiles }
  const lookup: Lookup = {
    env,
    readFile(path) {
      const absolute = isAbsolute(path) ? path : resolve(folder, path)
      if (!secretFiles.includes(absolute)) secretFiles.push(absolute)
      return readFile(absolute)
    },
  }
  return { lookup, secretFiles }
}

/** By place; what several routes inherit from one line is one problem. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const distinct = new Map(problems.map((problem) => [`${problem.rule} ${problem.pointer} ${problem.message}`, problem]))
  return [...distinct.values()].sort((a, b) => a.start.offset - b.start.offset)
}

function namesIn(tree: unknown, pointer: string): string[] {
  const map = childValue(tree, pointer.slice(1))
  return isTree(map) ? Object.keys(map) : []
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}

const readText = (path: string) => readFileSync(path, 'utf8')
