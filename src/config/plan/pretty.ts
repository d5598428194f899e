// A plan for a terminal. Pure.
import type { Change, Plan, ReloadClass } from './types.ts'
import { effectInWords, SIGNS, summaryOf } from './words.ts'

export type Paint = (style: 'bold' | 'dim' | 'red' | 'green' | 'yellow', text: string) => string

const MAX_VALUE = 60

const PAINTED: Readonly<Record<ReloadClass, Parameters<Paint>[0]>> = {
  live: 'green',
  reconnect: 'yellow',
  reauthorize: 'yellow',
  relogin: 'red',
  restart: 'red',
}

export function formatPlan(plan: Plan, against: string, paint: Paint): string {
  if (plan.changes.length === 0) return `No changes against ${against}.\n`
  const width = widest(plan.changes.map(({ path }) => path))
  const classes = widest(plan.changes.map(({ reload }) => reload))
  const changes = plan.changes.map((change) => {
    const reload = paint(PAINTED[change.reload], change.reload.padEnd(classes))
    return `${SIGNS[change.kind]} ${change.path.padEnd(width)}  ${reload}  ${edited(change)}`.trimEnd()
  })
  const routes = plan.routes.flatMap((effect) => {
    const words = effectInWords(effect)
    return words === undefined ? [] : { route: effect.route, words }
  })
  const names = widest(routes.map(({ route }) => route))
  return [
    `Changes against ${against}:`,
    ...changes.map((line) => `  ${line}`),
    ...section(
      paint('bold', 'Sessions:'),
      routes.map(({ route, words }) => `${route.padEnd(names)}  ${words}`),
    ),
    ...section(
      paint('bold', 'To do outside:'),
      plan.todo.map(({ message }) => `! ${message}`),
    ),
    '',
    summaryOf(plan),
    '',
  ].join('\n')
}

function edited({ kind, before = '', after = '', routes = [] }: Change): string {
  const value = kind === 'changed' ? `${short(before)} → ${short(after)}` : short(before + after)
  return routes.length === 0 ? value : `${value}  (${routes.join(', ')})`
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)]
}

const short = (text: string) => (text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE - 1)}…` : text)
const widest = (texts: readonly string[]) => Math.max(0, ...texts.map(({ length }) => length))
