// From two analysed texts to what the edit between them comes to. Pure: counts of a running gateway come in later.
import type { Analysis } from '../analyse.ts'
import type { SchemaWalk } from '../schema-walk.ts'
import { type Difference, differences } from './differences.ts'
import { createJudge, type Judge } from './effects.ts'
import { thingsToDo } from './outside.ts'
import { harmless } from './show.ts'
import { readSide } from './side.ts'
import type { Change, Plan, RouteNumbers } from './types.ts'

/** `before` undefined: there was no configuration. Undefined when one of the texts is none. */
export function planChanges(
  before: Analysis | undefined,
  after: Analysis,
  schema: SchemaWalk,
): Plan | undefined {
  const old = before && readSide(before, schema)
  const now = readSide(after, schema)
  if (now === undefined || (before !== undefined && old === undefined)) return undefined
  const all = differences(old, now)
  const judge = createJudge(old?.config, now.config, all)
  const routes = new Set([...Object.keys(old?.config.routes ?? {}), ...Object.keys(now.config.routes)])
  return {
    changes: gathered(all, judge),
    routes: [...routes].map((route) => judge.effect(route)),
    todo: thingsToDo(old, now, all).map(({ kind, subject, message }) => ({
      kind,
      subject: harmless(subject),
      message: harmless(message),
    })),
  }
}

/** What many routes inherit from one line of `defaults` is one change. */
function gathered(all: readonly Difference[], judge: Judge): Change[] {
  const changes = new Map<string, Change>()
  for (const one of all) {
    const { kind, path, pointer, written, before, after, line } = one
    const change: Change = {
      kind,
      path,
      reload: judge.reload(one),
      ...(before !== undefined && { before }),
      ...(after !== undefined && { after }),
      ...(line !== undefined && { line }),
    }
    const key = JSON.stringify(change)
    const reached = written === pointer ? [] : [pointer.split('/')[2] ?? '']
    const routes = [...(changes.get(key)?.routes ?? []), ...reached]
    changes.set(key, { ...change, ...(routes.length > 0 && { routes }) })
  }
  return [...changes.values()]
}

export function withNumbers(plan: Plan, numbers: Readonly<Record<string, RouteNumbers>>): Plan {
  const routes = plan.routes.map((effect) => {
    const counted = Object.hasOwn(numbers, effect.route) ? numbers[effect.route] : undefined
    return counted === undefined ? effect : { ...effect, numbers: counted }
  })
  return { ...plan, routes }
}
