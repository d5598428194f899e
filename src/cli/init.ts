// `mcp-oauth-gateway init`: writes a first gateways.yaml, what editors and .env need beside it, and says what to do next.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type DocumentFlags, documentFromFlags } from '../config/from-flags.ts'
import { checkConfig } from '../config/load.ts'
import { ConfigError, hasErrors } from '../config/problem.ts'
import { bundleSchema } from '../config/schema.ts'
import type { Variable } from '../config/variables.ts'
import { presetSection } from '../init/from-preset.ts'
import { document, MODELINE, type Section } from '../init/section.ts'
import { starter } from '../init/starter.ts'
import { readArgs, UsageError } from './args.ts'
import { DEFAULT_FILE } from './config-file.ts'
import { EXIT } from './exit.ts'
import { presetNamed } from './presets.ts'
import { printProblems } from './print-problems.ts'
import { serveOptions } from './serve-options.ts'

const options = {
  preset: { type: 'string', multiple: true },
  discover: { type: 'string', multiple: true },
  'from-flags': { type: 'boolean' },
  out: { type: 'string' },
  force: { type: 'boolean' },
} as const

interface Draft {
  readonly text: string
  readonly sections: readonly Section[]
}

interface OutputFile {
  readonly path: string
  readonly text: string
  readonly noted: string
}

export async function run(args: string[]): Promise<number> {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  const { values } = readArgs(args.slice(0, end), options)
  const flags = args.slice(end + 1)
  const { out = DEFAULT_FILE, force = false } = values
  const draft = values['from-flags'] ? fromFlags(flags, values) : await fromParts(flags, values)
  if (draft === undefined) return EXIT.failed
  const checked = checkConfig({ file: out, text: draft.text, folder: dirname(out) })
  printProblems(checked.problems, new Map([[out, draft.text]]), process.stderr)
  if (hasErrors(checked.problems)) return EXIT.failed
  if (out === '-') {
    process.stdout.write(draft.text)
    return EXIT.ok
  }
  const written = writeAll(filesFor(out, draft.text, checked.variables, checked.routes.length), force)
  if (written === EXIT.ok) process.stdout.write(nextSteps(out, draft.sections, checked.variables))
  return written
}

type Values = ReturnType<typeof readArgs<typeof options>>['values']

async function fromParts(
  flags: readonly string[],
  { preset = [], discover = [] }: Values,
): Promise<Draft | undefined> {
  if (flags.length > 0) throw new UsageError('what follows -- belongs to --from-flags', 'Add --from-flags.')
  const sections: Section[] = [...new Set(preset)].map((name) => presetSection(presetNamed(name)))
  for (const address of discover) {
    const section = await discovered(
      address,
      sections.map(({ route }) => route),
    )
    if (!section) return undefined
    sections.push(section)
  }
  if (sections.length === 0) return { text: starter(), sections }
  return { text: document(sections), sections }
}

async function discovered(address: string, taken: readonly string[]): Promise<Section | undefined> {
  const upstream = URL.canParse(address) ? new URL(address) : undefined
  if (
    !upstream ||
    !/^https?:$/.test(upstream.protocol) ||
    upstream.username !== '' ||
    upstream.password !== ''
  ) {
    throw new UsageError('--discover needs the URL of an MCP server', 'It starts with https:// or http://.')
  }
  const { discoverSection } = await import('../init/discover.ts')
  try {
    if (process.stderr.isTTY) process.stderr.write(`asking ${upstream.origin} …\n`)
    return await discoverSection(upstream, taken)
  } catch (error) {
    const { whyNot } = await import('../doctor/observe.ts')
    process.stderr.write(`cannot look at ${upstream.origin}: ${whyNot(error)}\n`)
    return undefined
  }
}

