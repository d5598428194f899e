// Takes what the schema refused out of the tree, so that the rest can still be checked in the same run.
import { childPointer, parsePointer } from './pointer.ts'
import type { Finding } from './problem.ts'
import { childValue, isTree, type SchemaWalk, type Tree } from './schema-walk.ts'

export interface Discarded {
  readonly tree: Tree
  /** What is gone: nothing may be concluded from its absence. */
  readonly pointers: readonly string[]
}

export function discardRefused(tree: Tree, findings: readonly Finding[], walk: SchemaWalk): Discarded {
  const pointers = findings
    .filter(({ rule }) => rule !== 'schema/unknown')
    .map(({ rule, pointer }) => removable(tree, pointer, rule === 'schema/required', walk))
  const kept = pointers.length === 0 ? tree : (without(tree, '', new Set(pointers)) as Tree)
  return { tree: kept, pointers }
}

/** The smallest part around the pointer that its parent can do without. */
function removable(tree: Tree, pointer: string, missing: boolean, walk: SchemaWalk): string {
  const segments = parsePointer(pointer)
  // At the root everything can go: whoever needs it finds it among the pointers.
  let best = childPointer('', segments[0] ?? '')
  let at = ''
  let node = walk.select(walk.root, tree)
  let value: unknown = tree
  for (const segment of missing ? segments.slice(0, -1) : segments) {
    // Inside a value that is none of a union's branches there is nothing to keep.
    if (!node) break
    at = childPointer(at, segment)
    // A list without one item would shift the others away from their lines, so it goes whole.
    if (node.type !== 'array' && !node.required?.includes(segment)) best = at
    const inner = childValue(value, segment)
    const child = walk.child(node, segment)
    node = child && walk.select(child, inner)
    value = inner
  }
  return best
}

function without(value: unknown, pointer: string, gone: ReadonlySet<string>): unknown {
  if (Array.isArray(value))
    return value.map((item, index) => without(item, childPointer(pointer, index), gone))
  if (!isTree(value)) return value
  const kept = Object.entries(value)
    .map(([key, inner]) => ({ key, inner, at: childPointer(pointer, key) }))
    .filter(({ at }) => !gone.has(at))
  return Object.fromEntries(kept.map(({ key, inner, at }) => [key, without(inner, at, gone)]))
}
