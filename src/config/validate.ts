// The raw value against the schema: one finding per mistake. Ajv judges; unions are judged by the branch that is meant.
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { type Context, findingFor, unionFinding } from './messages.ts'
import { isWithin, parsePointer } from './pointer.ts'
import type { Finding } from './problem.ts'
import { ANNOTATIONS, type SchemaNode } from './schema.ts'
import { childValue, type SchemaWalk } from './schema-walk.ts'

export interface Validator {
  /** Everything against the schema in the tree as it is written, `${…}` unexpanded; see `onePerMistake`. */
  tree(value: unknown, written: Context['written']): Finding[]
  /** The first mistake of a leaf's value after expansion. Its message may hold the value. */
  leaf(schema: SchemaNode, value: unknown): Finding | undefined
}

export function createValidator(walk: SchemaWalk): Validator {
  const ajv = new Ajv2020({ allErrors: true, verbose: true, allowUnionTypes: true, strictTypes: false })
  ajv.addVocabulary(ANNOTATIONS)
  ajv.addSchema(walk.root, 'config')
  const compiled = new WeakMap<SchemaNode, ValidateFunction>()
  const expandedBounds = new WeakMap<SchemaNode, SchemaNode>()

  function errorsOf(schema: SchemaNode, value: unknown, pointer: string): ErrorObject[] {
    const validate = compiled.get(schema) ?? ajv.compile(absolute(schema))
    compiled.set(schema, validate)
    validate(value)
    return (validate.errors ?? []).map((error) => ({ ...error, instancePath: pointer + error.instancePath }))
  }

  function findings(schema: SchemaNode, value: unknown, pointer: string, context: Context): Finding[] {
    const errors = errorsOf(schema, value, pointer)
    const unions = errors.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath)
    const outermost = unions.filter((one) => !unions.some((other) => other !== one && isWithin(one, other)))
    const elsewhere = errors.filter(
      (error) => !outermost.some((union) => isWithin(error.instancePath, union)),
    )
    const inUnions = new Set(outermost)
    return [
      ...elsewhere.flatMap((error) => findingFor(error, context) ?? []),
      ...[...inUnions].flatMap((union) => unionFindings(union, value, pointer, schema, context)),
    ]
  }

  /** A union's own errors speak about every branch at once. Judge again by the one branch that is meant. */
  function unionFindings(
    union: string,
    value: unknown,
    pointer: string,
    schema: SchemaNode,
    context: Context,
  ): Finding[] {
    let node: SchemaNode | undefined = walk.resolve(schema)
    let inner = value
    for (const segment of parsePointer(union.slice(pointer.length))) {
      node = node && walk.child(walk.select(node, inner) ?? {}, segment)
      inner = childValue(inner, segment)
    }
    if (!node) return []
    const branch = walk.select(node, inner)
    return branch ? findings(branch, inner, union, context) : [unionFinding(node, inner, union, context)]
  }

  return {
    tree: (value, written) => findings(walk.root, value, '', { walk, written }),
    leaf: (schema, value) => {
      const bounds = expandedBounds.get(schema) ?? withoutPattern(schema)
      expandedBounds.set(schema, bounds)
      return findings(bounds, value, '', { walk, written: () => undefined })[0]
    },
  }
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
