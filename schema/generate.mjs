// Writes src/config/raw-types.ts (the file as people write it), src/config/types.ts (after the pipeline) and
// src/config/validators.generated.ts from the schema, docs/configuration.md and docs/rules.md for people. `--check`
// writes nothing and fails when they are stale.
import { readFileSync, writeFileSync } from 'node:fs'
import { compile } from 'json-schema-to-typescript'
import { register } from 'tsx/esm/api'
import { validatorCode } from './validators.mjs'

register()
const { bundleSchema } = await import('../src/config/schema.ts')
const { schemaMarkdown } = await import('../src/cli/schema-markdown.ts')

/** What a value is called and typed after conversion. */
const CONVERTED = {
  duration: { suffix: '_ms', type: 'number' },
  size: { suffix: '_bytes', type: 'number' },
  integer: { suffix: '', type: 'number' },
  boolean: { suffix: '', type: 'boolean' },
  url: { suffix: '', type: 'string' },
  origin: { suffix: '', type: 'string' },
}

const stages = {
  raw: { file: 'raw-types.ts', prefix: 'Raw', subject: 'gateways.yaml as it is written' },
  final: { file: 'types.ts', prefix: '', subject: 'the configuration after the pipeline' },
}

const generated = {
  [stages.raw.file]: () => generate('raw'),
  [stages.final.file]: () => generate('final'),
  'validators.generated.ts': validatorCode,
  '../../docs/configuration.md': () => schemaMarkdown(bundleSchema()),
  // Imported late: it may lean on what is generated above.
  '../../docs/rules.md': async () => (await import('../src/config/rule-page.ts')).rulePage(),
}

const stale = []
for (const [file, write] of Object.entries(generated)) {
  const url = new URL(`../src/config/${file}`, import.meta.url)
  const text = await write()
  if (text === readOrEmpty(url)) continue
  if (process.argv.includes('--check')) stale.push(file)
  else writeFileSync(url, text)
}
if (stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}. Run npm run generate`)
  process.exitCode = 1
}

async function generate(stage) {
  const bundle = bundleSchema()
  const { $defs, ...root } = bundle
  const transform = (node) => shape(node, { stage, $defs, seen: new Map() })
  const text = await compile(transform(root), `${stages[stage].prefix}Config`, {
    additionalProperties: false,
    bannerComment: `// GENERATED from schema/ by \`npm run generate\`: ${stages[stage].subject}. Do not edit.`,
    ignoreMinAndMaxItems: true,
    style: { semi: false, singleQuote: true, printWidth: 110 },
  })
  return text
    .replace(/^( +)(\[k: string\]|[\w]+\??):/gm, '$1readonly $2:')
    .replace(/(\w+)\[\]/g, 'readonly $1[]')
}

/** A copy that json-schema-to-typescript understands: no annotations, one object per title, names as in this stage. */
function shape(node, context) {
  const whole = dereference(node, context.$defs)
  if (whole.title === undefined) return shapeBody(whole, context)
  const known = context.seen.get(whole.title)
  if (known) return known
  const target = {}
  context.seen.set(whole.title, target)
  return Object.assign(target, shapeBody(whole, context), {
    title: stages[context.stage].prefix + whole.title,
  })
}

function shapeBody(node, context) {
  const { title, description, type, enum: values, items, anyOf } = node
  if ('const' in node) return { const: node.const, description }
  if (context.stage === 'final' && node['x-type'])
    return { type: CONVERTED[node['x-type']].type, description }
  if (anyOf) return shapeUnion(node, context)
  if (type !== 'object')
    return prune({ type, enum: values, description, items: items && shape(items, context) })
  return { ...shapeObject(node, context), description, title }
}

function shapeUnion({ anyOf, description, 'x-shorthand': shorthand }, context) {
  const objects = anyOf.filter((branch) => dereference(branch, context.$defs).type === 'object')
  const branches = context.stage === 'final' && shorthand ? objects : anyOf
  const [only] = branches
  if (branches.length === 1) return { ...shapeBody(dereference(only, context.$defs), context), description }
  return { anyOf: branches.map((branch) => shape(branch, context)), description }
}

function shapeObject({ properties = {}, required = [], additionalProperties }, context) {
  const final = context.stage === 'final'
  const kept = Object.entries(properties)
    .map(([name, node]) => ({ name, node, whole: dereference(node, context.$defs) }))
    .filter(({ whole, node }) => !(final && (whole['x-merged'] || node['x-merged'])))
    .map(({ name, node, whole }) => ({
      name: final && whole['x-type'] ? name + CONVERTED[whole['x-type']].suffix : name,
      schema: shape(node, context),
      required:
        required.includes(name) || (final && [whole, node].some((n) => 'default' in n || 'x-default' in n)),
    }))
  return {
    type: 'object',
    properties: Object.fromEntries(kept.map(({ name, schema }) => [name, schema])),
    required: kept.filter((property) => property.required).map(({ name }) => name),
    additionalProperties: additionalProperties ? shape(additionalProperties, context) : false,
  }
}

/** Follows `$ref`; what stands beside it wins. */
function dereference(node, $defs) {
  if (!node.$ref) return node
  const { $ref, ...beside } = node
  return { ...dereference($defs[$ref.slice('#/$defs/'.length)], $defs), ...beside }
}

function prune(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}

function readOrEmpty(url) {
  try {
    return readFileSync(url, 'utf8')
  } catch {
    return ''
  }
}
