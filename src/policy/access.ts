// Who may use a route. Pure; asked at sign-in, at every refresh and on every request.
import type { AccessConfig } from '../config/types.ts'
import type { Profile } from '../slots.ts'

/** `deny` wins; any list that names the person admits; without lists everyone else is admitted. */
export function mayUse(access: AccessConfig, { name, groups }: Profile): boolean {
  if (access === 'anyone') return true
  const named = (users: readonly string[] = [], listed: readonly string[] = []) =>
    users.includes(name) || listed.some((group) => groups.includes(group))
  if (named(access.deny?.users, access.deny?.groups)) return false
  if (access.users === undefined && access.groups === undefined) return true
  return named(access.users, access.groups)
}
