// Two configurations, compared by meaning: what was added, removed or changed, one line for one edit. Pure.
import { dottedPath, isAmong, isWithin, parsePointer, withAncestors } from '../pointer.ts'
import type { Leaf, Side } from './side.ts'
import { type Change, dearest, RELOAD_CLASSES, type ReloadClass } from './types.ts'

/** A change with what it is judged by. */
export interface Difference {
  readonly kind: Change['kind']
  readonly pointer: string
  /** Where it is written, and how people write that: a route's value may stand under `defaults`. */
  readonly written: string
  readonly path: string
  /** As the schema says. */
  readonly reload: ReloadClass
  readonly before?: string
  readonly after?: string
  readonly line?: number
}

/** What leaves with a named thing; what comes is there for the next request. */
const REMOVED: Readonly<Record<string, ReloadClass>> = {
  '/routes': 'reconnect',
  '/login': 'relogin',
  '/login/users': 'relogin',
  '/clients/static': 'relogin',
  '/trusted_issuers': 'relogin',
}

export function differences(before: Side | undefined, after: Side): Difference[] {
  const all = compare(before, after)
  // Of a first configuration nothing is kept and nothing lost.
  if (before === undefined) return all.filter(isWorthTelling).map((one) => ({ ...one, reload: 'live' }))
  return all.sort((a, b) => RELOAD_CLASSES.indexOf(b.reload) - RELOAD_CLASSES.indexOf(a.reload))
}

const isWorthTelling = ({ pointer }: Difference) => pointer !== '/version'

function compare(before: Side | undefined, after: Side): Difference[] {
  const none: Side['leaves'] = new Map()
  const old = before?.leaves ?? none
  const added = [...after.entries].filter((pointer) => !before?.entries.has(pointer))
  const removed = [...(before?.entries ?? [])].filter((pointer) => !after.entries.has(pointer))
  const replaced = replacedSubtrees(old, after.leaves)
  const whole = new Set([...added, ...removed, ...replaced])
  const leaves = [...new Set([...old.keys(), ...after.leaves.keys()])].filter((at) => !isAmong(at, whole))
  return [
    ...added.map((pointer) => entryDifference('added', pointer, after)),
    ...removed.map((pointer) => before && entryDifference('removed', pointer, before)),
    ...replaced.map((pointer) => replacement(pointer, old, after)),
    ...leaves.map((pointer) => leafDifference(pointer, old.get(pointer), after.leaves.get(pointer), after)),
  ].filter((one) => one !== undefined)
}

/** Where one side has a word and the other a section, or sections of different `type`: they are compared whole. */
function replacedSubtrees(old: Side['leaves'], now: Side['leaves']): string[] {
  const found = new Set<string>()
  for (const [one, other] of [
    [old, now],
    [now, old],
  ] as const) {
    for (const [pointer, leaf] of one) {
      for (const ancestor of withAncestors(pointer)) {
        if (ancestor !== pointer && other.has(ancestor)) found.add(ancestor)
      }
      const type = other.get(pointer)
      if (pointer.endsWith('/type') && type && type.meaning !== leaf.meaning) found.add(pointer.slice(0, -5))
    }
  }
  return [...found].filter(
    (pointer) => ![...found].some((outer) => outer !== pointer && isWithin(pointer, outer)),
  )
}

function entryDifference(kind: 'added' | 'removed', pointer: string, side: Side): Difference {
  const collection = pointer.slice(0, pointer.lastIndexOf('/'))
  const place = ['/upstream/url', '/issuer', '/authorization_endpoint']
    .map((inner) => side.leaves.get(pointer + inner)?.shown)
    .find((shown) => shown !== undefined)
  return {
    kind,
    pointer,
    written: pointer,
    path: dottedPath(pointer),
    reload: kind === 'added' ? 'live' : (REMOVED[collection] ?? 'live'),
    ...(place !== undefined && { [kind === 'added' ? 'after' : 'before']: place }),
    ...(kind === 'added' && lineOf(side, pointer)),
  }
}

function replacement(pointer: string, old: Side['leaves'], after: Side): Difference {
  const inside = (leaves: Side['leaves']) => [...leaves].filter(([at]) => isWithin(at, pointer))
  const [was, is] = [inside(old), inside(after.leaves)]
  const root = [...was, ...is].filter(([at]) => at === pointer || at === `${pointer}/type`)
  const [at, leaf] = is[0] ?? [pointer, undefined]
  const written = leaf?.written.slice(0, leaf.written.length - (at.length - pointer.length)) ?? pointer
  return {
    kind: 'changed',
    pointer,
    written,
    path: dottedPath(written),
    reload: dearest(root.map(([, leaf]) => leaf.reload)),
    before: showSubtree(pointer, was),
    after: showSubtree(pointer, is),
    ...lineOf(after, pointer),
  }
}

/** `{ type: api_key, value: ${KEY} }`, without what nobody wrote. */
function showSubtree(pointer: string, leaves: readonly (readonly [string, Leaf])[]): string {
  const [first] = leaves
  if (first !== undefined && first[0] === pointer) return first[1].shown
  const written = leaves.filter(([at, { isDefault }]) => !isDefault || at === `${pointer}/type`)
  const pairs = written.map(([at, { shown }]) => `${dottedPath(at.slice(pointer.length))}: ${shown}`)
  return `{ ${pairs.join(', ')} }`
}

function leafDifference(
  pointer: string,
  before: Leaf | undefined,
  after: Leaf | undefined,
  side: Side,
): Difference | undefined {
  const known = after ?? before
  if (known === undefined || before?.meaning === after?.meaning) return undefined
  // A section that came or went brings its defaults along: nobody edited those.
  if ((before === undefined || after === undefined) && known.isDefault) return undefined
  const written = after?.isDefault ? (before?.written ?? known.written) : known.written
  return {
    kind: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
    pointer,
    written,
    path: dottedPath(written),
    reload: known.reload,
    ...(before && { before: before.shown }),
    ...(after && { after: after.shown }),
    ...lineOf(side, pointer),
  }
}

function lineOf(side: Side, pointer: string): { readonly line?: number } {
  const line = side.line(pointer)
  return line === undefined ? {} : { line }
}

/** The route that a pointer lies in. */
export function routeOf(pointer: string): string | undefined {
  const [section, name] = parsePointer(pointer)
  return section === 'routes' ? name : undefined
}
