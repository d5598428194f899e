// What would make a document unsafe or surprising although its syntax is fine: tags, odd aliases, depth, directives.
// Messages name no anchor or tag: an unquoted secret that begins with * & or ! looks like one.
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, visit } from 'yaml'
import { targetOf } from './aliases.ts'
import { type Fault, fault, MAX_DEPTH } from './fault.ts'

/** More than anybody writes by hand. */
const MAX_ALIASES = 1000

export function structuralFaults(document: Document): Fault[] {
  if (countAliases(document) > MAX_ALIASES) {
    return [fault('alias', `more than ${MAX_ALIASES} aliases`, 0, 'Write the values out.')]
  }
  const faults: (Fault | undefined)[] = [directiveFault(document)]
  visit(document, {
    Node: (_, node, path) => {
      faults.push(tagFault(node), aliasFault(document, node, path))
    },
    Pair: (_, pair) => {
      faults.push(nameFault(pair), mergeFault(document, pair))
    },
  })
  const found = faults.filter((one) => one !== undefined)
  // Depth is measured through aliases, which have to be sound for that.
  return found.length === 0 ? depthFault(document) : found
}

function countAliases(document: Document): number {
  let count = 0
  visit(document, {
    Alias: () => {
      count += 1
    },
  })
  return count
}

function directiveFault({ directives }: Document): Fault | undefined {
  if (!directives?.yaml.explicit) return undefined
  return fault('directive', 'a %YAML directive changes how values are read', 0, 'Remove the line.')
}

function tagFault(node: Node): Fault | undefined {
  if (isAlias(node) || node.tag === undefined) return undefined
  const [start, end] = node.range ?? [0, 0]
  return fault(
    'tag',
    'tags (!name) are not used here',
    start,
    'Remove the tag; quote a value that begins with !.',
    end,
  )
}

function aliasFault(document: Document, node: Node, path: readonly unknown[]): Fault | undefined {
  if (!isAlias(node)) return undefined
  const [start, end] = node.range ?? [0, 0]
  const target = targetOf(document, node)
  if (!target) {
    const hint = 'Define the anchor first; quote a value that begins with *.'
    return fault('alias', 'there is no anchor of this name before the alias', start, hint, end)
  }
  if (!path.includes(target as Node)) return undefined
  return fault('alias', 'this alias contains itself', start, 'Write the values out.', end)
}

function nameFault({ key }: Pair): Fault | undefined {
  if (!isScalar(key) || key.value !== '__proto__') return undefined
  const [start, end] = key.range ?? [0, 0]
  return fault('key', 'this name cannot be used', start, 'Choose another.', end)
}

function mergeFault(document: Document, { key, value }: Pair): Fault | undefined {
  if (!isScalar(key) || key.source !== '<<' || key.type !== 'PLAIN' || isMergeSource(value, document))
    return undefined
  const [start, end] = key.range ?? [0, 0]
  return fault('merge', '<< merges maps only', start, 'Write `<<: *anchor` where the anchor is a map.', end)
}

function isMergeSource(value: unknown, document: Document): boolean {
  const target = isAlias(value) ? targetOf(document, value) : value
  if (isSeq(target)) return target.items.every((item) => !isSeq(item) && isMergeSource(item, document))
  return isMap(target)
}

/** An anchor's depth is known before any alias to it comes, so nothing is walked twice. */
function depthFault(document: Document): Fault[] {
  const known = new Map<unknown, number>()
  const measure = (node: unknown): number => {
    if (isAlias(node)) return known.get(targetOf(document, node)) ?? 0
    const inner = isSeq(node) ? node.items : isMap(node) ? node.items.map(({ value }) => value) : []
    const deepest = inner.reduce((depth: number, item) => Math.max(depth, measure(item)), 0)
    const depth = inner.length > 0 ? 1 + deepest : 0
    known.set(node, depth)
    return depth
  }
  if (measure(document.contents) <= MAX_DEPTH) return []
  return [
    fault('depth', `nested deeper than ${MAX_DEPTH} levels through aliases`, 0, 'Write the values out.'),
  ]
}
