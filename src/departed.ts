// People who left the configuration lose what they had, so that whoever gets their name later inherits nothing.
import type { Deps } from './endpoints/endpoint.ts'
import { admitAgain, beginEpoch, forgetSubject, rememberSubject } from './endpoints/known-subjects.ts'
import type { Gateway } from './gateway.ts'
import { indexes, type KnownUser } from './store/records.ts'
import type { Store } from './store/store.ts'

const AT_ONCE = 100

/**
 * Forgets every subject that nobody vouches for. Run at start and after each reload.
 * `previous`: the generation before, if one ran. A route that left with them knew where their tokens are to be taken back.
 */
export async function forgetDepartedUsers(gateway: Gateway, deps: Deps, previous?: Gateway): Promise<void> {
  const gateways = previous === undefined ? [gateway] : [gateway, previous]
  await eachKnownUser(deps.store, async ({ subject, departed }) => {
    if (gateway.knows(subject)) return
    if (!departed) await beginEpoch(subject, deps)
    await forgetSubject(subject, gateways, deps)
  })
}

/**
 * Whoever is vouched for has a row before they come: only what has one is found when it leaves. A name that comes back
 * is forgotten once more: a process that ran on, or died, under the configuration before may have written for it since.
 */
export async function admitUsers(gateway: Gateway, deps: Deps): Promise<void> {
  await eachKnownUser(deps.store, async ({ subject, departed }) => {
    if (!departed || !gateway.knows(subject)) return
    await beginEpoch(subject, deps)
    await forgetSubject(subject, [gateway], deps)
    await admitAgain(subject, deps)
  })
  try {
    await Promise.all([...gateway.reusableNames].map((subject) => rememberSubject(subject, deps)))
  } catch (error) {
    // Whoever is connected goes on, on a full disk too; the rest are noted when they sign in.
    deps.log.warn('not all users could be noted yet', { reason: String(error) })
  }
}

/** Many at a time: each waits for the disk, and a whole company may leave at once. */
async function eachKnownUser(store: Store, work: (user: KnownUser) => Promise<void>): Promise<void> {
  const visit = async (key: string) => {
    const user = await store.get<KnownUser>(key)
    if (user !== undefined) await work(user.value)
  }
  let visits: Promise<void>[] = []
  for await (const key of store.list(indexes.users)) {
    const visiting = visit(key)
    // Where the list breaks off nobody waits for it any more.
    visiting.catch(() => {})
    visits.push(visiting)
    if (visits.length < AT_ONCE) continue
    await Promise.all(visits)
    visits = []
  }
  await Promise.all(visits)
}
