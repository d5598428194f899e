// The schema as plain code (Ajv's standalone output): compiling it at every start would cost more than all the rest.
import { Ajv2020 } from 'ajv/dist/2020.js'
import standalone from 'ajv/dist/standalone/index.js'

const HEADER =
  '// GENERATED from schema/ by `npm run generate`: its validators. Do not edit.\n// @ts-nocheck\n'

export async function validatorCode() {
  const { ANNOTATIONS, bundleSchema } = await import('../src/config/schema.ts')
  const { walkSchema } = await import('../src/config/schema-walk.ts')
  const { afterExpansion, digestOf, schemaParts } = await import('../src/config/schema-parts.ts')

  const walk = walkSchema(bundleSchema())
  const { branches, leaves } = schemaParts(walk)
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    allowUnionTypes: true,
    strictTypes: false,
    code: { source: true, esm: true, lines: true },
  })
  ajv.addVocabulary(ANNOTATIONS)
  ajv.addSchema(walk.root, 'config')

  const keys = new Map([[walk.root, 'config']])
  const texts = new Map()
  const keyOf = (node) => {
    const text = JSON.stringify(absolute(node))
    const key = keys.get(node) ?? texts.get(text) ?? `part${texts.size}`
    if (node !== walk.root && !texts.has(text)) {
      texts.set(text, key)
      ajv.addSchema(JSON.parse(text), key)
    }
    return key
  }
  const branchKeys = branches.map(keyOf)
  const leafKeys = leaves.map((leaf) => keyOf(afterExpansion(leaf)))

  const exports = Object.fromEntries(
    [...new Set([...branchKeys, ...leafKeys])].map((key) => [key === 'config' ? 'whole' : key, key]),
  )
  const name = (key) => (key === 'config' ? 'whole' : key)
  const { code, imports } = withImports(standalone.default(ajv, exports))
  return [
    HEADER,
    ...imports,
    code.replace(/^"use strict";/, '').replaceAll(/^export const /gm, 'const '),
    `export const digest = '${digestOf(walk.root)}'`,
    `export const branches = [${branchKeys.map(name).join(', ')}]`,
    `export const leaves = [${leafKeys.map(name).join(', ')}]`,
    '',
  ].join('\n')
}

/** Compiled on its own, a node still refers to the definitions of the whole. */
function absolute({ $defs: _defs, ...node }) {
  return JSON.parse(JSON.stringify(node).replaceAll('"$ref":"#/', '"$ref":"config#/'))
}

const APPEND = `
function append(all, more) {
  for (const error of more) all.push(error)
  return all
}
`

/** Ajv writes `require` into modules as well. */
function withImports(code) {
  const imports = new Map()
  const replaced = code.replaceAll(/require\("([^"]+)"\)/g, (_match, path) => {
    const name = `runtime${imports.size}`
    imports.set(name, `import ${name} from '${path}.js'`)
    return name
  })
  // Ajv copies all errors so far for each part that has some: minutes for a file of many mistakes.
  const appended = replaced.replaceAll(/vErrors\.concat\(([\w.]+)\)/g, 'append(vErrors, $1)')
  return { code: appended + APPEND, imports: [...imports.values()] }
}
