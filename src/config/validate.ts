// The raw value against the schema: one finding per mistake. Ajv judges; unions are judged by the branch that is meant.
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { type Context, findingFor, unionFinding } from './messages.ts'
import { isAmong, isWithin, parsePointer } from './pointer.ts'
import type { Finding } from './problem.ts'
import { ANNOTATIONS, type SchemaNode } from './schema.ts'
import { childValue, type SchemaWalk } from './schema-walk.ts'

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
  const errorsOf = createCompiler(walk.root)
  const expandedBounds = new WeakMap<SchemaNode, SchemaNode>()
  return {
    tree: (value, written) => judge({ schema: walk.root, value, pointer: '' }, { walk, written, errorsOf }),
    leaf: (schema, value) => {
      const bounds = expandedBounds.get(schema) ?? withoutPattern(schema)
      expandedBounds.set(schema, bounds)
      return judge({ schema: bounds, value, pointer: '' }, { walk, written: () => undefined, errorsOf })[0]
    },
  }
}

/** Ajv for any part of the schema, each compiled when it is first needed. */
function createCompiler(root: SchemaNode): Judge['errorsOf'] {
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    allowUnionTypes: true,
    strictTypes: false,
    // A test does, in strict mode; here it would cost every start the compilation of the meta-schema.
    validateSchema: false,
  })
  ajv.addVocabulary(ANNOTATIONS)
  ajv.addSchema(root, 'config')
  const compiled = new WeakMap<SchemaNode, ValidateFunction>()
  return ({ schema, value, pointer }) => {
    const validate = compiled.get(schema) ?? ajv.compile(absolute(schema))
    compiled.set(schema, validate)
    validate(value)
    return (validate.errors ?? []).map((error) => ({ ...error, instancePath: pointer + error.instancePath }))
  }
}

function judge(part: Part, judging: Judge): Finding[] {
  const errors = judging.errorsOf(part)
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath)
  const outermost = new Set(
    unions.filter((one) => !unions.some((other) => other !== one && isWithin(one, other))),
  )
  const elsewhere = errors.filter(({ instancePath }) => !isAmong(instancePath, outermost))
  return [
    ...elsewhere.flatMap((error) => findingFor(error, judging) ?? []),
    ...[...outermost].flatMap((union) => judgeUnion(union, part, judging)),
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

/** The patterns of secrets and of converted values speak about how they are written, not about what comes out. */
function withoutPattern(schema: SchemaNode): SchemaNode {
  const { pattern: _, ...bounds } = schema
  return schema['x-secret'] || schema['x-type'] ? bounds : schema
}

/** Compiled on its own, a node still refers to the definitions of the whole. */
function absolute(schema: SchemaNode): object {
  const { $defs: _, ...node } = schema
  return JSON.parse(JSON.stringify(node).replaceAll('"$ref":"#/', '"$ref":"config#/'))
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
