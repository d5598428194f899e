// The raw value against the schema: one finding per mistake. Ajv judges; unions are judged by the branch that is meant.
import type { ErrorObject } from 'ajv'
import { type Context, findingFor, unionFinding } from './messages.ts'
import { isAmong, parsePointer } from './pointer.ts'
import type { Finding } from './problem.ts'
import type { SchemaNode } from './schema.ts'
import { digestOf, schemaParts } from './schema-parts.ts'
import { childValue, type SchemaWalk } from './schema-walk.ts'
import * as generated from './validators.generated.ts'

/** Where there are so many there may be more. Nobody reads them, and explaining each takes time. */
export const MAX_FINDINGS = 1000

export interface Validator {
  /** Everything against the schema in the tree as it is written, `${…}` unexpanded; see `onePerMistake`. */
  tree(value: unknown, written: Context['written']): Finding[]
  /** The first mistake of a leaf's value after expansion. Its message may hold the value. */
  leaf(schema: SchemaNode, value: unknown): Finding | undefined
}

/** Part of the tree, and the schema it is judged by. */
interface Part {
  readonly schema: SchemaNode
  readonly value: unknown
  readonly pointer: string
}

interface Judge extends Context {
  readonly errorsOf: (part: Part) => ErrorObject[]
}

export function createValidator(walk: SchemaWalk): Validator {
  const judges = generatedJudges(walk)
  return {
    tree: (value, written) =>
      judge({ schema: walk.root, value, pointer: '' }, { walk, written, errorsOf: judges.of }),
    leaf: (schema, value) =>
      judge({ schema, value, pointer: '' }, { walk, written: () => undefined, errorsOf: judges.ofLeaf })[0],
  }
}

/** Ajv's verdict on a value by one part of the schema; the code is written when the project is built. */
function generatedJudges(walk: SchemaWalk): {
  readonly of: Judge['errorsOf']
  readonly ofLeaf: Judge['errorsOf']
} {
  if (generated.digest !== digestOf(walk.root)) {
    throw new Error('the validators were made from another schema: run npm run generate')
  }
  const { branches, leaves } = schemaParts(walk)
  const byBranch = new Map(branches.map((node, index) => [node, generated.branches[index]]))
  const byLeaf = new Map(leaves.map((node, index) => [node, generated.leaves[index]]))
  const errors = (validate: Generated | undefined, { value, pointer }: Part): ErrorObject[] => {
    // A value that nobody judges must not pass for a good one.
    if (!validate) throw new Error(`no validator for the part at ${pointer}`)
    validate(value)
    return (validate.errors ?? []).map((error) => ({ ...error, instancePath: pointer + error.instancePath }))
  }
  return {
    of: (part) => errors(byBranch.get(part.schema), part),
    ofLeaf: (part) => errors(byLeaf.get(part.schema), part),
  }
}

type Generated = ((value: unknown) => boolean) & { readonly errors?: ErrorObject[] | null }

function judge(part: Part, judging: Judge): Finding[] {
  const errors = judging.errorsOf(part)
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath)
  const all = new Set(unions)
  const outermost = new Set(unions.filter((one) => !isAmong(one.slice(0, one.lastIndexOf('/')), all)))
  const elsewhere = errors.filter(({ instancePath }) => !isAmong(instancePath, outermost))
  return [
    ...elsewhere.slice(0, MAX_FINDINGS).flatMap((error) => findingFor(error, judging) ?? []),
    ...[...outermost].slice(0, MAX_FINDINGS).flatMap((union) => judgeUnion(union, part, judging)),
  ]
}

/** A union's own errors speak about every branch at once. Judge again by the one branch that is meant. */
function judgeUnion(union: string, { schema, value, pointer }: Part, judging: Judge): Finding[] {
  const { walk } = judging
  let node: SchemaNode | undefined = walk.resolve(schema)
  let inner = value
  for (const segment of parsePointer(union.slice(pointer.length))) {
    node = node && walk.child(walk.select(node, inner) ?? {}, segment)
    inner = childValue(inner, segment)
  }
  if (!node) return []
  const branch = walk.select(node, inner)
  return branch
    ? judge({ schema: branch, value: inner, pointer: union }, judging)
    : [unionFinding(node, inner, union, judging)]
}

/** A value that breaks two rules is one mistake; so is a mistyped name and the required name it was meant to be. */
export function onePerMistake(findings: readonly Finding[]): Finding[] {
  const meant = new Set(findings.flatMap(({ meant: pointer }) => pointer ?? []))
  const seen = new Set<string>()
  return findings.filter(({ pointer, rule }) => {
    const repeated = seen.has(pointer) || (rule === 'schema/required' && meant.has(pointer))
    seen.add(pointer)
    return !repeated
  })
}
