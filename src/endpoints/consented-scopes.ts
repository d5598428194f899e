// Which scopes a consent is about: what its page lists, and what the client's grant says afterwards.
import type { Route } from '../gateway.ts'
import { namingNoRoute, routeScope, union } from '../oauth/scope.ts'
import { hashToken } from '../oauth/tokens.ts'
import type { Subject } from '../slots.ts'
import type { Transaction } from '../store/records.ts'

/** All that the client can do with the answer, also by what other clients of that person have asked the upstream for: one link serves them all. */
export async function scopesAtStake(
  { scopes, auth, name }: Route,
  subject: Subject | undefined,
  requested: readonly string[],
): Promise<readonly string[]> {
  const upstream = (await auth.link?.scopes(subject, requested)) ?? []
  const own = scopes.filter((scope) => scope !== routeScope(name))
  return union(upstream, own, requested)
}

/** Goes with the form, so that it says to which list somebody said yes: of two tabs or two clicks each speaks for itself. */
export function listDigest(scopes: readonly string[]): string {
  return hashToken(JSON.stringify([...scopes].sort()))
}

/** What this client needs, or asked for itself, and its page listed. The link may hold more, for others. */
export async function grantedScopes(
  route: Route,
  { scopes, wished, consented = [] }: Transaction,
): Promise<readonly string[]> {
  const upstream = (await route.auth.link?.scopes(undefined, [])) ?? []
  const own = union(route.scopes, namingNoRoute(upstream), scopes, namingNoRoute(wished))
  return own.filter((scope) => scope === routeScope(route.name) || consented.includes(scope))
}
