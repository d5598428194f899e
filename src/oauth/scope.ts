// Scopes as RFC 6749 §3.3 writes them: space-separated, case-sensitive, order without meaning. Pure.

const TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

export function parseScope(text: string | undefined): readonly string[] {
  return [...new Set((text ?? '').split(' ').filter((scope) => TOKEN.test(scope)))]
}

export function formatScope(scopes: readonly string[]): string {
  return scopes.join(' ')
}

export function union(...sets: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(sets.flat())]
}

/** What each broad scope includes: `{ repo: [public_repo] }`. */
export type ScopeHierarchy = Readonly<Record<string, readonly string[]>>

/** The scopes with all that they imply, step by step; a circle ends where it began. */
export function implied(scopes: readonly string[], hierarchy: ScopeHierarchy): readonly string[] {
  const all = new Set(scopes)
  // A set goes on to what is added while it is walked.
  for (const scope of all)
    if (Object.hasOwn(hierarchy, scope)) for (const narrow of hierarchy[scope] ?? []) all.add(narrow)
  return [...all]
}

/** The needed scopes that are neither granted nor implied by one that is (spec-R5). */
export function missing(
  granted: readonly string[],
  needed: readonly string[],
  hierarchy: ScopeHierarchy = {},
): readonly string[] {
  const held = implied(granted, hierarchy)
  return needed.filter((scope) => !held.includes(scope))
}

export function includesAll(
  granted: readonly string[],
  needed: readonly string[],
  hierarchy: ScopeHierarchy = {},
): boolean {
  return missing(granted, needed, hierarchy).length === 0
}

/** An upstream may demand whatever it likes; what is remembered of it stays within a record and a header line. */
const MAX_DEMANDED = 50
const MAX_SCOPE_LENGTH = 100

/** `known` and what of the demanded scopes there is room for. */
export function remembered(known: readonly string[], demanded: readonly string[]): readonly string[] {
  return union(
    known,
    demanded.filter((scope) => scope.length <= MAX_SCOPE_LENGTH),
  ).slice(0, MAX_DEMANDED)
}

/** What of a client's wishes it may have. The rest is ignored: clients send scopes of their own habit unasked (spec-A10). */
export function offered(asked: string | undefined, optional: readonly string[]): readonly string[] {
  return parseScope(asked).filter((scope) => optional.includes(scope))
}

/** What a challenge names: whether a client wants to stay signed in is its own affair, and never needed for a call (spec-D4). */
export function challenged(...sets: readonly (readonly string[])[]): readonly string[] {
  return union(...sets).filter((scope) => scope !== 'offline_access')
}

/** The scope that names a route, for clients that send no `resource` (design §4). */
export function routeScope(route: string): string {
  return `mcp:${route}`
}

/** An upstream may have scopes that look like another route's name. They are asked for there; to a client they would name that route. */
export function namingNoRoute(scopes: readonly string[]): readonly string[] {
  return scopes.filter((scope) => !scope.startsWith('mcp:'))
}

/** The route named by a scope, if exactly one is. */
export function routeOfScopes(scopes: readonly string[]): string | undefined {
  const named = scopes.filter((scope) => scope.startsWith('mcp:')).map((scope) => scope.slice(4))
  return named.length === 1 ? named[0] : undefined
}
