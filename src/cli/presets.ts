// `mcp-oauth-gateway presets [NAME]`: which providers are known, what each needs, and where that is documented.
import { loadPreset, type Preset, type PresetFact, presetNames } from '../config/presets/preset.ts'
import { didYouMean } from '../config/suggest.ts'
import { needsOf, presetSection } from '../init/from-preset.ts'
import { readArgs, UsageError } from './args.ts'
import { EXIT } from './exit.ts'

const options = { json: { type: 'boolean' } } as const

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = readArgs(args, options, true)
  const [name, ...rest] = positionals
  if (rest.length > 0) throw new UsageError('presets takes one name')
  const shown = name === undefined ? presetNames().map(presetNamed) : presetNamed(name)
  if (values.json) process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`)
  else process.stdout.write(Array.isArray(shown) ? table(shown) : page(shown as Preset))
  return EXIT.ok
}

/** Throws UsageError. */
export function presetNamed(name: string): Preset {
  const preset = loadPreset(name)
  if (preset) return preset
  const hint = didYouMean(name, presetNames()) ?? `There are: ${presetNames().join(', ')}.`
  throw new UsageError(`there is no preset ${name}`, hint)
}

function table(presets: readonly Preset[]): string {
  const rows = [
    ['NAME', 'TITLE', 'NEEDS', 'MCP SERVER'],
    ...presets.map((preset) => [preset.name, preset.title, needs(preset), preset.upstream ?? '-']),
  ]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return `${lines.join('\n')}\n\nMore about one: mcp-oauth-gateway presets NAME\nA file with some: mcp-oauth-gateway init --preset NAME\n`
}

const needs = (preset: Preset) => needsOf(preset).join(', ') || 'nothing'

function page(preset: Preset): string {
  const { name, title, upstream, quirks, facts, parameters = {} } = preset
  const { server = [], lines, steps } = presetSection(preset)
  const entry = server.filter((line) => !line.startsWith('#'))
  const parts = [
    [`${title} (preset: ${name})`, ...(upstream ? [`MCP server: ${upstream}`] : [])],
    ['What to do there:', ...(steps.length > 0 ? steps : ['nothing']).map((step) => `  ${step}`)],
    ...(Object.keys(parameters).length > 0 ? [parameterLines(parameters)] : []),
    [
      'In gateways.yaml:',
      ...(entry.length > 0 ? ['  authorization_servers:', ...entry.map((line) => `    ${line}`)] : []),
      '  routes:',
      ...lines.map((line) => `    ${line}`),
    ],
    ['How it differs:', ...Object.entries(quirks).map(([quirk, value]) => `  ${quirk}: ${value}`)],
    ['Where that is documented:', ...facts.flatMap(factLines)],
  ]
  return `${parts.map((part) => part.join('\n')).join('\n\n')}\n`
}

function parameterLines(parameters: NonNullable<Preset['parameters']>): string[] {
  return [
    'preset_parameters:',
    ...Object.entries(parameters).map(([name, { description, example, default: fallback }]) => {
      const otherwise = fallback === undefined ? 'required' : `default: ${fallback}`
      return `  ${name}  ${description}, such as ${example} (${otherwise})`
    }),
  ]
}

function factLines({ about, source, verified, note }: PresetFact): string[] {
  return [
    `  ${about.join(', ')}${verified === false ? ' (unverified)' : ''}`,
    ...(source ? [`    ${source}`] : []),
    ...(note ? [`    ${note}`] : []),
  ]
}
