// Pours `defaults` into the routes: `access` as a whole, `limits` and `timeouts` field by field. Pure.
import { childPointer } from './pointer.ts'
import { childValue, isTree, type Tree } from './schema-walk.ts'

export interface Inherited {
  readonly tree: Tree
  /** Where a route's value is really written: `/routes/a/limits/max_body` → `/defaults/limits/max_body`. */
  readonly sources: ReadonlyMap<string, string>
}

const FIELD_BY_FIELD = ['limits', 'timeouts']

export function inheritDefaults(tree: Tree): Inherited {
  const { defaults, routes } = tree
  const sources = new Map<string, string>()
  if (!isTree(defaults) || !isTree(routes)) return { tree, sources }
  const filled = Object.entries(routes).map(([name, route]) => {
    const pointer = childPointer('/routes', name)
    return [name, isTree(route) ? fillRoute(route, defaults, pointer, sources) : route]
  })
  return { tree: { ...tree, routes: Object.fromEntries(filled) }, sources }
}

function fillRoute(route: Tree, defaults: Tree, pointer: string, sources: Map<string, string>): Tree {
  const filled = fill(route, defaults, ['access'], pointer, '/defaults', sources)
  const sections = FIELD_BY_FIELD.flatMap((section) => {
    const inherited = childValue(defaults, section)
    if (!isTree(inherited)) return []
    const own = childValue(route, section)
    const at = childPointer(pointer, section)
    const names = Object.keys(inherited)
    return [[section, fill(isTree(own) ? own : {}, inherited, names, at, `/defaults/${section}`, sources)]]
  })
  return { ...filled, ...Object.fromEntries(sections) }
}

function fill(
  own: Tree,
  inherited: Tree,
  names: readonly string[],
  at: string,
  from: string,
  sources: Map<string, string>,
): Tree {
  const missing = names.filter((name) => Object.hasOwn(inherited, name) && !Object.hasOwn(own, name))
  for (const name of missing) sources.set(childPointer(at, name), childPointer(from, name))
  return { ...own, ...Object.fromEntries(missing.map((name) => [name, inherited[name]])) }
}
