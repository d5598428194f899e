// A plan in words, for every format alike. Pure.
import { type Plan, RELOAD_CLASSES, type RouteEffect, type RouteNumbers } from './types.ts'

export const SIGNS = { added: '+', removed: '-', changed: '~' } as const

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}

/** What becomes of the route's sessions, or undefined when there is nothing to tell. */
export function effectInWords({
  effect,
  isForUpstreamToSay = false,
  server,
  numbers,
  gains,
  loses,
}: RouteEffect): string | undefined {
  const told = [
    EFFECTS[effect](numbers, server ?? 'the upstream') + (isForUpstreamToSay ? UNLESS : ''),
    gains.length > 0 ? `${gains.join(', ')} may use it now` : '',
    loses.length > 0 ? `${loses.join(', ')} may not use it any more` : '',
  ].filter((text) => text !== '')
  return told.length === 0 ? undefined : told.join('; ')
}

const UNLESS = ', unless the upstream names the same server and resource as before'

type Words = (numbers: RouteNumbers | undefined, server: string) => string

const EFFECTS: Readonly<Record<RouteEffect['effect'], Words>> = {
  kept: () => '',
  added: () => 'new',
  removed: (numbers) => `gone: its URL answers 404${after(numbers, ({ grants }) => count(grants, 'grant'))}`,
  reconnect: (numbers) =>
    `sessions reconnect${after(numbers, ({ streams }) => count(streams, 'open stream'))}`,
  reauthorize: (numbers, server) =>
    numbers === undefined
      ? `people sign in at ${server} again`
      : `${people(numbers, numbers.subjects)} at ${server} again`,
  relogin: (numbers) =>
    numbers === undefined ? 'clients sign in again' : `${people(numbers, numbers.subjects)} again`,
}

function people(numbers: RouteNumbers, number: number): string {
  if (number === 0) return 'nobody has a grant yet who would sign in'
  return `${least(numbers)}${number} ${number === 1 ? 'person signs in' : 'people sign in'}`
}

function after(numbers: RouteNumbers | undefined, text: (numbers: RouteNumbers) => string): string {
  return numbers === undefined ? '' : ` (${least(numbers)}${text(numbers)})`
}

const least = ({ partial }: RouteNumbers) => (partial ? 'at least ' : '')

/** `1 reconnect, 2 live. 3 routes keep 41 grants.` */
export function summaryOf(plan: Plan): string {
  const classes = [...RELOAD_CLASSES].reverse().flatMap((reload) => {
    const found = plan.changes.filter((change) => change.reload === reload).length
    return found === 0 ? [] : [`${found} ${reload}`]
  })
  return `${classes.join(', ')}.${keptInWords(plan)}`
}

function keptInWords({ changes, routes }: Plan): string {
  const kept = routes.filter(({ effect }) => effect === 'kept')
  if (kept.length === 0) return ''
  const keep = ` ${count(kept.length, 'route')} ${kept.length === 1 ? 'keeps its' : 'keep their'}`
  // A user or client that leaves takes grants along, and nobody counted whose are which.
  if (changes.some(({ kind, reload }) => kind === 'removed' && reload === 'relogin')) {
    return `${keep} sessions, but for who was removed.`
  }
  const counted = kept.flatMap(({ numbers }) => numbers ?? [])
  const grants = counted.reduce((sum, numbers) => sum + numbers.grants, 0)
  if (counted.length < kept.length || grants === 0) return `${keep} sessions.`
  const least = counted.some(({ partial }) => partial) ? ' or more' : ''
  return `${keep} ${grants}${least} ${grants === 1 ? 'grant' : 'grants'}.`
}
