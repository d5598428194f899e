// Which characters of a configuration may be shown. Only what is known to be harmless is: names, references, and values
// at schema leaves that hold no secret. Comments, unknown properties and secrets are not, wherever they stand.
import { type Document, isAlias, isMap, isScalar, isSeq, type YAMLMap } from 'yaml'
import { targetOf } from './aliases.ts'
import { type Lexeme, lexemes } from './lexemes.ts'
import { parseYaml } from './parse.ts'
import type { SchemaNode } from './schema.ts'
import type { Kind, SchemaWalk } from './schema-walk.ts'

/** One entry per character: 1 is hidden. */
export type Mask = Uint8Array

export function maskText(text: string, walk: SchemaWalk): Mask {
  const mask = new Uint8Array(text.length)
  const pieces = lexemes(text)
  const { document } = parseYaml(text)
  // Without a sound document nobody can say what a value is: a lost quote moves secrets into harmless places.
  if (document) {
    hideUnsafeValues(mask, document, walk)
    hideAsides(mask, pieces)
  } else showStructure(mask, pieces, propertyNames(walk.root))
  for (const [pattern, hidden] of OVERRULES) applyPattern(mask, text, pattern, hidden)
  return mask
}

/** What is hidden or shown wherever it stands, in this order. The first group of a match is what it applies to. */
const OVERRULES: readonly (readonly [pattern: RegExp, hidden: boolean])[] = [
  // What a URL may carry besides its place: user info, query, fragment.
  [/:\/\/([^\s"']*)@/dg, true],
  [/:\/\/[^\s"'?#]*[?#]([^\s"']+)/dg, true],
  // A reference names a variable or a file; its default may be anything.
  [/(\$\{(?:(?:env:)?[A-Za-z_]\w*|file:[^}\s"']+)\})/dg, false],
  [/(\$\{(?:env:)?[A-Za-z_]\w*:-)/dg, false],
]

function applyPattern(mask: Mask, text: string, pattern: RegExp, hidden: boolean): void {
  for (const { indices } of text.matchAll(pattern)) {
    const [start, end] = indices?.[1] ?? [0, 0]
    mask.fill(hidden ? 1 : 0, start, end)
  }
}

function hideUnsafeValues(mask: Mask, document: Document, walk: SchemaWalk): void {
  const expand = (schemas: readonly SchemaNode[], kind: Kind) =>
    schemas.flatMap((schema) => walk.candidates(schema, kind))

  function visit(node: unknown, schemas: readonly SchemaNode[]): void {
    if (isAlias(node)) visit(targetOf(document, node), schemas)
    else if (isMap(node)) visitMap(node, schemas)
    else if (isSeq(node)) {
      const items = expand(schemas, 'list').flatMap((schema) => schema.items ?? [])
      for (const item of node.items) visit(item, items)
    } else if (isScalar(node) && node.range && !isHarmless(expand(schemas, 'scalar'))) {
      const quote = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE' ? 1 : 0
      hide(mask, node.range[0] + quote, node.range[1] - quote)
    }
  }

  function visitMap({ items }: YAMLMap, schemas: readonly SchemaNode[]): void {
    const inside = expand(schemas, 'map')
    for (const { key, value } of items) {
      const name = isScalar(key) ? String(key.source ?? key.value) : ''
      // A merged map's names are this map's own.
      visit(value, name === '<<' ? schemas : inside.flatMap((schema) => walk.child(schema, name) ?? []))
    }
  }

  visit(document.contents, [walk.root])
}

/** Every schema that could apply to the value lets it be seen, and there is one. */
function isHarmless(schemas: readonly SchemaNode[]): boolean {
  return (
    schemas.length > 0 &&
    schemas.every((schema) => !(schema['x-secret'] || schema['x-mask'] || schema['x-free']))
  )
}

/** Comments, and anchors that nothing refers to: a secret that begins with & looks like one. */
function hideAsides(mask: Mask, pieces: readonly Lexeme[]): void {
  const aliases = new Set(pieces.filter(({ type }) => type === 'alias').map(({ source }) => source.slice(1)))
  for (const { type, source, offset } of pieces) {
    const isUnused = type === 'anchor' && !aliases.has(source.slice(1))
    if (type === 'comment' || isUnused) hide(mask, offset, offset + source.length)
  }
}

const STRUCTURE = new Set<string | null>([
  'byte-order-mark',
  'comma',
  'doc-end',
  'doc-start',
  'explicit-key-ind',
  'flow-map-end',
  'flow-map-start',
  'flow-seq-end',
  'flow-seq-start',
  'map-value-ind',
  'newline',
  'seq-item-ind',
  'space',
])

function showStructure(mask: Mask, pieces: readonly Lexeme[], known: ReadonlySet<string>): void {
  mask.fill(1)
  for (const [index, { type, source, offset }] of pieces.entries()) {
    const isKey = (known.has(source) || source === '<<') && pieces[index + 1]?.type === 'map-value-ind'
    if (STRUCTURE.has(type) || isKey) mask.fill(0, offset, offset + source.length)
  }
}

function propertyNames({ $defs = {}, ...root }: SchemaNode): ReadonlySet<string> {
  const names = (node: SchemaNode): string[] => [
    ...Object.keys(node.properties ?? {}),
    ...Object.values(node.properties ?? {}).flatMap(names),
    ...(node.anyOf ?? []).flatMap(names),
    ...(node.additionalProperties ? names(node.additionalProperties) : []),
  ]
  return new Set([root, ...Object.values($defs)].flatMap(names))
}

function hide(mask: Mask, start: number, end: number): void {
  mask.fill(1, start, end)
}
