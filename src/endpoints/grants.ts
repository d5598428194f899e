// Grants in the store: made by a sign-in or at /token, found by the tokens that clients present.
import type { Gateway, Route } from '../gateway.ts'
import { grantExpiresAtMs, issueCode } from '../oauth/grant.ts'
import { redirectLocation } from '../oauth/redirect-uri.ts'
import { hashToken, mintGrantId, mintToken, type PresentedToken } from '../oauth/tokens.ts'
import { type Reply, redirectReply } from '../reply.ts'
import { type Grant, indexes, keys, type Transaction } from '../store/records.ts'
import { ABSENT, type Entry, type WriteOptions } from '../store/store.ts'
import { grantedScopes } from './consented-scopes.ts'
import { disconnectAfter } from './disconnect.ts'
import type { Deps } from './endpoint.ts'
import { checkStillThere, type Person } from './known-subjects.ts'

/** The end of every sign-in: a code for the client, on disk before it is sent. */
export async function codeReply(
  transaction: Transaction,
  person: Person,
  route: Route,
  gateway: Gateway,
  deps: Deps,
  cookies: readonly string[],
): Promise<Reply> {
  const { subject } = person
  const grantId = mintGrantId()
  const code = mintToken('code', grantId)
  const approval = {
    grantId,
    codeHash: hashToken(code),
    subject,
    clientId: transaction.clientId,
    route: route.name,
    scopes: await grantedScopes(route, transaction),
    redirectUri: transaction.redirectUri,
    challenge: transaction.codeChallenge,
  }
  const grant = issueCode(approval, gateway.tokens, deps.now())
  await storeGrant(grant, deps)
  await checkStillThere(person, gateway, deps)
  deps.log.info('code issued', { subject, route: route.name })
  const answer = { code, state: transaction.state, iss: gateway.issuer }
  return redirectReply(redirectLocation(transaction.redirectUri, answer), cookies)
}

/** Its id is random, so that nothing is there yet. */
export async function storeGrant(grant: Grant, { store }: Pick<Deps, 'store'>): Promise<void> {
  await store.cas(keys.grant(grant.id), ABSENT, grant, writeOptions(grant))
}

export async function findGrant(
  { grantId }: PresentedToken,
  { store }: Deps,
): Promise<Entry<Grant> | undefined> {
  return store.get<Grant>(keys.grant(grantId))
}

/** Whether somebody here has let this client in, and it has not ended since. An index is a hint, so each is read. */
export async function hasGrant(clientId: string, { store }: Pick<Deps, 'store'>): Promise<boolean> {
  for await (const key of store.list(indexes.byClient(hashToken(clientId)))) {
    if ((await store.get<Grant>(key))?.value.clientId === clientId) return true
  }
  return false
}

/** False: somebody else changed the grant meanwhile, so it has to be judged again. */
export async function replaceGrant(entry: Entry<Grant>, next: Grant, { store }: Deps): Promise<boolean> {
  return store.cas(keys.grant(next.id), entry.version, next, writeOptions(next))
}

/** Ends the family: every token of it is unknown from here on. False: somebody else changed the grant meanwhile. */
export async function revokeGrant(entry: Entry<Grant>, gateway: Gateway, deps: Deps): Promise<boolean> {
  const gone = await deps.store.cas(keys.grant(entry.value.id), entry.version, undefined)
  if (gone) await disconnectAfter(entry.value, gateway, deps)
  return gone
}

function writeOptions(grant: Grant): WriteOptions {
  return {
    expiresAtMs: grantExpiresAtMs(grant),
    indexes: [
      indexes.bySubject(grant.subject),
      indexes.byClient(hashToken(grant.clientId)),
      indexes.byRoute(grant.route),
    ],
  }
}
