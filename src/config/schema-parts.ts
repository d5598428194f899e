// Every part of the schema that a value may be judged by on its own, always in the same order: the generator of the
// validators and their user count on it.
import { createHash } from 'node:crypto'
import type { SchemaNode } from './schema.ts'
import type { SchemaWalk } from './schema-walk.ts'

export interface SchemaParts {
  /** The whole, then the branches of its unions. */
  readonly branches: readonly SchemaNode[]
  readonly leaves: readonly SchemaNode[]
}

export function schemaParts(walk: SchemaWalk): SchemaParts {
  const branches = [walk.root]
  const leaves: SchemaNode[] = []
  const seen = new Set<SchemaNode>()

  function visit(raw: SchemaNode): void {
    const node = walk.resolve(raw)
    if (seen.has(node)) return
    seen.add(node)
    for (const branch of node.anyOf ?? []) {
      branches.push(walk.resolve(branch))
      visit(branch)
    }
    for (const property of Object.values(node.properties ?? {})) visit(property)
    for (const property of Object.values(node.patternProperties ?? {})) visit(property)
    if (node.additionalProperties) visit(node.additionalProperties)
    if (node.items) visit(node.items)
    if (!node.anyOf && node.type !== 'object' && node.type !== 'array') leaves.push(node)
  }

  visit(walk.root)
  return { branches, leaves }
}

/** Tells whether the validators were made from this very schema. */
export function digestOf(schema: SchemaNode): string {
  return createHash('sha256').update(JSON.stringify(schema)).digest('hex')
}

/** Patterns of secrets and of converted values speak about how they are written, not about what comes out. */
export function afterExpansion(leaf: SchemaNode): SchemaNode {
  const { pattern, type, ...bounds } = leaf
  if (CHANGES_KIND.has(leaf['x-type'])) return bounds
  const kept = type === undefined ? bounds : { ...bounds, type }
  return leaf['x-secret'] || leaf['x-type'] || pattern === undefined ? kept : { ...kept, pattern }
}

/** Written as text with a unit, and then a number. */
const CHANGES_KIND = new Set<SchemaNode['x-type']>(['duration', 'size'])
