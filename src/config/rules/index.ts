// Everything a schema cannot say, as one table.
import { exampleRules } from '../examples/rules.ts'
import { isWithin } from '../pointer.ts'
import type { Finding } from '../problem.ts'
import { accessRules } from './access.ts'
import { authorizationServerRules } from './authorization-servers.ts'
import { clientIdentityRules } from './client-identity.ts'
import { clientRules } from './clients.ts'
import { lifetimeRules } from './lifetimes.ts'
import { presetRules } from './presets.ts'
import { routeRules } from './routes.ts'
import type { Facts, Rule, Violation } from './rule.ts'
import { serverRules } from './server.ts'
import { trustedIssuerRules } from './trusted-issuers.ts'
import { upstreamRules } from './upstream.ts'
import { upstreamAuthRules } from './upstream-auth.ts'

export const rules: readonly Rule[] = [
  ...serverRules,
  ...accessRules,
  ...routeRules,
  ...trustedIssuerRules,
  ...authorizationServerRules,
  ...clientIdentityRules,
  ...presetRules,
  ...upstreamRules,
  ...upstreamAuthRules,
  ...clientRules,
  ...lifetimeRules,
  ...exampleRules,
]

export function checkRules(facts: Facts, discarded: readonly string[]): Finding[] {
  const isWhole = (section: string) =>
    !discarded.some((gone) => isWithin(gone, section) || isWithin(section, gone))
  return rules
    .filter(({ needs = [] }) => needs.every(isWhole))
    .flatMap(({ id, severity, check }) =>
      firstOf(check(facts)).map((found) => ({ rule: id, severity, ...found })),
    )
}

/** Nobody reads more, and a file of thousands of mistakes must not take minutes. */
const MAX_PER_RULE = 1000

function firstOf(found: Iterable<Violation>): Violation[] {
  const first: Violation[] = []
  for (const violation of found) {
    if (first.push(violation) === MAX_PER_RULE) break
  }
  return first
}
