// A preset as the part of a new configuration: the entry, the route, and what to do at the provider.
import type { Preset } from '../config/presets/preset.ts'
import { callbackOf, comment, type Section, variablePrefix } from './section.ts'

/** What an entry needs from the operator. */
export function needsOf({ quirks, parameters = {} }: Preset): string[] {
  const names = Object.entries(parameters).flatMap(([name, parameter]) =>
    parameter.default === undefined ? [name] : [],
  )
  return [...(needsClient(quirks) ? ['client_id', 'client_secret'] : []), ...names]
}

const needsClient = ({ registration }: Preset['quirks']) => registration !== 'dynamic'

export function presetSection(preset: Preset): Section {
  const { name, title, upstream } = preset
  const server = serverLines(preset)
  const steps = preset.setup.map((step) => step.replaceAll('{callback}', callbackOf(name)))
  const notes = steps.flatMap((step) => comment(`- ${step}`, '  '))
  const mcp = upstream ?? `\${${variablePrefix(name)}_MCP_URL}`
  return {
    route: name,
    title,
    ...(server && { server: [...comment(`${title}:`), ...notes, ...server] }),
    lines: [
      `${name}:`,
      `  title: ${title}`,
      ...(server
        ? []
        : [
            ...comment('The gateway asks this server where to sign in, and registers itself there.'),
            ...notes,
          ].map(indent)),
      ...(upstream === undefined ? comment(`The MCP server that takes ${title}'s tokens.`).map(indent) : []),
      `  upstream: ${mcp}`,
      ...(server
        ? [
            '  auth:',
            '    type: authorization_code',
            `    authorization_server: ${name}`,
            ...scopeLines(preset),
          ]
        : []),
    ],
    steps,
  }
}

/** Undefined where a URL is all it takes. */
function serverLines({
  name,
  quirks,
  parameters = {},
  authorization_server,
  auth,
}: Preset): string[] | undefined {
  if (!(authorization_server || auth || needsClient(quirks))) return undefined
  const prefix = variablePrefix(name)
  const all = Object.entries(parameters)
  const isNeeded = all.some(([, { default: fallback }]) => fallback === undefined)
  const set = all.map(([parameter, { description, example, default: fallback }]) => {
    if (fallback === undefined)
      return `    ${parameter}: \${${prefix}_${variablePrefix(parameter)}}   # ${description}, such as ${example}`
    return `${isNeeded ? '    # ' : '  #   '}${parameter}: ${example}   # ${description}; ${fallback} if left out`
  })
  return [
    `${name}:`,
    `  preset: ${name}`,
    ...(all.length > 0 ? [isNeeded ? '  preset_parameters:' : '  # preset_parameters:', ...set] : []),
    ...(needsClient(quirks)
      ? [`  client_id: \${${prefix}_CLIENT_ID}`, `  client_secret: \${${prefix}_CLIENT_SECRET}`]
      : []),
  ]
}

function scopeLines({ auth, quirks }: Preset): string[] {
  if (auth?.scope !== undefined) return []
  const example =
    quirks.refresh_scope === undefined
      ? 'what your tools need'
      : `what your tools need, and ${quirks.refresh_scope}`
  return [`    # scope: ${example}`]
}

const indent = (line: string) => `  ${line}`
