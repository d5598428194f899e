// Finds the part of the schema that speaks about a value. Knows `$ref`, objects, lists and unions, no rules.
import type { SchemaNode } from './schema.ts'

export interface SchemaWalk {
  readonly root: SchemaNode
  /** The node with its `$ref` followed; what stands beside the `$ref` wins. */
  resolve(node: SchemaNode): SchemaNode
  /** The one branch of a union that is meant by this value, or the node itself when it is no union. */
  select(node: SchemaNode, value: unknown): SchemaNode | undefined
  /** Every branch of a union that a value of this kind could mean. */
  candidates(node: SchemaNode, kind: Kind): readonly SchemaNode[]
  /** The schema of a property, map entry or list item of an already selected node. */
  child(node: SchemaNode, key: string): SchemaNode | undefined
}

export type Kind = 'map' | 'list' | 'scalar'
export type Tree = { readonly [key: string]: unknown }

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function kindOf(value: unknown): Kind {
  if (Array.isArray(value)) return 'list'
  return isTree(value) ? 'map' : 'scalar'
}

/** A list's item or a map's own entry; never what the prototype offers. */
export function childValue(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value[Number(key)]
  return isTree(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

export function walkSchema(root: SchemaNode): SchemaWalk {
  const $defs = root.$defs ?? {}
  // One object per node, so that others can key on it.
  const resolved = new WeakMap<SchemaNode, SchemaNode>()

  function resolve(node: SchemaNode): SchemaNode {
    if (node.$ref === undefined) return node
    const { $ref, ...beside } = node
    const whole = resolved.get(node) ?? { ...resolve($defs[definitionName($ref)] ?? {}), ...beside }
    resolved.set(node, whole)
    return whole
  }

  function candidates(node: SchemaNode, kind: Kind): readonly SchemaNode[] {
    const whole = resolve(node)
    const branches = whole.anyOf ? whole.anyOf.map(resolve) : [whole]
    return branches.filter((branch) => kindOfSchema(branch) === kind)
  }

  function select(node: SchemaNode, value: unknown): SchemaNode | undefined {
    const whole = resolve(node)
    if (!whole.anyOf) return whole
    const fitting = candidates(whole, kindOf(value))
    const [only] = fitting
    return fitting.length === 1 && only && !isTagged(only)
      ? only
      : fitting.find((branch) => fitsTag(branch, value))
  }

  function child(node: SchemaNode, key: string): SchemaNode | undefined {
    if (node.type === 'array') return node.items && resolve(node.items)
    if (node.properties && Object.hasOwn(node.properties, key)) return resolve(node.properties[key] ?? {})
    const pattern = Object.keys(node.patternProperties ?? {}).find((source) => new RegExp(source).test(key))
    if (pattern !== undefined) return node.patternProperties?.[pattern]
    return node.additionalProperties ? resolve(node.additionalProperties) : undefined
  }

  return { root, resolve, select, candidates, child }
}

/** Inside a compiled part, a `$ref` also names the whole: `config#/$defs/name`. */
const definitionName = ($ref: string) => $ref.slice($ref.indexOf('#/$defs/') + '#/$defs/'.length)

/** The `type` values that the object branches of a union stand for. */
export function tagsOf(branches: readonly SchemaNode[]): string[] {
  return branches.flatMap((branch) => branch.properties?.type?.const ?? []).map(String)
}

/** Told apart by a constant: its `type`, or the word it is. */
const isTagged = (branch: SchemaNode) =>
  branch.const !== undefined || branch.properties?.type?.const !== undefined

function fitsTag(branch: SchemaNode, value: unknown): boolean {
  if (!isTree(value)) return branch.const === undefined || branch.const === value
  const tag = branch.properties?.type
  if (Object.hasOwn(value, 'type')) return tag?.const === value.type
  return tag?.default !== undefined
}

function kindOfSchema(node: SchemaNode): Kind {
  if (node.type === 'array') return 'list'
  return node.type === 'object' ? 'map' : 'scalar'
}
