// Subjects whose name somebody else may have later. Their row says in which epoch a name is: it changes when the name
// leaves the configuration and when it comes back, so that who began before is told from who is called so now.
import type { Gateway } from '../gateway.ts'
import type { Subject } from '../slots.ts'
import { FORMAT, indexes, type KnownUser, keys } from '../store/records.ts'
import { ABSENT, type Store } from '../store/store.ts'
import { update } from '../store/update.ts'
import type { Deps } from './endpoint.ts'
import { configurationChanged } from './transactions.ts'

/** Who a request is about, and the epoch in which they proved it. */
export interface Person {
  readonly subject: Subject
  readonly epoch: number
}

type StoreDeps = Pick<Deps, 'store'>

/** Of a name that has no row it is the first one. */
export async function epochOf(subject: Subject, { store }: StoreDeps): Promise<number> {
  return (await store.get<KnownUser>(keys.user(subject)))?.value.epoch ?? 0
}

/** So that their records are found, and forgotten, when the name leaves the configuration. */
export async function rememberSubject(subject: Subject, { store }: StoreDeps): Promise<Person> {
  const key = keys.user(subject)
  if ((await store.get(key)) === undefined)
    await store.cas(key, ABSENT, { v: FORMAT, subject }, { indexes: [indexes.users] })
  return { subject, epoch: await epochOf(subject, { store }) }
}

/**
 * Begins another epoch of a name that leaves or comes back. Comes before its records are looked for: what a request
 * writes too late to be found there, that request finds itself (`checkStillThere`), in whichever process it runs.
 */
export function beginEpoch(subject: Subject, { store }: StoreDeps): Promise<unknown> {
  return changeRow(subject, store, ({ epoch = 0, ...user }) => ({
    ...user,
    epoch: epoch + 1,
    departed: true,
  }))
}

/** Comes last: until then everything is forgotten once more, whatever interrupts it. */
export function admitAgain(subject: Subject, { store }: StoreDeps): Promise<unknown> {
  return changeRow(subject, store, ({ departed: _, ...user }) => user)
}

function changeRow(subject: Subject, store: Store, change: (user: KnownUser) => KnownUser): Promise<unknown> {
  return update<KnownUser>(
    store,
    keys.user(subject),
    (user) => user && { value: change(user), options: { indexes: [indexes.users] } },
  )
}

/** Deletes sessions, grants and links, and takes back at the upstreams what their routes say. */
export async function forgetSubject(
  subject: Subject,
  gateways: readonly Gateway[],
  { store, log }: Pick<Deps, 'store' | 'log'>,
): Promise<void> {
  for (const { routes } of gateways)
    for (const { auth } of routes.values()) await auth.link?.forget?.(subject)
  let gone = 0
  for await (const key of store.list(indexes.bySubject(subject))) gone += await remove(key, subject, store)
  if (gone > 0) log.info('user forgotten', { subject })
}

/** Until it is gone: a refresh that wins a race must not keep it. An index is a hint, so only what is really theirs goes. */
async function remove(key: string, subject: Subject, store: Store): Promise<0 | 1> {
  for (;;) {
    const entry = await store.get<{ readonly subject: Subject }>(key)
    if (entry?.value.subject !== subject) return 0
    if (await store.cas(key, entry.version, undefined)) return 1
  }
}

/** Comes after whatever is written about a person. True: they left meanwhile, and what they had is forgotten, this too. */
export async function hasLeft({ subject, epoch }: Person, gateway: Gateway, deps: Deps): Promise<boolean> {
  if ((await epochOf(subject, deps)) === epoch) return false
  await forgetSubject(subject, [gateway], deps)
  return true
}

export async function checkStillThere(person: Person, gateway: Gateway, deps: Deps): Promise<void> {
  if (await hasLeft(person, gateway, deps)) throw configurationChanged()
}
