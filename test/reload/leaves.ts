// Every setting of the schema with its reload class, as docs/reload.md lists them and the contract is tested by them.
import { bundleSchema, type SchemaNode } from '../../src/config/schema.ts'
import { walkSchema } from '../../src/config/schema-walk.ts'

export interface Leaf {
  /** `routes.*.auth[api_key].name`: the branch of a union in brackets, an entry's own name as `*`. */
  readonly path: string
  readonly reload: string | undefined
  readonly description: string
}

const bundle = bundleSchema()
const walk = walkSchema(bundle)

export function leaves(): readonly Leaf[] {
  const all = [...leavesIn('', bundle)]
  return all.filter(({ path }, index) => all.findIndex((other) => other.path === path) === index)
}

function* leavesIn(path: string, raw: SchemaNode): Iterable<Leaf> {
  const node = walk.resolve(raw)
  if (node['x-free'] || isRepeated(path, node)) return
  const reload = node['x-reload']
  if (reload !== undefined || isLeaf(node)) {
    yield { path: path + wordOf(node), reload, description: node.description ?? '' }
    return
  }
  for (const [name, property] of Object.entries(node.properties ?? {}))
    yield* leavesIn(path === '' ? name : `${path}.${name}`, property)
  for (const branch of node.anyOf ?? []) yield* leavesIn(path + tagOf(walk.resolve(branch)), branch)
  if (node.additionalProperties) yield* leavesIn(`${path}.*`, node.additionalProperties)
}

/** A server that is written in a route is looked at where people sign in at it; other auth types take the same. */
const isRepeated = (path: string, { title }: SchemaNode) =>
  title === 'AuthorizationServerConfig' && /\[(client_credentials|token_exchange)\]/.test(path)

const isLeaf = (node: SchemaNode) => !node.anyOf && !node.properties && !node.additionalProperties
const tagOf = (branch: SchemaNode) => {
  const tag = branch.properties?.type?.const
  return tag === undefined ? '' : `[${tag}]`
}
/** A union's words are settings of their own: `routes.*.auth: none`. */
const wordOf = (node: SchemaNode) =>
  node.const === undefined || node.type !== undefined ? '' : `: ${node.const}`
