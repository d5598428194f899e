// Counts what an edit of a route would concern: grants, people and connected accounts, by the store's indexes. Bounded,
// and in small steps: it runs beside the requests. It changes nothing.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { RouteNumbers } from '../config/plan/types.ts'
import type { Gateway, Route } from '../gateway.ts'
import { hashToken } from '../oauth/tokens.ts'
import type { Subject } from '../slots.ts'
import { type Grant, indexes, keys, type Link } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import type { Numbers } from './protocol.ts'

/** Per route. What is beyond is said to be beyond. */
const MAX_COUNTED = 10_000
const BATCH = 200

export interface Counting {
  readonly store: Store
  readonly streams: ReadonlyMap<string, number>
  readonly max?: number
}

export async function countRoutes({ routes }: Gateway, counting: Counting): Promise<Numbers> {
  const counted: [string, RouteNumbers][] = []
  for (const route of routes.values()) counted.push([route.name, await countRoute(route, counting)])
  return Object.fromEntries(counted)
}

async function countRoute(
  route: Route,
  { store, streams, max = MAX_COUNTED }: Counting,
): Promise<RouteNumbers> {
  const subjects = new Set<Subject>()
  let seen = 0
  let grants = 0
  for await (const key of store.list(indexes.byRoute(route.name))) {
    if (seen === max) break
    seen += 1
    if (seen % BATCH === 0) await nextTurn()
    const entry = await store.get<Grant>(key)
    // An index is a hint, a grant whose code was never redeemed is nobody's session, and who needed no sign-in needs none again.
    if (entry?.value.route !== route.name || entry.value.refresh === undefined) continue
    grants += 1
    subjects.add(entry.value.subject)
  }
  return {
    grants,
    subjects: subjects.size,
    links: await countLinks(route, subjects, store),
    streams: streams.get(route.name) ?? 0,
    partial: seen === max,
  }
}

async function countLinks({ auth }: Route, subjects: Iterable<Subject>, store: Store): Promise<number> {
  const fingerprint = await auth.link?.fingerprint()
  if (fingerprint === undefined) return 0
  let links = 0
  let seen = 0
  for (const subject of subjects) {
    seen += 1
    if (seen % BATCH === 0) await nextTurn()
    const entry = await store.get<Link>(keys.link(hashToken(subject), fingerprint))
    if (entry !== undefined && !entry.value.dead) links += 1
  }
  return links
}
