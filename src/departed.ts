// People who left the configuration lose what they had, so that whoever gets their name later inherits nothing.
import type { Deps } from './endpoints/endpoint.ts'
import type { Gateway } from './gateway.ts'
import type { Subject } from './slots.ts'
import { indexes, type KnownUser } from './store/records.ts'
import type { Store } from './store/store.ts'

/**
 * Deletes sessions, grants and links of every subject that nobody vouches for. Run at start and after each reload.
 * `previous`: the generation before, if one ran. A route that left with them knew where their tokens are to be taken back.
 */
export async function forgetDepartedUsers(
  gateway: Gateway,
  { store, log }: Deps,
  previous?: Gateway,
): Promise<void> {
  const routes = [gateway, previous].flatMap((one) => (one === undefined ? [] : [...one.routes.values()]))
  for await (const key of store.list(indexes.users)) {
    const user = await store.get<KnownUser>(key)
    if (user === undefined || gateway.knows(user.value.subject)) continue
    // The row stays: a sign-in that was under way may write after us, and is then found the next time.
    const { subject } = user.value
    for (const { auth } of routes) await auth.link?.forget?.(subject)
    if ((await forget(subject, store)) > 0) log.info('user forgotten', { subject })
  }
}

/** How many records it took away. */
async function forget(subject: Subject, store: Store): Promise<number> {
  let gone = 0
  for await (const key of store.list(indexes.bySubject(subject))) gone += await remove(key, subject, store)
  return gone
}

/** Until it is gone: a refresh that wins a race must not keep it. An index is a hint, so only what is really theirs goes. */
async function remove(key: string, subject: Subject, store: Store): Promise<0 | 1> {
  for (;;) {
    const entry = await store.get<{ readonly subject: Subject }>(key)
    if (entry?.value.subject !== subject) return 0
    if (await store.cas(key, entry.version, undefined)) return 1
  }
}
