// Rules about the public paths of routes.
import { replaceBy } from '../scalar.ts'
import { type Rule, routesOf } from './rule.ts'

/** First segments that are the gateway's own (docs: URLs). */
const RESERVED = new Set([
  'authorize',
  'login',
  'consent',
  'token',
  'register',
  'revoke',
  'introspect',
  'upstream',
  '.well-known',
  '-',
])

const TRAILING_SLASH = [/.\/$/, 'must not end with /'] as const

/**
 * Why a path is not canonical. Proxies and clients rewrite such paths each in their own way, and a path that two of
 * them read differently is a way around `access`.
 */
const SHAPES: readonly (readonly [test: RegExp, message: string])[] = [
  [/^[^/]/, 'must start with /'],
  [/[?#]/, 'must be a path only, without ? or #'],
  [/\/\//, 'must not contain //'],
  [/(^|\/)\.\.?(\/|$)/, 'must not contain . or .. segments'],
  [/[%;\\]/, 'must not contain %, ; or \\'],
  [/[^!$&'()*+,./0-9:=@A-Z_a-z~-]/, 'must not contain spaces or characters that URLs escape'],
  TRAILING_SLASH,
]

const pathShape: Rule = {
  id: 'route/path-shape',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      const wrong = facts.known(`${pointer}/path`) && SHAPES.find(([test]) => test.test(route.path))
      if (!wrong) continue
      yield {
        pointer: `${pointer}/path`,
        message: wrong[1],
        hint: 'Write it as in /github/mcp.',
        ...(wrong === TRAILING_SLASH ? replaceBy(route.path.replace(/\/+$/, '')) : {}),
      }
    }
  },
}

const pathReserved: Rule = {
  id: 'route/path-reserved',
  severity: 'error',
  *check(facts) {
    for (const { name, pointer, route } of routesOf(facts)) {
      if (!facts.known(`${pointer}/path`) || !isReserved(route.path)) continue
      const hint = route.path === `/${name}` ? 'Rename the route or give it a path.' : 'Choose another path.'
      yield { pointer: `${pointer}/path`, message: `${route.path} belongs to the gateway itself`, hint }
    }
  },
}

const pathDuplicate: Rule = {
  id: 'route/path-duplicate',
  severity: 'error',
  *check(facts) {
    const owners = new Map<string, string>()
    for (const { name, pointer, route } of routesOf(facts)) {
      if (!facts.known(`${pointer}/path`) || isReserved(route.path)) continue
      const owner = owners.get(route.path)
      if (owner === undefined) owners.set(route.path, name)
      else {
        const message = `${route.path} is already the path of route ${owner} (${facts.place(`/routes/${owner}`)})`
        yield { pointer: `${pointer}/path`, message, hint: 'Give one of them another path.' }
      }
    }
  },
}

/** A first segment that is the gateway's own, or the root. */
export function isReserved(path: string): boolean {
  const [, first = ''] = path.split('/')
  return path === '/' || RESERVED.has(first)
}

/** `mcp:` names routes, and whether a client wants to stay signed in is its own affair (spec-D4). */
const scopeNames: Rule = {
  id: 'route/scope',
  severity: 'error',
  *check(facts) {
    for (const { pointer, route } of routesOf(facts)) {
      for (const list of ['required', 'optional'] as const) {
        for (const [index, scope] of route.scopes[list].entries()) {
          const at = `${pointer}/scopes/${list}/${index}`
          if (scope.startsWith('mcp:'))
            yield { pointer: at, message: 'mcp: is how the gateway names its routes', hint: 'Remove it.' }
          if (scope === 'offline_access' && list === 'required')
            yield { pointer: at, message: 'no call needs offline_access', hint: 'Write it into auth.scope.' }
        }
      }
    }
  },
}

export const routeRules = [pathShape, pathReserved, pathDuplicate, scopeNames]
