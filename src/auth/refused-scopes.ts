// Scopes that a sign-in server does not let itself be asked for: one of them must lock nobody out. Pure.
import { includesAll, missing, type ScopeHierarchy } from '../oauth/scope.ts'
import type { Link } from '../store/records.ts'
import { isResting } from '../upstream/rest.ts'

/** The wrong one may have been suspected, and servers learn new scopes: a demand that comes later is worth another try. */
const REFUSED_MS = 24 * 60 * 60 * 1000

/** What is not asked for again yet. */
export function refusedNow({ refused }: Link, nowMs: number): readonly string[] {
  return refused !== undefined && isResting(refused.atMs, REFUSED_MS, nowMs) ? refused.scopes : []
}

/** What another sign-in must not lose. Through a dead link nobody has any scope, and one of them may be retired. */
export function held({ asked, dead }: Link): readonly string[] {
  return dead ? [] : asked
}

/** Also in vain, however long ago: a client that was sent to sign in for it is not sent again. */
export function isAskedFor(
  { asked, refused }: Link,
  scopes: readonly string[],
  implies: ScopeHierarchy,
): boolean {
  return includesAll(refused?.scopes ?? [], missing(asked, scopes, implies))
}

/**
 * Which of the `dispensable` scopes of a refused request to do without, the likeliest first, since servers do not say
 * which it is: what the upstream demanded, what it lists (`offered`) and was never asked for, what was asked for once.
 */
export function suspects(
  link: Link,
  dispensable: readonly string[],
  offered: readonly string[],
  nowMs: number,
): readonly string[] {
  const open = missing(refusedNow(link, nowMs), dispensable)
  const asked = held(link)
  const groups = [link.wanted, missing(asked, offered), missing(offered, asked)]
  const common = groups.map((group) => open.filter((scope) => group.includes(scope)))
  return common.find(({ length }) => length > 0) ?? []
}
