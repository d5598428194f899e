// Scopes that came to be needed after a grant was made: whether it still serves its route, and what to remember when
// the upstream demands more (design §5). Each grant for itself: one client's needs send no other one to sign in.
import type { Route } from '../gateway.ts'
import { includesAll, remembered } from '../oauth/scope.ts'
import { type Grant, keys } from '../store/records.ts'
import type { Deps } from './endpoint.ts'
import { replaceGrant } from './grants.ts'

/**
 * Why a fresh token of this grant would only meet a refusal again; undefined when it would not. Clients refresh first
 * and give up on a second refusal, so that is when they are sent to sign in.
 */
export async function whyNotServed(
  { scopes, hierarchy, auth: { link } }: Route,
  grant: Grant,
): Promise<'scopes' | 'upstream_link' | undefined> {
  if (!includesAll(grant.scopes, scopes, hierarchy)) return 'scopes'
  const served = link === undefined || (await link.isGood(grant.subject, grant.wanted ?? []))
  return served ? undefined : 'upstream_link'
}

const MAX_ATTEMPTS = 50

/** The newest first: what was demanded long ago has been asked for meanwhile. */
export async function rememberDemand(
  grantId: string,
  demanded: readonly string[],
  deps: Deps,
): Promise<void> {
  for (let tries = 0; tries < MAX_ATTEMPTS; tries++) {
    const entry = await deps.store.get<Grant>(keys.grant(grantId))
    if (entry === undefined) return
    const known = entry.value.wanted ?? []
    if (includesAll(known, demanded)) return
    if (await replaceGrant(entry, { ...entry.value, wanted: remembered(demanded, known) }, deps)) return
  }
  throw new Error('a grant kept changing while a demand was noted')
}
