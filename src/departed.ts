// People who left the configuration lose what they had, so that whoever gets their name later inherits nothing.
import type { Deps } from './endpoints/endpoint.ts'
import type { Gateway } from './gateway.ts'
import type { Subject } from './slots.ts'
import { indexes, type KnownUser } from './store/records.ts'
import type { Store } from './store/store.ts'

/** Deletes sessions, grants and links of every subject that no login vouches for. Run at start and after each reload. */
export async function forgetDepartedUsers(gateway: Gateway, { store, log }: Deps): Promise<void> {
  for await (const key of store.list(indexes.users)) {
    const user = await store.get<KnownUser>(key)
    if (user === undefined || gateway.profile(user.value.subject) !== undefined) continue
    await forget(user.value.subject, store)
    await store.cas(key, user.version, undefined)
    log.info('user forgotten', { subject: user.value.subject })
  }
}

async function forget(subject: Subject, store: Store): Promise<void> {
  for await (const key of store.list(indexes.bySubject(subject))) {
    const entry = await store.get<{ readonly subject: Subject }>(key)
    // An index is a hint: only what is really theirs goes.
    if (entry?.value.subject === subject) await store.cas(key, entry.version, undefined)
  }
}
