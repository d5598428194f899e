// A settled value as a plan shows it: one spelling for one meaning, and nothing that may be a secret. Pure.
import { printable } from '../../printable.ts'
import { splitText } from '../expand.ts'
import type { SchemaNode, ValueType } from '../schema.ts'
import { isTree, type Tree } from '../schema-walk.ts'
import { durationText, sizeText } from '../units.ts'

export const HIDDEN = '•••'

const NUMBERS: Partial<Record<ValueType, (value: number) => string>> = {
  duration: durationText,
  size: sizeText,
}

export function showValue(schema: SchemaNode, value: unknown): string {
  if (Array.isArray(value)) {
    const items = schema.items ?? {}
    return `[${value.map((item) => showValue({ ...items, ...secrecy(schema) }, item)).join(', ')}]`
  }
  if (isTree(value)) return showMap(schema, value)
  if (schema['x-secret'] || schema['x-mask']) return onlyReferences(String(value))
  if (typeof value === 'number' && schema['x-type']) {
    return NUMBERS[schema['x-type']]?.(value) ?? String(value)
  }
  return typeof value === 'string' ? harmless(value) : JSON.stringify(value)
}

/** An item of a list: a key of a client. Only what its own schema speaks about is shown, and long values are cut. */
function showMap({ properties = {} }: SchemaNode, map: Tree): string {
  const members = Object.entries(map).map(([name, value]) => {
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined
    const isPlain = schema !== undefined && schema.$ref === undefined
    return `${name}: ${isPlain ? cut(showValue(schema, value)) : HIDDEN}`
  })
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
}

const cut = (text: string) => (text.length > 24 ? `${text.slice(0, 23)}…` : text)

const secrecy = (schema: SchemaNode) =>
  schema['x-secret'] || schema['x-mask'] ? { 'x-mask': true as const } : {}

/** A reference names a variable or a file; everything around it, and its default, may be anything. */
function onlyReferences(text: string): string {
  return splitText(text)
    .map((piece) => {
      if (piece.kind === 'file') return `\${file:${piece.path}}`
      if (piece.kind !== 'env') return HIDDEN
      return piece.fallback === undefined ? `\${${piece.name}}` : `\${${piece.name}:-${HIDDEN}}`
    })
    .join('')
}

/** What a URL may carry besides its place stays hidden, and a text cannot steer the terminal it is shown on. */
export function harmless(text: string): string {
  return printable(
    text
      .replaceAll(/:\/\/[^\s"']*@/g, `://${HIDDEN}@`)
      .replaceAll(/(:\/\/[^\s"'?#]*[?#])[^\s"']+/g, `$1${HIDDEN}`),
  )
}
