// Scopes as RFC 6749 §3.3 writes them: space-separated, case-sensitive, order without meaning. Pure.

const TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

export function parseScope(text: string | undefined): readonly string[] {
  return [...new Set((text ?? '').split(' ').filter((scope) => TOKEN.test(scope)))]
}

export function formatScope(scopes: readonly string[]): string {
  return scopes.join(' ')
}

export function includesAll(granted: readonly string[], needed: readonly string[]): boolean {
  return needed.every((scope) => granted.includes(scope))
}

export function union(...sets: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(sets.flat())]
}

/** The scope that names a route, for clients that send no `resource` (design §4). */
export function routeScope(route: string): string {
  return `mcp:${route}`
}

/** The route named by a scope, if exactly one is. */
export function routeOfScopes(scopes: readonly string[]): string | undefined {
  const named = scopes.filter((scope) => scope.startsWith('mcp:')).map((scope) => scope.slice(4))
  return named.length === 1 ? named[0] : undefined
}
