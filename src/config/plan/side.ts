// One of the two configurations of a plan: its settled values by pointer, each with what its schema says. Pure.
import type { Analysis } from '../analyse.ts'
import { convertedName } from '../convert.ts'
import { childPointer, isAmong, withAncestors } from '../pointer.ts'
import type { SchemaNode } from '../schema.ts'
import { isTree, type SchemaWalk, type Tree } from '../schema-walk.ts'
import { createSource, type Origin } from '../source.ts'
import type { Config } from '../types.ts'
import { type Variable, variablesIn } from '../variables.ts'
import { showValue } from './show.ts'
import { RELOAD_CLASSES, type ReloadClass } from './types.ts'

export interface Leaf {
  /** Equal for equal meaning. */
  readonly meaning: string
  readonly shown: string
  readonly reload: ReloadClass
  /** Nobody wrote it. */
  readonly isDefault: boolean
  /** Where it is written: a route's value may stand under `defaults`. */
  readonly written: string
}

export interface Side {
  /** Settled offline: what refers to the environment is still its text. */
  readonly config: Config
  readonly leaves: ReadonlyMap<string, Leaf>
  /** Named things: routes, users, authorization servers, clients. Each pointer, and what it is in one line. */
  readonly entries: ReadonlySet<string>
  readonly variables: readonly Variable[]
  line(pointer: string): number | undefined
  origin(pointer: string): Origin | 'defaults'
}

interface Walk {
  readonly schema: SchemaWalk
  readonly leaf: (node: SchemaNode, value: unknown, pointer: string, reload: ReloadClass) => void
  readonly entry: (pointer: string) => void
}

/** Undefined when the text is no configuration at all. */
export function readSide({ result, tree }: Analysis, schema: SchemaWalk): Side | undefined {
  if (result === undefined) return undefined
  const { settled, map } = result
  const leaves = new Map<string, Leaf>()
  const entries = new Set<string>()
  const source = createSource(map, settled.defaults)
  const walk: Walk = {
    schema,
    entry: (pointer) => entries.add(pointer),
    leaf: (node, value, pointer, reload) =>
      leaves.set(pointer, {
        meaning: meaningOf(node, value, pointer),
        shown: showValue(node, value),
        reload,
        isDefault: isAmong(pointer, settled.defaults),
        written: writtenAt(map.inherited, pointer),
      }),
  }
  visit(schema.root, settled.value, '', 'live', walk)
  return {
    config: settled.value as Config,
    leaves,
    entries,
    variables: variablesIn(tree),
    line: (pointer) => source.locate(pointer)?.line,
    origin: (pointer) => (isInherited(map.inherited, pointer) ? 'defaults' : source.origin(pointer)),
  }
}

function visit(node: SchemaNode, value: unknown, pointer: string, inherited: ReloadClass, walk: Walk): void {
  const schema = walk.schema.select(node, value)
  if (schema === undefined) return
  const reload = reloadOf(schema) ?? reloadOf(walk.schema.resolve(node)) ?? inherited
  if (isTree(value) && isEmpty(schema)) walk.entry(pointer)
  if (!isTree(value) || isEmpty(schema)) {
    walk.leaf(withItems(schema, walk.schema), value, pointer, reload)
  } else if (schema.properties) {
    visitObject(schema, value, pointer, reload, walk)
  } else {
    visitMap(schema, value, pointer, reload, walk)
  }
}

function visitObject(
  schema: SchemaNode,
  value: Tree,
  pointer: string,
  reload: ReloadClass,
  walk: Walk,
): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const inner = value[convertedName(name, walk.schema.resolve(property)['x-type'])]
    if (inner !== undefined) visit(property, inner, childPointer(pointer, name), reload, walk)
  }
}

function visitMap(schema: SchemaNode, value: Tree, pointer: string, reload: ReloadClass, walk: Walk): void {
  for (const [name, inner] of Object.entries(value)) {
    const child = walk.schema.child(schema, name) ?? {}
    const at = childPointer(pointer, name)
    if (child.properties) walk.entry(at)
    visit(child, inner, at, reload, walk)
  }
}

/** `none: {}` says something by being there. */
const isEmpty = ({ properties, additionalProperties }: SchemaNode) =>
  properties !== undefined && Object.keys(properties).length === 0 && !additionalProperties

const withItems = (schema: SchemaNode, walk: SchemaWalk): SchemaNode =>
  schema.items === undefined ? schema : { ...schema, items: walk.resolve(schema.items) }

const reloadOf = ({ 'x-reload': reload }: SchemaNode) => RELOAD_CLASSES.find((known) => known === reload)

/** Lists are sets, and so are scopes (RFC 6749 §3.3); but the first of several keys is the one that seals. */
function meaningOf({ items }: SchemaNode, value: unknown, pointer: string): string {
  if (Array.isArray(value) && !items?.['x-secret']) return JSON.stringify([...value].sort())
  if (typeof value === 'string' && pointer.endsWith('/auth/scope')) {
    return JSON.stringify(value.split(' ').sort().join(' '))
  }
  return JSON.stringify(value)
}

const isInherited = (inherited: ReadonlyMap<string, string>, pointer: string) =>
  writtenAt(inherited, pointer) !== pointer

function writtenAt(inherited: ReadonlyMap<string, string>, pointer: string): string {
  for (const part of withAncestors(pointer)) {
    const source = inherited.get(part)
    if (source !== undefined) return source + pointer.slice(part.length)
  }
  return pointer
}
