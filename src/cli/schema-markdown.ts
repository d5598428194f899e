// The schema as a page for people: per section a table of settings with type, default, what an edit costs, and an example. Pure.
import type { SchemaNode } from '../config/schema.ts'
import { type SchemaWalk, walkSchema } from '../config/schema-walk.ts'

interface Row {
  readonly path: string
  readonly type: string
  readonly fallback: string
  readonly reload: string
  readonly description: string
  readonly example: string
}

/** A table under a heading of its own: a section, or one `type` of a union. */
interface Part {
  readonly heading: string
  readonly description: string
  readonly rows: Row[]
}

interface Writing {
  readonly walk: SchemaWalk
  /** What was described before, by title, and under which heading. */
  readonly seen: Map<string, string>
  readonly section: string
  readonly main: Row[]
  readonly parts: Part[]
}

export function schemaMarkdown(schema: SchemaNode): string {
  const walk = walkSchema(schema)
  const seen = new Map<string, string>()
  const sections = inOrder(Object.entries(schema.properties ?? {})).map(([name, raw]) => {
    const writing: Writing = { walk, seen, section: name, main: [], parts: [] }
    describe(raw, name, schema.required?.includes(name) === true, writing.main, writing)
    return sectionText(name, walk.resolve(raw), writing)
  })
  return `${[INTRODUCTION, ...sections].join('\n\n')}\n`
}

const INTRODUCTION = `<!-- Written by \`mcp-oauth-gateway schema --markdown\` from schema/. Edit that, then run \`npm run generate\`. -->

# Every setting of gateways.yaml

The same text appears in editors that know the schema: begin the file with
\`# yaml-language-server: $schema=./schema/gateways.schema.json\`.

- \`*\` stands for a name of your own. Inside \`{ }\`, quote \`\${…}\`.
- Durations are written \`30s\`, \`5m\`, \`1h30m\`, \`90d\`; sizes \`512KiB\`, \`4MiB\`.
- Texts, URLs, durations and the like may hold \`\${NAME}\`, \`\${NAME:-default}\` or \`\${file:/path}\`; a **secret** must be such a reference, without a default.
- **Edit** is what a change costs when it is saved while the gateway runs: *live* (the next request sees it), *reconnect*
  (MCP sessions begin anew), *reauthorize* (people sign in at the upstream again), *relogin* (clients sign in again),
  *restart* (it waits for a restart).`

/** What `defaults` holds is explained where it is used. */
function inOrder(sections: [string, SchemaNode][]): [string, SchemaNode][] {
  return [
    ...sections.filter(([, node]) => !node['x-merged']),
    ...sections.filter(([, node]) => node['x-merged']),
  ]
}

