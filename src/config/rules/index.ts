// Everything a schema cannot say, as one table.
import { isWithin } from '../pointer.ts'
import type { Finding } from '../problem.ts'
import { authorizationServerRules } from './authorization-servers.ts'
import { clientRules } from './clients.ts'
import { lifetimeRules } from './lifetimes.ts'
import { routeRules } from './routes.ts'
import type { Facts, Rule } from './rule.ts'
import { serverRules } from './server.ts'
import { upstreamRules } from './upstream.ts'

export const rules: readonly Rule[] = [
  ...serverRules,
  ...routeRules,
  ...authorizationServerRules,
  ...upstreamRules,
  ...clientRules,
  ...lifetimeRules,
]

export function checkRules(facts: Facts, discarded: readonly string[]): Finding[] {
  const isWhole = (section: string) =>
    !discarded.some((gone) => isWithin(gone, section) || isWithin(section, gone))
  return rules
    .filter(({ needs = [] }) => needs.every(isWhole))
    .flatMap(({ id, severity, check }) =>
      Array.from(check(facts), (found) => ({ rule: id, severity, ...found })),
    )
}
