// What a grant leaves behind when it is revoked: with the last one of a person that uses a link, the link goes too,
// where the route says so.
import type { Gateway } from '../gateway.ts'
import { type Grant, indexes, keys } from '../store/records.ts'
import type { Deps } from './endpoint.ts'

/** Call it once the grant is gone from the store: of two that end at once, the later one sees that it was the last. */
export async function disconnectAfter(grant: Grant, gateway: Gateway, deps: Deps): Promise<void> {
  const link = gateway.routes.get(grant.route)?.auth.link
  if (link?.forget === undefined) return
  const fingerprint = await link.fingerprint()
  if (fingerprint === undefined || (await isUsed(fingerprint, grant, gateway, deps))) return
  await link.forget(grant.subject)
}

/** An index is a hint, so each is read; a grant of another route counts when that one's upstream takes the same tokens (sec-C15). */
async function isUsed(
  fingerprint: string,
  { subject }: Grant,
  { routes }: Gateway,
  { store }: Deps,
): Promise<boolean> {
  const grants = keys.grant('')
  for await (const key of store.list(indexes.bySubject(subject))) {
    const other = key.startsWith(grants) ? (await store.get<Grant>(key))?.value : undefined
    if (other?.subject !== subject) continue
    if ((await routes.get(other.route)?.auth.link?.fingerprint()) === fingerprint) return true
  }
  return false
}
