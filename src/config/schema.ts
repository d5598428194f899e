// Joins the schema files into one self-contained document, for the validator, the generator and `schema`.
// It reads schema/ and nothing else; what the keywords mean is for others.
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'

/** A JSON Schema (2020-12) object with the annotations of this project. */
export interface SchemaNode {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, SchemaNode>>
  readonly title?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly pattern?: string
  readonly patternErrorMessage?: string
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>
  readonly propertyNames?: SchemaNode
  readonly additionalProperties?: SchemaNode | false
  readonly required?: readonly string[]
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  /** What an edit of this value costs: live | reconnect | reauthorize | relogin | restart. */
  readonly 'x-reload'?: string
  /** The text becomes a value of this type once variables are expanded. */
  readonly 'x-type'?: ValueType
  /** Never shown, and never written in the file itself. */
  readonly 'x-secret'?: true
  /** May well hold a secret: never shown. */
  readonly 'x-mask'?: true
  /** A bare scalar stands for an object with this one property. */
  readonly 'x-shorthand'?: string
  /** A default that is made from the name of the entry: `/{name}`. */
  readonly 'x-default'?: string
  /** Poured into other sections, then gone. */
  readonly 'x-merged'?: true
  /** Not read at all. */
  readonly 'x-free'?: true
}

export type ValueType = 'duration' | 'size' | 'integer' | 'boolean' | 'url' | 'origin'

export const ANNOTATIONS = [
  'patternErrorMessage',
  'x-reload',
  'x-type',
  'x-secret',
  'x-mask',
  'x-shorthand',
  'x-default',
  'x-merged',
  'x-free',
]

const SUFFIX = '.schema.json'
const schemaFolder = new URL('../../schema/', import.meta.url)

/** The schema as one document: each file and each shared definition under `$defs`. */
export function bundleSchema(): SchemaNode {
  const $defs: Record<string, SchemaNode> = {}
  const root = readSchema(`gateways${SUFFIX}`, $defs)
  return { ...root, $defs }
}

function readSchema(file: string, $defs: Record<string, SchemaNode>): SchemaNode {
  const { $defs: local = {}, ...node } = JSON.parse(readFileSync(new URL(file, schemaFolder), 'utf8'))
  for (const [name, definition] of Object.entries(local)) {
    $defs[definitionName(file, name)] = rewrite(definition, file, $defs) as SchemaNode
  }
  return rewrite(node, file, $defs) as SchemaNode
}

function rewrite(value: unknown, file: string, $defs: Record<string, SchemaNode>): unknown {
  if (Array.isArray(value)) return value.map((item) => rewrite(item, file, $defs))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .filter(([key]) => key !== '$schema' || file === `gateways${SUFFIX}`)
    .map(([key, inner]) => [
      key,
      key === '$ref' ? bundleRef(inner, file, $defs) : rewrite(inner, file, $defs),
    ])
  return Object.fromEntries(entries)
}

function bundleRef(ref: string, from: string, $defs: Record<string, SchemaNode>): string {
  const [path = '', fragment = ''] = ref.split('#')
  const file = path === '' ? from : posix.join(posix.dirname(from), path)
  const name = definitionName(file, fragment.replace('/$defs/', ''))
  if (path !== '' && !($defs[fileName(file)] || $defs[name])) {
    // Entered before it is read, so that files may refer to each other.
    $defs[fileName(file)] = {}
    const node = readSchema(file, $defs)
    if (Object.keys(node).some((key) => key !== 'description')) $defs[fileName(file)] = node
    else delete $defs[fileName(file)]
  }
  return `#/$defs/${name}`
}

const fileName = (file: string) => file.slice(0, -SUFFIX.length).replaceAll('/', '.')
const definitionName = (file: string, name: string) =>
  name === '' ? fileName(file) : `${fileName(file)}.${name}`
