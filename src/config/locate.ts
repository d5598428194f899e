// JSON pointer → offsets in the YAML text, through aliases, merges and shorthands. No lines, no messages.
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from 'yaml'
import { targetOf } from './aliases.ts'
import { parsePointer } from './pointer.ts'

export interface Range {
  readonly start: number
  readonly end: number
}

/** The nearest thing in the text that a pointer leads to. */
export interface Place {
  readonly key: Range | undefined
  readonly value: Range | undefined
  /** Whether the pointer's own value is written in the file; an object's shorthand counts. */
  readonly exact: boolean
  /** The alias through which the text was reached, if any. */
  readonly alias: { readonly name: string; readonly offset: number } | undefined
  /** The value as written, for scalars. */
  readonly scalar: { readonly source: string; readonly value: unknown } | undefined
}

interface Cursor {
  readonly key: unknown
  readonly node: unknown
  readonly alias: Place['alias']
}

export function locate(document: Document, pointer: string): Place {
  let cursor = follow(document, { key: undefined, node: document.contents, alias: undefined })
  for (const segment of parsePointer(pointer)) {
    const next = step(document, cursor, segment)
    if (!next) return place(cursor, isScalar(cursor.node))
    cursor = follow(document, next)
  }
  return place(cursor, true)
}

function step(document: Document, { node, alias }: Cursor, segment: string): Cursor | undefined {
  if (isMap(node)) return findPair(document, node, segment, alias)
  const item = isSeq(node) ? node.items[Number(segment)] : undefined
  return item === undefined ? undefined : { key: undefined, node: item, alias }
}

/** The last of two equal keys, as the value is read; a key of its own before a merged one. */
function findPair(
  document: Document,
  map: YAMLMap,
  segment: string,
  alias: Place['alias'],
): Cursor | undefined {
  const own = indexOf(map).get(segment)
  if (own) return { key: own.key, node: own.value, alias }
  for (const { key, value } of map.items) {
    if (keyText(key) !== '<<') continue
    const source = follow(document, { key, node: value, alias })
    const items = isSeq(source.node) ? source.node.items : [source.node]
    for (const item of items) {
      const merged = follow(document, { ...source, node: item })
      const found = isMap(merged.node) && findPair(document, merged.node, segment, merged.alias)
      if (found) return found
    }
  }
  return undefined
}

/** A file may have tens of thousands of names in one map, and as many mistakes. */
const indexes = new WeakMap<YAMLMap, ReadonlyMap<string | undefined, Pair>>()

function indexOf(map: YAMLMap): ReadonlyMap<string | undefined, Pair> {
  const known = indexes.get(map) ?? new Map(map.items.map((pair) => [keyText(pair.key), pair]))
  indexes.set(map, known)
  return known
}

const keyText = (key: unknown) => (isScalar(key) ? String(key.source ?? key.value) : undefined)

function follow(document: Document, cursor: Cursor): Cursor {
  const { node } = cursor
  if (!isAlias(node)) return cursor
  return {
    key: cursor.key,
    node: targetOf(document, node),
    alias: { name: node.source, offset: node.range?.[0] ?? 0 },
  }
}

function place({ key, node, alias }: Cursor, exact: boolean): Place {
  const scalar = isScalar(node) ? { source: node.source ?? String(node.value), value: node.value } : undefined
  return { key: rangeOf(key), value: rangeOf(node), exact, alias, scalar }
}

function rangeOf(node: unknown): Range | undefined {
  const range = (node as Node | null | undefined)?.range
  return range ? { start: range[0], end: range[1] } : undefined
}
