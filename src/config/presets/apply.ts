// Fills what a preset knows under what the file says: the step between the schema and the defaults. The file wins.
import { type Expanded, expandOffline, expandText, type Lookup, subjectOf } from '../expand.ts'
import { childPointer } from '../pointer.ts'
import type { Finding } from '../problem.ts'
import { childValue, isTree, type Tree } from '../schema-walk.ts'
import { closest, didYouMean } from '../suggest.ts'
import { fillPlaceholders, loadPreset, type Preset, type PresetParameter, placeholdersIn } from './preset.ts'

export interface Applied {
  readonly tree: Tree
  /** Where the word stands that a value comes from: `/authorization_servers/a/token_endpoint` → `…/a/preset`. */
  readonly sources: ReadonlyMap<string, string>
  readonly findings: readonly Finding[]
}

interface Walk {
  /** Absent: variables are left as they are. */
  readonly lookup: Lookup | undefined
  readonly sources: Map<string, string>
  readonly findings: Finding[]
}

/** One authorization server's preset, with its parameters filled in. */
interface Chosen {
  readonly preset: Preset
  readonly values: Readonly<Record<string, string>>
  /** Of the server that names the preset. */
  readonly pointer: string
}

/** Where a server is. Two halves from two places would send one server's codes to another. */
const LOCATION = ['issuer', 'authorization_endpoint', 'token_endpoint']
/** They get that server's tokens: those of another one, such as an enterprise's own, are none of the provider's business. */
const COMPANIONS = ['revocation_endpoint', 'account_endpoint', 'account_claim']
/** Maps whose entries are filled in one by one. */
const PARAMETERS = ['authorization_parameters', 'relink_parameters']

/** What a person is asked for is not what the gateway may have in its own name, and the other way round. */
const ONLY_FOR: Readonly<Record<string, string>> = {
  scope: 'authorization_code',
  audience: 'client_credentials',
}

export function applyPresets(tree: Tree, lookup: Lookup | undefined): Applied {
  const walk: Walk = { lookup, sources: new Map(), findings: [] }
  const named = new Map<string, Chosen>()
  const servers = mapValues(tree.authorization_servers, '/authorization_servers', (server, pointer, name) => {
    const chosen = choose(server, pointer, walk)
    if (chosen) named.set(name, chosen)
    return chosen ? fillServer(server, chosen, walk) : server
  })
  const routes = mapValues(tree.routes, '/routes', (route, pointer) => {
    const auth = childValue(route, 'auth')
    return isTree(auth) ? { ...route, auth: fillAuth(auth, `${pointer}/auth`, named, walk) } : route
  })
  const whole = { ...tree, ...(servers && { authorization_servers: servers }), ...(routes && { routes }) }
  return { tree: whole, sources: walk.sources, findings: walk.findings }
}

function fillAuth(auth: Tree, pointer: string, named: ReadonlyMap<string, Chosen>, walk: Walk): Tree {
  const provider = childValue(auth, 'identity_provider')
  const at = childPointer(pointer, 'identity_provider')
  const chosen = isTree(provider) ? choose(provider, at, walk) : undefined
  const whole =
    chosen && isTree(provider) ? { ...auth, identity_provider: fillServer(provider, chosen, walk) } : auth
  return fillOwnServer(whole, pointer, named, walk)
}

function fillOwnServer(auth: Tree, pointer: string, named: ReadonlyMap<string, Chosen>, walk: Walk): Tree {
  const server = auth.authorization_server
  const at = childPointer(pointer, 'authorization_server')
  const chosen = isTree(server) ? choose(server, at, walk) : named.get(String(server))
  if (!chosen) return auth
  const offered = Object.entries(chosen.preset.auth ?? {}).filter(
    ([name]) => !Object.hasOwn(ONLY_FOR, name) || ONLY_FOR[name] === auth.type,
  )
  const filled = fill(auth, Object.fromEntries(offered), pointer, chosen, walk)
  return isTree(server) ? { ...filled, authorization_server: fillServer(server, chosen, walk) } : filled
}

