// What the gateway would answer to an example, by the same pure functions that answer requests. Asks no network, no
// store and no environment.
import { MCP_METHODS } from '../../mcp-methods.ts'
import { mayUse } from '../../policy/access.ts'
import type { Profile } from '../../slots.ts'
import { needsPerson } from '../auth-traits.ts'
import type { RouteConfig } from '../types.ts'
import type { CallerKind, Example, Verdict } from './sentence.ts'

/** The part of a configuration that decides about access. */
export interface World {
  readonly routes: Readonly<Record<string, RouteConfig>>
  /** Undefined: nobody of that name can sign in, or no client of that id has tokens for itself. */
  readonly profile: (caller: Named) => Profile | undefined
}

/** Whom a sentence names. */
export interface Named {
  readonly kind: CallerKind
  readonly name: string
}

export interface Judgement {
  readonly found: Verdict
  /** The route whose `access` decided, if it came to that. */
  readonly access: string | undefined
  /** Why, in the words of whoever reads the configuration. */
  readonly because: string
}

/** One judgement; several for an example about every route. In the order of the request chain (endpoints/mcp.ts). */
export function judge(example: Example, world: World): Judgement[] {
  if (example.kind !== 'request') {
    const names = example.route === undefined ? Object.keys(world.routes) : [example.route]
    return names.map((name) => judgeCaller(name, example, world))
  }
  const path = example.path.split('?', 1)[0]
  const found = Object.entries(world.routes).find(([, route]) => route.path === path)
  if (!found) return [{ found: 404, access: undefined, because: `no route has the path ${path}` }]
  const [name] = found
  if (!MCP_METHODS.includes(example.method))
    return [{ found: 405, access: undefined, because: `MCP does not use ${example.method}` }]
  return example.user === undefined
    ? [{ found: 401, access: undefined, because: 'every route wants a token' }]
    : [judgeCaller(name, { kind: 'user', name: example.user }, world)]
}

function judgeCaller(name: string, caller: Named, { routes, profile }: World): Judgement {
  const route = routes[name]
  if (!route) return { found: 404, access: undefined, because: `there is no route ${name}` }
  if (route.token_issuer !== undefined) {
    const because = `${name} takes tokens of ${route.token_issuer.name} only, not those of ${caller.name} from here`
    return { found: 401, access: undefined, because }
  }
  const known = profile(caller)
  // A token of somebody who left is like no token: endpoints/authenticate.ts.
  if (!known) return { found: 401, access: undefined, because: `${STRANGER[caller.kind]} ${caller.name}` }
  if (!mayUse(route.access, known))
    return { found: 403, access: name, because: `the access of ${name} does not admit ${caller.name}` }
  // endpoints/token/client-credentials.ts
  if (caller.kind === 'client' && needsPerson(route.auth)) {
    const because = `${name} needs each person's own account, so ${caller.name} gets no token for it`
    return { found: 401, access: undefined, because }
  }
  return { found: 'allowed', access: name, because: `the access of ${name} admits ${caller.name}` }
}

const STRANGER: Readonly<Record<CallerKind, string>> = {
  user: 'login knows no user',
  client: 'clients.static has no client with tokens for itself called',
}
