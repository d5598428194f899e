// The schema keeps its promises: closed objects, described leaves, honest defaults and examples.
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as assert from 'uvu/assert'
import { conversions } from '../../src/config/convert.ts'
import { ANNOTATIONS, bundleSchema, type SchemaNode } from '../../src/config/schema.ts'
import { walkSchema } from '../../src/config/schema-walk.ts'
import { suite } from '../support/suite.ts'

const RELOADS = ['live', 'reconnect', 'reauthorize', 'relogin', 'restart']

interface Place {
  readonly path: string
  readonly node: SchemaNode
}

const bundle = bundleSchema()
const walk = walkSchema(bundle)
const places = [...nodesIn('', bundle)]
const leaves = places.filter(({ node }) => isLeaf(node))
const test = suite('config/schema')

test('it is one document that refers to nothing outside', () => {
  const refs = JSON.stringify(bundle).matchAll(/"\$ref":"([^"]*)"/g)
  for (const [, ref = ''] of refs) {
    assert.match(ref, /^#\/\$defs\/[\w.]+$/)
    assert.ok(bundle.$defs?.[ref.slice('#/$defs/'.length)], ref)
  }
})

test('it compiles in strict mode', () => {
  assert.ok(strictAjv().compile(bundle))
})

test('there are leaves to check', () => {
  assert.ok(leaves.length > 50, `${leaves.length}`)
})

for (const { path, node } of leaves) {
  test(`${path} has a description, a reload class and an example`, () => {
    assert.ok(node.description, 'description')
    assert.ok(RELOADS.includes(node['x-reload'] ?? ''), 'x-reload')
    assert.ok('examples' in node || 'const' in node, 'examples')
  })
}

test('every object is closed', () => {
  for (const { path, node } of places.filter(({ node }) => node.type === 'object')) {
    assert.ok(node.additionalProperties !== undefined, path)
    assert.ok(node.description, `${path} has no description`)
  }
})

test("no shared shape has a description where a setting has its own: editors show the shape's", () => {
  const doubled = [...refsIn(bundle)].filter(
    ({ $ref = '', description }) => description && bundle.$defs?.[$ref.slice('#/$defs/'.length)]?.description,
  )
  assert.equal(doubled, [])
})

test('every secret demands a reference', () => {
  const secrets = places.filter(({ node }) => node['x-secret'])
  assert.ok(secrets.length >= 5)
  for (const { path, node } of secrets) {
    const pattern = new RegExp(node.pattern ?? '', 'u')
    for (const good of ['${NAME}', '${env:NAME}', '${file:/run/x}', 'Bearer ${NAME}'])
      assert.match(good, pattern)
    for (const bad of ['hunter2', 'hunter2${NAME}', '${NAME:-hunter2}', ''])
      assert.not.match(bad, pattern, path)
  }
})

test('examples and defaults obey the schema they stand in', () => {
  const ajv = strictAjv()
  ajv.addSchema(bundle, 'config')
  for (const { path, node } of places) {
    const given = [
      ...((node as { examples?: unknown[] }).examples ?? []),
      ...('default' in node ? [node.default] : []),
    ]
    const validate = ajv.compile(JSON.parse(JSON.stringify(node).replaceAll('"#/', '"config#/')))
    for (const value of given) assert.ok(validate(value), `${path}: ${JSON.stringify(value)}`)
  }
})

test('defaults convert', () => {
  for (const { path, node } of leaves) {
    const type = node['x-type']
    if (type === undefined || typeof node.default !== 'string') continue
    assert.ok('value' in conversions[type].convert(node.default), path)
  }
})

function strictAjv() {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true })
  ajv.addVocabulary(ANNOTATIONS)
  return ajv
}

function* refsIn(value: unknown): Iterable<SchemaNode> {
  if (typeof value !== 'object' || value === null) return
  if ('$ref' in value) yield value as SchemaNode
  for (const inner of Object.values(value)) yield* refsIn(inner)
}

/** Something that stands for one value: a scalar, a word, a list or free map of scalars. */
function isLeaf(node: SchemaNode): boolean {
  if (node.anyOf || node.properties || node['x-free']) return false
  const inner = node.items ?? (node.additionalProperties || undefined)
  return inner === undefined || isScalar(walk.resolve(inner))
}

function isScalar(node: SchemaNode): boolean {
  return !node.anyOf && !node.properties && node.type !== 'array'
}

/** Every property, union branch and map entry; not the items of leaves, which share their list's annotations. */
function* nodesIn(path: string, raw: SchemaNode): Iterable<Place> {
  const node = walk.resolve(raw)
  yield { path, node }
  if (isLeaf(node)) return
  for (const [name, property] of Object.entries(node.properties ?? {}))
    yield* nodesIn(`${path}.${name}`, property)
  for (const [index, branch] of (node.anyOf ?? []).entries()) yield* nodesIn(`${path}|${index}`, branch)
  if (node.additionalProperties) yield* nodesIn(`${path}.*`, node.additionalProperties)
}

test.run()
