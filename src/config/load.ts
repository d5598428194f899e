// The door to the configuration: text and environment → a frozen Config, or every problem that one run can find.
import type { Environment } from '../environment.ts'
import { analyse, type CheckInput, namesIn } from './analyse.ts'
import { type Note, notesOf } from './notes.ts'
import { ConfigError, hasErrors, type Problem } from './problem.ts'
import { createSource, type Source } from './source.ts'
import type { Config } from './types.ts'
import { type Variable, variablesIn } from './variables.ts'

export type { CheckInput } from './analyse.ts'
export { formatProblems } from './format.ts'
export { ConfigError, type Problem } from './problem.ts'
export type { Source } from './source.ts'

export interface LoadInput extends CheckInput {
  readonly env: Environment
}

export interface Loaded {
  readonly config: Config
  readonly source: Source
  readonly warnings: readonly Problem[]
  /** Absolute paths that `${file:…}` refers to. */
  readonly secretFiles: readonly string[]
}

export interface Checked {
  readonly problems: readonly Problem[]
  readonly variables: readonly Variable[]
  readonly routes: readonly string[]
  /** What is left to do elsewhere; none while there are errors. */
  readonly notes: readonly Note[]
}

/** Throws ConfigError. */
export function loadConfig(input: LoadInput): Loaded {
  const { problems, result, secretFiles } = analyse(input)
  if (!result || hasErrors(problems)) throw new ConfigError(problems, secretFiles)
  const { settled, map } = result
  const config = deepFreeze(settled.value) as Config
  return { config, source: createSource(map, settled.defaults), warnings: problems, secretFiles }
}

/** Never throws for what is in the file. Without `env` it needs no environment and reads no other file. */
export function checkConfig(input: CheckInput): Checked {
  const analysis = analyse(input)
  const { problems, tree } = analysis
  return {
    problems,
    variables: variablesIn(tree),
    routes: namesIn(tree, '/routes'),
    notes: hasErrors(problems) ? [] : notesOf(analysis),
  }
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