function fromFlags(flags: readonly string[], { preset, discover }: Values): Draft | undefined {
  if (preset || discover)
    throw new UsageError('--from-flags stands alone', 'Leave --preset and --discover out.')
  const given = serveOptions(flags, {})
  if (given.kind === 'file')
    throw new UsageError('no flags follow --', 'Write: init --from-flags -- --upstream-rs URL …')
  const text = textFromFlags(given.flags)
  if (text === undefined) return undefined
  const lines = [
    MODELINE,
    '#',
    '# What these flags of the gateway say, as a file. Secrets stay in the environment.',
    text,
  ]
  return { text: lines.join('\n'), sections: [] }
}

/** Undefined when a flag is missing, which was said. */
function textFromFlags(flags: DocumentFlags): string | undefined {
  try {
    return documentFromFlags(flags, process.env).text
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    printProblems(error.problems, new Map(), process.stderr)
    return undefined
  }
}

function filesFor(out: string, text: string, variables: readonly Variable[], routes: number): OutputFile[] {
  const folder = dirname(out)
  const needed = variables.filter(({ kind }) => kind === 'env')
  const schema = `${JSON.stringify(bundleSchema(), null, 2)}\n`
  return [
    { path: out, text, noted: count(routes, 'route') },
    { path: join(folder, '.env.example'), text: envExample(needed), noted: count(needed.length, 'variable') },
    { path: join(folder, 'gateways.schema.json'), text: schema, noted: 'for editors' },
  ]
}

function envExample(variables: readonly Variable[]): string {
  const lines = [
    '# What gateways.yaml refers to. Copy to .env, fill in, and keep that out of git.',
    '',
    '# The one user there is while gateways.yaml has no `login`. Without a password, one is made up and shown.',
    '# MCP_GATEWAY_USERNAME=gateway_user',
    '# MCP_GATEWAY_PASSWORD=',
    '',
    ...variables.map(({ name, required }) => (required ? `${name}=` : `# ${name}=`)),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}

/** All or nothing: what is there already is looked at before anything is written. */
function writeAll(files: readonly OutputFile[], force: boolean): number {
  const inTheWay = files.filter(({ path, text }) => existsSync(path) && readFileSync(path, 'utf8') !== text)
  if (inTheWay.length > 0 && !force) {
    const names = inTheWay.map(({ path }) => path).join(' and ')
    process.stderr.write(
      `${names} ${inTheWay.length === 1 ? 'exists' : 'exist'} already. Nothing was written; --force overwrites, --out - prints.\n`,
    )
    return EXIT.failed
  }
  try {
    for (const { path, text } of files) {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    }
  } catch (error) {
    process.stderr.write(`cannot write: ${error instanceof Error ? error.message : 'unknown reason'}\n`)
    return EXIT.unreadable
  }
  for (const { path, noted } of files) process.stdout.write(`${path}: written, ${noted}\n`)
  return EXIT.ok
}

function nextSteps(out: string, sections: readonly Section[], variables: readonly Variable[]): string {
  const flag = basename(out) === out && out === DEFAULT_FILE ? '' : ` --config ${out}`
  const file = flag === '' ? '' : ` ${out}`
  const env = join(dirname(out), '.env')
  const needed = variables.some(({ kind, required }) => kind === 'env' && required)
  const all = [
    ...sections.filter(({ steps }) => steps.length > 0).map(elsewhere),
    ...(needed
      ? [
          `cp ${env}.example ${env}, fill it in, then: set -a; . ${dirname(out) === '.' ? './.env' : env}; set +a`,
        ]
      : []),
    `mcp-oauth-gateway validate${file}`,
    `mcp-oauth-gateway${flag}`,
  ]
  const width = String(all.length).length
  return `\nNext:\n${all.map((step, index) => `  ${String(index + 1).padStart(width)}. ${step}`).join('\n')}\n`
}

const elsewhere = ({ title, steps }: Section) =>
  [`${title}:`, ...steps.map((step) => `     - ${step}`)].join('\n')

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`
