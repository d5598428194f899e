// What `explain` found, as people read it. Pure.
import type { ExplainedRoute, ExplainedStep, Setting } from '../config/explain/route.ts'
import type { ExplainedSetting } from '../config/explain/setting.ts'
import { type Paint, table, wrap } from './style.ts'

const WIDTH = 80

/** The classes of docs/reload.md, in a line each. */
const RELOAD: Readonly<Record<string, string>> = {
  live: 'counts for the next request',
  reconnect: 'MCP sessions reconnect',
  reauthorize: 'people sign in at the upstream again',
  relogin: 'clients and people sign in again',
  restart: 'counts after a restart of the gateway',
}

export function routeInWords(route: ExplainedRoute, request: string, file: string, paint: Paint): string {
  const place = placeIn(file)
  const origin = (found: ExplainedStep | Setting) =>
    [place(found.line), found.origin].filter(Boolean).join('  ')
  const steps = route.steps.map((step, index) => {
    const settings = step.settings.map((setting) => [`     ${setting.path}`, setting.value, origin(setting)])
    const from = step.origin === 'built in' ? 'built in' : origin(step)
    return [
      `\n${String(index + 1).padStart(2)} ${paint('bold', step.name.padEnd(12))} ${paint('dim', from)}\n`,
      wrap(step.detail, WIDTH, '     '),
      paint('dim', table(settings)),
    ].join('')
  })
  const head = `${paint('bold', `${request} → route ${route.route}`)}  ${place(route.line)}\n`
  return `${head}${route.url}\n${steps.join('')}`
}

const firstSentence = (text: string) => /^.*?\.(?= |$)/.exec(text)?.[0] ?? text

const placeIn = (file: string) => (line: number | undefined) => (line === undefined ? '' : `${file}:${line}`)

export function settingInWords(setting: ExplainedSetting, paint: Paint): string {
  const { path, description, values, reload, examples, settings } = setting
  const reloads = reload?.split(' or ').map((one) => `${one}: ${RELOAD[one] ?? ''}`) ?? []
  const facts = [
    ...(values.length > 0 ? [['value', values.join(', ')]] : []),
    ...(setting.default === undefined ? [] : [['default', setting.default]]),
    ...(examples.length > 0 ? [['example', examples.join('   ')]] : []),
    ...(settings.length === 0 ? reloads.map((text) => ['an edit', text]) : []),
  ]
  const inside = settings.map(({ name, description }) => [`  ${name}`, firstSentence(description)])
  return [
    `${paint('bold', path)}\n`,
    wrap(description, WIDTH, '  '),
    table(facts.map(([name = '', value = '']) => [`  ${name}`, value])),
    inside.length === 0 ? '' : `\n${table(inside)}`,
  ].join('')
}
