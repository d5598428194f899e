// A plan as a comment on a pull request. Pure. What stands in the file must not become markup of the page.
import type { Change, Plan } from './types.ts'
import { effectInWords, SIGNS, summaryOf } from './words.ts'

export function formatPlanMarkdown(plan: Plan, file: string, against: string): string {
  const title = `### Plan for ${code(file)}`
  if (plan.changes.length === 0) return `${title}\n\nNo changes against ${code(against)}.\n`
  const routes = plan.routes.flatMap((effect) => {
    const words = effectInWords(effect)
    return words === undefined ? [] : [`- ${code(effect.route)}: ${text(words)}`]
  })
  return [
    title,
    '',
    `Against ${code(against)}: ${summaryOf(plan)}`,
    '',
    '| | setting | costs | before | after |',
    '|---|---|---|---|---|',
    ...plan.changes.map(row),
    ...section('Sessions', routes),
    ...section(
      'To do outside',
      plan.todo.map(({ message }) => `- [ ] ${text(message)}`),
    ),
    '',
  ].join('\n')
}

function row({ kind, path, reload, before, after, routes = [] }: Change): string {
  const reached = routes.length === 0 ? '' : ` (${routes.map(code).join(', ')})`
  return `| ${SIGNS[kind]} | ${code(path)}${reached} | ${reload} | ${code(before)} | ${code(after)} |`
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `**${title}**`, '', ...lines]
}

/** HTML, because a code span in Markdown can be ended from within, and a table cell by a bar. */
function code(value: string | undefined): string {
  return value === undefined ? '' : `<code>${text(value)}</code>`
}

function text(value: string): string {
  return value.replaceAll(/[&<>|`*_[\]\\~@#:]/g, (character) => `&#${character.codePointAt(0)};`)
}