function fillServer(server: Tree, chosen: Chosen, walk: Walk): Tree {
  const known = chosen.preset.authorization_server ?? {}
  const located = LOCATION.some((name) => Object.hasOwn(server, name))
  // A key of its own says how the client authenticates.
  const isClient = Object.hasOwn(server, 'client_id') && !Object.hasOwn(server, 'private_key')
  const elsewhere = [...LOCATION, ...COMPANIONS]
  const offered = Object.entries(known).filter(([name]) =>
    name === 'token_endpoint_auth_method'
      ? isClient
      : !PARAMETERS.includes(name) && !(located && elsewhere.includes(name)),
  )
  const filled = fill(server, Object.fromEntries(offered), chosen.pointer, chosen, walk)
  const maps = PARAMETERS.flatMap((name) => {
    const [parameters, own] = [known[name], childValue(server, name)]
    if (!isTree(parameters) || !(own === undefined || isTree(own))) return []
    return [[name, fill(own ?? {}, parameters, childPointer(chosen.pointer, name), chosen, walk)]]
  })
  return { ...filled, ...Object.fromEntries(maps) }
}

/** What still holds a placeholder is left out: what is wrong with its parameter was already said. */
function fill(own: Tree, offered: Tree, at: string, { values, pointer }: Chosen, walk: Walk): Tree {
  const added = Object.entries(offered).flatMap(([name, text]) => {
    const filled = fillPlaceholders(String(text), values)
    const open = placeholdersIn(String(text)).some((parameter) => !Object.hasOwn(values, parameter))
    return Object.hasOwn(own, name) || open ? [] : [[name, filled] as const]
  })
  for (const [name] of added) walk.sources.set(childPointer(at, name), `${pointer}/preset`)
  return { ...own, ...Object.fromEntries(added) }
}

function choose(server: Tree, pointer: string, walk: Walk): Chosen | undefined {
  const given = isTree(server.preset_parameters) ? server.preset_parameters : {}
  const preset = typeof server.preset === 'string' ? loadPreset(server.preset) : undefined
  if (preset === undefined) return undefined
  const faults = checkParameters(preset, given, `${pointer}/preset_parameters`, walk.lookup)
  walk.findings.push(...faults)
  const wrong = new Set(faults.map((fault) => fault.pointer))
  const values = Object.entries(preset.parameters ?? {}).flatMap(([name, parameter]) => {
    const value = childValue(given, name) ?? parameter.default
    const isWrong = wrong.has(childPointer(`${pointer}/preset_parameters`, name))
    return value === undefined || isWrong ? [] : [[name, String(value)]]
  })
  return { preset, values: Object.fromEntries(values), pointer }
}

function checkParameters(
  { name: preset, parameters = {} }: Preset,
  given: Tree,
  at: string,
  lookup: Lookup | undefined,
): Finding[] {
  const rule = 'preset/parameter'
  const names = Object.keys(parameters)
  const unknown = Object.keys(given).filter((name) => !names.includes(name))
  const meant = new Set(unknown.map((name) => closest(name, names)))
  const known = names.length > 0 ? `It has: ${names.join(', ')}.` : 'It has none.'
  const strange = unknown.map((name): Finding => {
    const message = `the preset ${preset} has no such parameter`
    const hint = didYouMean(name, names) ?? known
    return { rule, pointer: childPointer(at, name), at: 'key', message, hint }
  })
  const wrong = Object.entries(parameters).flatMap(([name, parameter]): Finding[] => {
    const fault = meant.has(name) ? undefined : faultOf(childValue(given, name), parameter, lookup)
    return fault ? [{ rule, pointer: childPointer(at, name), ...fault }] : []
  })
  return [...strange, ...wrong]
}

/** Judged here and not in what it becomes part of: there nobody could tell which parameter is to blame. */
function faultOf(
  value: unknown,
  parameter: PresetParameter,
  lookup: Lookup | undefined,
): (Partial<Finding> & Pick<Finding, 'message'>) | undefined {
  const hint = `${parameter.description}, such as ${parameter.example}.`
  if (value === undefined)
    return parameter.default === undefined ? { at: 'key', message: 'is missing', hint } : undefined
  const written = String(value)
  const expanded: Expanded | undefined = lookup ? expandText(written, lookup) : expandOffline(written)
  // Not known without an environment.
  if (expanded === undefined) return undefined
  if ('message' in expanded) return expanded
  if (new RegExp(`^(?:${parameter.pattern ?? '.+'})$`, 'u').test(expanded.text)) return undefined
  return { message: `${subjectOf(written)}does not fit here`, hint }
}

function mapValues(
  value: unknown,
  pointer: string,
  map: (inner: Tree, pointer: string, name: string) => Tree,
): Tree | undefined {
  if (!isTree(value)) return undefined
  const entries = Object.entries(value).map(([name, inner]) => [
    name,
    isTree(inner) ? map(inner, childPointer(pointer, name), name) : inner,
  ])
  return Object.fromEntries(entries)
}
