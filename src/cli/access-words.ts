// Who may use a route, as one cell of a table.
import type { AccessConfig, AccessRules } from '../config/types.ts'

type Lists = Omit<AccessRules, 'deny'>

/** Each list with how one of its names is written, so that a user and a group of one name differ. */
const WRITTEN = {
  users: (name) => name,
  groups: (name) => `@${name}`,
  email_domains: (name) => `*@${name}`,
  clients: (name) => `client:${name}`,
} as const satisfies { readonly [L in keyof Omit<Lists, 'claims'>]-?: (name: string) => string }

export function accessInWords(access: AccessConfig): string {
  if (access === 'anyone') return access
  const { deny, ...lists } = access
  const admitted = Object.keys(lists).length === 0 ? ['anyone'] : names(lists)
  return [...admitted, ...names(deny ?? {}).map((name) => `!${name}`)].join(',') || 'nobody'
}

function names({ claims = {}, ...lists }: Lists): string[] {
  const listed = Object.entries(WRITTEN).flatMap(([list, write]) =>
    (lists[list as keyof typeof WRITTEN] ?? []).map(write),
  )
  return [...listed, ...claimsIn(claims)]
}

const claimsIn = (claims: NonNullable<Lists['claims']>): string[] =>
  Object.entries(claims).map(([claim, values]) => `${claim}=${[values].flat().join('|')}`)
