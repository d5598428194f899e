// The reference page: it is current, complete, and its tables are tables.
import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { schemaMarkdown } from '../../src/cli/schema-markdown.ts'
import { bundleSchema, type SchemaNode } from '../../src/config/schema.ts'
import { walkSchema } from '../../src/config/schema-walk.ts'
import { suite } from '../support/suite.ts'
import { runCli } from './run-cli.ts'

const test = suite('cli/schema')
const schema = bundleSchema()
const walk = walkSchema(schema)
const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `([^`]+)` \|.*$/gm)].map(([line, path = '']) => ({ line, path }))

test('docs/configuration.md is what schema --markdown writes', async () => {
  assert.is(page, schemaMarkdown(schema), 'run npm run generate')
  const { code, stdout } = await runCli(['schema', '--markdown'])
  assert.equal([code, stdout], [0, page])
})

test('every setting has a row with its description and reload class', () => {
  const missing = [...settings(schema, '')].filter(({ path, node }) => {
    const found = rows.filter((row) => row.path === path)
    return !found.some(({ line }) => line.includes(` ${node['x-reload']} `))
  })
  assert.equal(
    missing.map(({ path }) => path),
    [],
  )
})

test('every row has six cells', () => {
  for (const { line } of rows) assert.is(line.match(/(?<!\\)\|/g)?.length, 7, line)
})

test('links inside the page lead somewhere', () => {
  const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, target]) => target)
  assert.ok(links.length > 0)
  for (const target of links) assert.ok(headings.includes(target), target)
})

/** Leaves with a reload class, each shared part where it comes first: the others link there. */
function* settings(
  raw: SchemaNode,
  path: string,
  seen = new Set<string>(),
): Iterable<{ readonly path: string; readonly node: SchemaNode }> {
  const node = walk.resolve(raw)
  if (node['x-merged'] && path === 'defaults') return
  if (node.title !== undefined && seen.has(node.title)) return
  if (node.title !== undefined) seen.add(node.title)
  if (node['x-reload'] && path !== '') yield { path, node }
  for (const branch of node.anyOf ?? []) yield* settings(branch, path, seen)
  for (const [name, inner] of Object.entries(node.properties ?? {}))
    yield* settings(inner, path === '' ? name : `${path}.${name}`, seen)
  if (node.additionalProperties && walk.resolve(node.additionalProperties).properties)
    yield* settings(node.additionalProperties, `${path}.*`, seen)
}

test.run()
