// A person whom the configuration names, as access rules see them. Pure.
import type { UserConfig } from '../config/types.ts'
import type { Profile } from '../slots.ts'

export type Person = Pick<UserConfig, 'email' | 'groups' | 'claims'>

export function userProfile(name: string, { email, groups, claims }: Person): Profile {
  return { kind: 'person', name, groups, ...(email !== undefined && { email }), claims }
}

/** Somebody of whom nothing but a name is known. */
export function namedProfile(name: string): Profile {
  return { kind: 'person', name, groups: [], claims: {} }
}