function sectionText(name: string, node: SchemaNode, { main, parts }: Writing): string {
  const [own, ...inner] = main
  const isLeaf = own !== undefined && inner.length === 0 && parts.length === 0
  const rows = isLeaf ? main : inner
  const lead = isLeaf ? `## ${name}` : `## ${name}\n\n${prose(node.description ?? '')}`
  const tables = parts.map(
    ({ heading, description, rows }) => `### ${heading}\n\n${prose(description)}\n\n${table(rows)}`,
  )
  return [lead, ...(rows.length > 0 ? [table(rows)] : []), ...tables].join('\n\n')
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ path, type, fallback, reload, description, example }) =>
      `| \`${path}\` | ${type} | ${fallback} | ${reload} | ${cell(prose(description))} | ${example} |`,
  )
  return [
    '| Setting | Type | Default | Edit | Meaning | Example |',
    '|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

function describe(raw: SchemaNode, path: string, required: boolean, rows: Row[], writing: Writing): void {
  const node = writing.walk.resolve(raw)
  if (node['x-free']) return
  const earlier = node.title === undefined ? undefined : writing.seen.get(node.title)
  if (earlier !== undefined)
    rows.push(row(path, node, required, `the same as [${earlier}](#${anchor(earlier)})`))
  else if (node.anyOf) describeUnion(node, path, required, rows, writing)
  else {
    rows.push(row(path, node, required, typeOf(node, writing.walk)))
    describeInside(node, path, rows, writing)
  }
}

/** Properties of an object, or of the entries of a map. */
function describeInside(node: SchemaNode, path: string, rows: Row[], writing: Writing): void {
  remember(node, path, writing)
  for (const [name, property] of Object.entries(node.properties ?? {})) {
    describe(property, `${path}.${name}`, node.required?.includes(name) === true, rows, writing)
  }
  if (!node.additionalProperties) return
  const entry = writing.walk.resolve(node.additionalProperties)
  if (entry.properties || entry.anyOf) describeInside(entry, `${path}.*`, rows, writing)
}

function remember({ title }: SchemaNode, path: string, { seen, section }: Writing): void {
  if (title !== undefined) seen.set(title, path.endsWith('.*') ? path.slice(0, -2) : section)
}

function describeUnion(
  node: SchemaNode,
  path: string,
  required: boolean,
  rows: Row[],
  writing: Writing,
): void {
  const { walk } = writing
  const branches = (node.anyOf ?? []).map((branch) => walk.resolve(branch))
  const objects = branches.filter(({ type }) => type === 'object')
  const scalars = branches.filter(({ type }) => type !== 'object')
  const known = objects
    .map(({ title = '' }) => writing.seen.get(title))
    .find((heading) => heading !== undefined)
  const asMap = known === undefined ? ['map'] : [`map as in [${known}](#${anchor(known)})`]
  const types = [...new Set([...scalars.map((branch) => typeOf(branch, walk)), ...asMap])]
  rows.push(
    row(
      path,
      { ...scalars[0], ...objects[0]?.properties?.type, ...withoutUndefined(node) },
      required,
      types.join(' or '),
    ),
  )
  if (known !== undefined) return
  remember(node, path, writing)
  const tagged = objects.filter(({ properties }) => properties?.type?.const !== undefined)
  for (const branch of tagged) describeVariant(branch, path, writing)
  for (const branch of objects) if (!tagged.includes(branch)) describeInside(branch, path, rows, writing)
}

function describeVariant(branch: SchemaNode, path: string, writing: Writing): void {
  const rows: Row[] = []
  const heading = `\`${path}\` of type \`${branch.properties?.type?.const}\``
  for (const [name, property] of Object.entries(branch.properties ?? {})) {
    describe(property, `${path}.${name}`, branch.required?.includes(name) === true, rows, writing)
  }
  writing.parts.push({ heading, description: branch.description ?? '', rows })
}

function row(path: string, node: SchemaNode, required: boolean, type: string): Row {
  const { examples = [] } = node as { readonly examples?: readonly unknown[] }
  const [example] = examples
  return {
    path,
    type,
    fallback: required ? '**required**' : fallbackOf(node),
    reload: node['x-reload'] ?? '',
    description: node.description ?? '',
    example: example === undefined ? '' : code(example),
  }
}

function fallbackOf({ default: fallback, 'x-default': made }: SchemaNode): string {
  if (made !== undefined) return code(made)
  const isEmpty = fallback !== null && typeof fallback === 'object' && Object.keys(fallback).length === 0
  return fallback === undefined || (isEmpty && !Array.isArray(fallback)) ? '' : code(fallback)
}

function typeOf(node: SchemaNode, walk: SchemaWalk): string {
  if (node.const !== undefined) return code(node.const)
  if (node.enum) return node.enum.map(code).join(' \\| ')
  if (node['x-secret']) return '**secret**'
  if (node['x-type']) return NAMES[node['x-type']] ?? node['x-type']
  if (node.type === 'array') return `list of ${plural(typeOf(walk.resolve(node.items ?? {}), walk))}`
  if (node.type !== 'object') return 'text'
  const entry = node.additionalProperties && walk.resolve(node.additionalProperties)
  return entry && !entry.properties ? `map of ${plural(typeOf(entry, walk))}` : 'map'
}

const NAMES: Readonly<Record<string, string>> = {
  url: 'URL',
  boolean: 'true or false',
  integer: 'whole number',
}
const PLURALS: Readonly<Record<string, string>> = {
  text: 'texts',
  URL: 'URLs',
  origin: 'origins',
  '**secret**': '**secrets**',
}
const plural = (type: string) => PLURALS[type] ?? type
const code = (value: unknown) => `\`${cell(typeof value === 'string' ? value : JSON.stringify(value))}\``
/** Outside of code, < begins a tag. */
const prose = (text: string) =>
  text.replaceAll(/(`[^`]*`)|</g, (_, span: string | undefined) => span ?? '&lt;')
/** A line break or a bar would end the cell. */
const cell = (text: string) => text.replaceAll('\n', ' ').replaceAll('|', '\\|')
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')
const withoutUndefined = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined))
