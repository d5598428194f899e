// The raw tree, already valid, to its final form: shorthands, variables, types, names, defaults. Driven by the schema.
import { conversions, convertedName } from './convert.ts'
import { expandOffline, expandText, type Lookup, subjectOf } from './expand.ts'
import { childPointer, parsePointer } from './pointer.ts'
import type { Finding } from './problem.ts'
import type { SchemaNode } from './schema.ts'
import { isTree, type SchemaWalk, type Tree } from './schema-walk.ts'
import type { Validator } from './validate.ts'

export interface Settled {
  readonly value: unknown
  readonly findings: readonly Finding[]
  /** Values that nobody wrote: each pointer and all that is inside it. */
  readonly defaults: ReadonlySet<string>
  /** Values that are not known: `${…}` left alone or not to be had. They hold the text as written. */
  readonly unknown: ReadonlySet<string>
}

export interface Settling {
  readonly schema: SchemaWalk
  readonly validator: Validator
  /** Absent: variables are left as they are. */
  readonly lookup: Lookup | undefined
}

/** What the walk carries along. */
interface Walk extends Settling {
  readonly findings: Finding[]
  readonly defaults: Set<string>
  readonly unknown: Set<string>
}

export function settle(tree: Tree, settling: Settling): Settled {
  const walk: Walk = { ...settling, findings: [], defaults: new Set(), unknown: new Set() }
  return { value: settleValue(settling.schema.root, tree, '', walk), ...walk }
}

function settleValue(node: SchemaNode, value: unknown, pointer: string, walk: Walk): unknown {
  const { 'x-shorthand': shorthand } = walk.schema.resolve(node)
  const whole = shorthand !== undefined && !isTree(value) ? { [shorthand]: value } : value
  const schema = walk.schema.select(node, whole)
  if (!schema) throw new Error(`schema and value part at ${pointer}`)
  if (Array.isArray(whole)) {
    return whole.map((item, index) =>
      settleValue(schema.items ?? {}, item, childPointer(pointer, index), walk),
    )
  }
  if (!isTree(whole)) return settleScalar(schema, whole, pointer, walk)
  return (schema.properties ? settleObject : settleMap)(schema, whole, pointer, walk)
}

function settleObject(schema: SchemaNode, value: Tree, pointer: string, walk: Walk): Tree {
  const entries = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const whole = walk.schema.resolve(property)
    if (whole['x-merged']) return []
    const at = childPointer(pointer, name)
    const written = Object.hasOwn(value, name)
    const given = written ? value[name] : defaultOf(whole, pointer)
    if (given === undefined) return []
    if (!written) walk.defaults.add(at)
    return [[convertedName(name, whole['x-type']), settleValue(property, given, at, walk)]]
  })
  return Object.fromEntries(entries)
}

/** Without a prototype: a lookup by a name from outside must not find `constructor`. */
function settleMap(schema: SchemaNode, value: Tree, pointer: string, walk: Walk): Tree {
  const map = Object.create(null)
  for (const [name, inner] of Object.entries(value)) {
    map[name] = settleValue(walk.schema.child(schema, name) ?? {}, inner, childPointer(pointer, name), walk)
  }
  return map
}

function settleScalar(schema: SchemaNode, raw: unknown, pointer: string, walk: Walk): unknown {
  if (typeof raw !== 'string') return raw
  const expanded = walk.lookup ? expandText(raw, walk.lookup) : expandOffline(raw)
  const outcome = expanded && ('message' in expanded ? expanded : convert(schema, raw, expanded.text, walk))
  if (outcome && 'value' in outcome) return outcome.value
  walk.unknown.add(pointer)
  if (outcome) walk.findings.push({ ...outcome, pointer })
  return raw
}

type Outcome = { readonly value: unknown } | Omit<Finding, 'pointer'>

function convert(schema: SchemaNode, raw: string, text: string, { validator }: Walk): Outcome {
  const type = schema['x-type']
  const converted = type === undefined ? { value: text } : conversions[type].convert(text)
  const subject = subjectOf(raw)
  if ('message' in converted) {
    return { ...converted, rule: `value/${type}`, message: subject + converted.message }
  }
  // Plain text was judged by the schema before; what came out of a variable was not.
  const refused = subject === '' ? undefined : validator.leaf(schema, converted.value)
  if (!refused) return converted
  const message = refused.rule === 'schema/length' ? refused.message : 'does not fit here'
  return { ...refused, rule: 'value/schema', message: subject + message }
}

function defaultOf(schema: SchemaNode, pointer: string): unknown {
  const name = parsePointer(pointer).at(-1) ?? ''
  return schema['x-default']?.replace('{name}', name) ?? schema.default
}
