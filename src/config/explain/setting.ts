// What the schema says about one setting, or about the settings of a section. Pure.
import type { SchemaNode } from '../schema.ts'
import type { SchemaWalk } from '../schema-walk.ts'
import { closest } from '../suggest.ts'

export interface ExplainedSetting {
  readonly path: string
  readonly description: string
  /** What may stand there. */
  readonly values: readonly string[]
  readonly default?: string
  readonly reload?: string
  readonly examples: readonly string[]
  /** A section's own settings. */
  readonly settings: readonly { readonly name: string; readonly description: string }[]
}

/** A path that the schema does not know, up to where it does. */
export interface UnknownSetting {
  readonly unknown: string
  readonly meant?: string
}

/** `routes.*.auth.type`; any name may stand for the `*`. */
export function explainSetting(schema: SchemaWalk, path: string): ExplainedSetting | UnknownSetting {
  let found: readonly SchemaNode[] = [schema.root]
  const known: string[] = []
  for (const segment of segmentsOf(path)) {
    const inside = found.flatMap((node) => branchesOf(schema, node))
    const next = inside.flatMap((node) => childOf(schema, node, segment) ?? [])
    if (next.length === 0) return unknownSetting(known, segment, inside)
    known.push(inside.some((node) => isNamed(node, segment)) ? segment : '*')
    found = next
  }
  return describe(schema, known.join('.'), found)
}

const segmentsOf = (path: string) =>
  path
    .replaceAll(/\[["']?([^\]"']*)["']?\]/g, '.$1')
    .split('.')
    .filter((segment) => segment !== '')

function branchesOf(schema: SchemaWalk, node: SchemaNode): readonly SchemaNode[] {
  const whole = schema.resolve(node)
  return whole.anyOf ? whole.anyOf.flatMap((branch) => branchesOf(schema, branch)) : [whole]
}

const isNamed = ({ properties = {} }: SchemaNode, segment: string) => Object.hasOwn(properties, segment)

function childOf(schema: SchemaWalk, node: SchemaNode, segment: string): SchemaNode | undefined {
  if (segment === '*' && node.properties === undefined) {
    const inner = node.additionalProperties || node.items
    return inner && schema.resolve(inner)
  }
  return schema.child(node, segment)
}

function unknownSetting(
  known: readonly string[],
  segment: string,
  inside: readonly SchemaNode[],
): UnknownSetting {
  const best = closest(
    segment,
    inside.flatMap(({ properties = {} }) => Object.keys(properties)),
  )
  return {
    unknown: [...known, segment].join('.'),
    ...(best !== undefined && { meant: [...known, best].join('.') }),
  }
}

function describe(schema: SchemaWalk, path: string, found: readonly SchemaNode[]): ExplainedSetting {
  const branches = found.flatMap((node) => branchesOf(schema, node))
  const all = [...found.map((node) => schema.resolve(node)), ...branches]
  const first = <K extends keyof SchemaNode>(key: K) => all.find((node) => node[key] !== undefined)?.[key]
  const given = first('default')
  const fallback = given === undefined ? first('x-default') : plain(given)
  const reload = [...new Set(all.flatMap((node) => node['x-reload'] ?? []))].join(' or ')
  const descriptions = found.map((node) => schema.resolve(node).description ?? '')
  return {
    path,
    description: [...new Set(descriptions)].filter((text) => text !== '').join(' '),
    values: [...new Set(branches.flatMap(valuesOf))],
    ...(fallback !== undefined && { default: fallback }),
    ...(reload !== '' && { reload }),
    examples: [...new Set(all.flatMap(examplesOf))],
    settings: sectionOf(schema, branches),
  }
}

const plain = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

const KINDS: Readonly<Record<string, string>> = {
  duration: 'a duration, such as 30s',
  size: 'a size, such as 4MiB',
  integer: 'a whole number',
  boolean: 'true or false',
  url: 'a URL',
  origin: 'an origin: scheme, host and port',
}

function valuesOf(node: SchemaNode): readonly string[] {
  if (node.const !== undefined) return [String(node.const)]
  if (node.enum) return node.enum.map(String)
  if (node['x-type']) return [KINDS[node['x-type']] ?? 'text']
  if (node['x-secret']) return ['a secret: ${NAME} or ${file:/path}']
  if (node.type === 'array') return ['a list']
  if (node.type === 'object') return [node.properties ? 'a section' : 'entries by name']
  return node.type === undefined ? [] : ['text']
}

function examplesOf(node: SchemaNode): string[] {
  const { examples = [] } = node as { readonly examples?: readonly unknown[] }
  return examples.map(plain)
}

function sectionOf(schema: SchemaWalk, branches: readonly SchemaNode[]): ExplainedSetting['settings'] {
  const settings = new Map<string, string>()
  for (const { properties = {}, additionalProperties } of branches) {
    for (const [name, node] of Object.entries(properties)) {
      if (!settings.has(name)) settings.set(name, schema.resolve(node).description ?? '')
    }
    if (additionalProperties) settings.set('*', schema.resolve(additionalProperties).description ?? '')
  }
  return [...settings].map(([name, description]) => ({ name, description }))
}
