// What the gateway would answer to an example, by the same pure functions that answer requests. Asks no network, no
// store and no environment.
import { mayUse } from '../../policy/access.ts'
import type { Profile } from '../../slots.ts'
import type { RouteConfig } from '../types.ts'
import type { Example, Verdict } from './sentence.ts'

/** The part of a configuration that decides about access. */
export interface World {
  readonly routes: Readonly<Record<string, RouteConfig>>
  /** Undefined: nobody of that name can sign in. */
  readonly profile: (user: string) => Profile | undefined
}

export interface Judgement {
  readonly found: Verdict
  /** The route whose `access` decided, if it came to that. */
  readonly access: string | undefined
  /** Why, in the words of whoever reads the configuration. */
  readonly because: string
}

const MCP_METHODS: readonly string[] = ['POST', 'GET', 'DELETE']

/** One judgement; several for an example about every route. In the order of the request chain (endpoints/mcp.ts). */
export function judge(example: Example, world: World): Judgement[] {
  if (example.kind === 'person') {
    const names = example.route === undefined ? Object.keys(world.routes) : [example.route]
    return names.map((name) => judgePerson(name, example.user, world))
  }
  const path = example.path.split('?', 1)[0]
  const found = Object.entries(world.routes).find(([, route]) => route.path === path)
  if (!found) return [{ found: 404, access: undefined, because: `no route has the path ${path}` }]
  const [name] = found
  if (!MCP_METHODS.includes(example.method))
    return [{ found: 405, access: undefined, because: `MCP does not use ${example.method}` }]
  return example.user === undefined
    ? [{ found: 401, access: undefined, because: 'every route wants a token' }]
    : [judgePerson(name, example.user, world)]
}

function judgePerson(name: string, user: string, { routes, profile }: World): Judgement {
  const route = routes[name]
  if (!route) return { found: 404, access: undefined, because: `there is no route ${name}` }
  if (route.token_issuer !== undefined) {
    const because = `${name} takes tokens of ${route.token_issuer.name} only, not those of ${user} from here`
    return { found: 401, access: undefined, because }
  }
  const person = profile(user)
  // A token of somebody who left is like no token: endpoints/authenticate.ts.
  if (!person) return { found: 401, access: undefined, because: `login knows no user ${user}` }
  return mayUse(route.access, person)
    ? { found: 'allowed', access: name, because: `the access of ${name} admits ${user}` }
    : { found: 403, access: name, because: `the access of ${name} does not admit ${user}` }
}
