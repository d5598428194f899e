// A settled value as a plan shows it: one spelling for one meaning, and nothing that may be a secret. Pure.
import { printable } from '../../printable.ts'
import { splitText } from '../expand.ts'
import type { SchemaNode, ValueType } from '../schema.ts'
import { isTree, type Tree } from '../schema-walk.ts'

export const HIDDEN = '•••'

const MS: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]
const BYTES: readonly (readonly [unit: string, bytes: number])[] = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
]

const NUMBERS: Partial<Record<ValueType, (value: number) => string>> = {
  duration: (ms) => {
    let rest = ms
    const parts = MS.map(([unit, size]) => {
      const count = Math.floor(rest / size)
      rest -= count * size
      return count === 0 ? '' : `${count}${unit}`
    })
    return parts.join('') || '0s'
  },
  size: (bytes) => {
    const [unit, size] = BYTES.find(([, one]) => bytes >= one && bytes % one === 0) ?? ['B', 1]
    return `${bytes / size}${unit}`
  },
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
