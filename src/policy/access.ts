// Who may use a route. Pure; asked at sign-in, whenever a token is issued and on every request.
import type { AccessConfig, AccessRules } from '../config/types.ts'
import type { Profile } from '../slots.ts'

/** The lists that admit, and that deny. */
type Lists = Omit<AccessRules, 'deny'>

/** One line for each list; the compiler points at a missing one. */
const NAMED: { readonly [L in keyof Lists]-?: (listed: NonNullable<Lists[L]>, profile: Profile) => boolean } =
  {
    users: (names, { kind, name }) => kind === 'person' && names.includes(name),
    groups: (names, { groups }) => names.some((name) => groups.includes(name)),
    email_domains: (domains, { email }) =>
      email !== undefined && domains.some((domain) => isAt(domain, email)),
    claims: (wanted, { claims }) =>
      Object.entries(wanted).some(([name, values]) => has(claims, name, values)),
    clients: (ids, { kind, name }) => kind === 'client' && ids.includes(name),
  }

/** What `deny` goes by besides: nobody gets round it by what their issuer left open, or by another's hands. */
const SUSPECTED: {
  readonly [L in keyof Lists]?: (listed: NonNullable<Lists[L]>, profile: Profile) => boolean
} = {
  groups: (names, { doubts }) => names.length > 0 && doubts?.areGroupsUntold === true,
  email_domains: (domains, { doubts }) =>
    domains.some((domain) => doubts?.emails.some((email) => isAt(domain, email))),
  claims: (wanted, { doubts }) => Object.keys(wanted).some((name) => doubts?.untoldClaims.includes(name)),
  clients: (ids, { clientIds = [] }) => clientIds.some((id) => ids.includes(id)),
}

const LISTS = Object.keys(NAMED) as readonly (keyof Lists)[]

/** `deny` wins; any list that names the caller admits; without lists everyone else is admitted. */
export function mayUse(access: AccessConfig, profile: Profile): boolean {
  if (access === 'anyone') return true
  const { deny } = access
  if (deny !== undefined && (isIn(deny, NAMED, profile) || isIn(deny, SUSPECTED, profile))) return false
  return LISTS.every((list) => access[list] === undefined) || isIn(access, NAMED, profile)
}

function isIn(lists: Lists, table: typeof SUSPECTED, profile: Profile): boolean {
  return LISTS.some((list) => {
    const matches = table[list] as ((listed: unknown, profile: Profile) => boolean) | undefined
    return lists[list] !== undefined && matches?.(lists[list], profile) === true
  })
}

/** The domain itself: whoever has a subdomain is not whoever has the domain. What comes before the last @ is free text. */
function isAt(domain: string, email: string): boolean {
  return email.slice(email.lastIndexOf('@') + 1).toLowerCase() === domain.toLowerCase()
}

/** Compared as text: what YAML or a variable writes as a word may be a number or a truth value to the issuer. */
function has(claims: Profile['claims'], name: string, wanted: unknown): boolean {
  const found = valuesOf(claims[name])
  return valuesOf(wanted).some((value) => found.includes(value))
}

/** An object has no text to compare; neither has null, nor what every object inherits. */
function valuesOf(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.filter((one) => ['string', 'number', 'boolean'].includes(typeof one)).map(String)
}
