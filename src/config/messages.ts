// Ajv's errors in words: what is wrong, and what to do. A secret's value is never part of either.
import type { ErrorObject } from 'ajv'
import { childPointer } from './pointer.ts'
import type { Finding } from './problem.ts'
import { replaceBy } from './scalar.ts'
import type { SchemaNode } from './schema.ts'
import { isTree, kindOf, type SchemaWalk, tagsOf } from './schema-walk.ts'
import { closest, didYouMean, onlyClosest } from './suggest.ts'

type SchemaError = ErrorObject<string, Record<string, unknown>>
type Explain = (error: SchemaError, schema: SchemaNode, context: Context) => Explained
type Explained = Omit<Finding, 'rule' | 'pointer'> & { readonly rule?: string; readonly pointer?: string }

export interface Context {
  readonly walk: SchemaWalk
  /** A scalar as it stands in the file: `0123`, where YAML reads 123. */
  readonly written: (pointer: string) => string | undefined
}

/** Undefined for an error that only repeats another one. */
export function findingFor(error: ErrorObject, context: Context): Finding | undefined {
  const explain = explanations[error.keyword]
  // Errors inside `propertyNames` come again as one error of `propertyNames` itself.
  if (!explain || error.propertyName !== undefined) return undefined
  const found = explain(error, (error.parentSchema ?? {}) as SchemaNode, context)
  return {
    rule: `schema/${RULE_NAMES[error.keyword] ?? error.keyword}`,
    pointer: error.instancePath,
    ...found,
  }
}

/** No branch of a union is meant: a wrong kind of value, or a `type` that does not exist. */
export function unionFinding(union: SchemaNode, value: unknown, pointer: string, { walk }: Context): Finding {
  const whole = walk.resolve(union)
  const tags = tagsOf(walk.candidates(whole, 'map'))
  const words = walk
    .candidates(whole, 'scalar')
    .flatMap(({ const: word }) => (word === undefined ? [] : String(word)))
  if (typeof value === 'string') return wordFinding(value, words, tags, pointer)
  if (!isTree(value) || tags.length === 0)
    return { rule: 'schema/type', pointer, message: kindMessage(value), hint: whole.description ?? '' }
  if (!Object.hasOwn(value, 'type')) {
    const hint = `Add type: ${list(tags, 'or')}.`
    return {
      rule: 'schema/required',
      pointer: childPointer(pointer, 'type'),
      at: 'key',
      message: 'is missing',
      hint,
    }
  }
  return {
    rule: 'schema/discriminator',
    pointer: childPointer(pointer, 'type'),
    message: `${show(value.type)} is no type`,
    hint: didYouMean(String(value.type), tags) ?? oneOf(tags),
    ...replaceBy(onlyClosest(String(value.type), tags)),
  }
}

/** One word where a union allows some words and objects of some types: `auth: api_key`. */
function wordFinding(
  word: string,
  words: readonly string[],
  tags: readonly string[],
  pointer: string,
): Finding {
  const rule = 'schema/discriminator'
  if (tags.includes(word)) {
    const hint = `Write a map with type: ${word} and its properties.`
    return { rule, pointer, message: `${show(word)} needs more than its name`, hint }
  }
  const known = [...new Set([...words, ...tags])]
  const hint = didYouMean(word, known) ?? oneOf(known)
  const meant = onlyClosest(word, known)
  // The name of a type alone would be the next mistake.
  const fix = meant !== undefined && words.includes(meant) ? replaceBy(meant) : {}
  return { rule, pointer, message: `${show(word)} is not possible here`, hint, ...fix }
}

const RULE_NAMES: Readonly<Record<string, string>> = {
  additionalProperties: 'unknown',
  const: 'enum',
  maxLength: 'length',
  minLength: 'length',
  maximum: 'range',
  minimum: 'range',
  minItems: 'empty',
  minProperties: 'empty',
  propertyNames: 'name',
  uniqueItems: 'duplicate',
}

const explanations: Readonly<Record<string, Explain>> = {
  additionalProperties: unknownProperty,
  required: ({ instancePath, params }, { properties }, { walk }) => {
    const name = String(params.missingProperty)
    const { description = '' } = walk.resolve(properties?.[name] ?? {})
    return { pointer: childPointer(instancePath, name), at: 'key', message: 'is missing', hint: description }
  },
  type: ({ instancePath, data }, schema, { written }) =>
    schema['x-secret'] && isScalar(data)
      ? LITERAL_SECRET(schema)
      : wrongType(data, schema, written(instancePath)),
  enum: ({ data, params }, schema) => notAllowed(data, params.allowedValues as unknown[], schema),
  const: ({ data, params }, schema) => notAllowed(data, [params.allowedValue], schema),
  pattern: ({ data }, schema) =>
    schema['x-secret']
      ? LITERAL_SECRET(schema)
      : { message: `${shown(data, schema)} does not fit here`, hint: hintOf(schema) },
  minimum: ({ data, params }) => ({
    message: `${show(data)} is too small`,
    hint: `The smallest is ${params.limit}.`,
  }),
  maximum: ({ data, params }) => ({
    message: `${show(data)} is too large`,
    hint: `The largest is ${params.limit}.`,
  }),
  minLength: (_, schema) => ({ message: 'is empty', hint: hintOf(schema) }),
  maxLength: ({ params }) => ({ message: 'is too long', hint: `The longest is ${params.limit} characters.` }),
  minProperties: (_, schema) => ({ at: 'key', message: 'has no entries', hint: hintOf(schema) }),
  minItems: (_, schema) => ({ at: 'key', message: 'has no entries', hint: hintOf(schema) }),
  uniqueItems: ({ instancePath, params }) => ({
    pointer: childPointer(instancePath, Math.max(Number(params.i), Number(params.j))),
    message: 'is in the list twice',
    hint: 'Remove one of the two.',
  }),
  propertyNames: ({ instancePath, params }, schema, { walk }) => ({
    pointer: childPointer(instancePath, String(params.propertyName)),
    at: 'key',
    message: 'this name cannot be used',
    hint: hintOf(walk.resolve(schema.propertyNames ?? {})),
  }),
}

function unknownProperty(
  { instancePath, params, data }: SchemaError,
  schema: SchemaNode,
): ReturnType<Explain> {
  const name = String(params.additionalProperty)
  const known = Object.keys(schema.properties ?? {})
  const meant = closest(name, known)
  const only = onlyClosest(name, known)
  const isFree = only !== undefined && isTree(data) && !Object.hasOwn(data, only)
  return {
    pointer: childPointer(instancePath, name),
    at: 'key',
    message: 'is not a known property',
    hint:
      didYouMean(name, known) ??
      (known.length > 0 ? `Known here: ${known.join(', ')}.` : 'Nothing can be set here.'),
    ...(meant === undefined ? {} : { meant: childPointer(instancePath, meant) }),
    ...(isFree ? replaceBy(only) : {}),
  }
}

function notAllowed(data: unknown, allowed: readonly unknown[], schema: SchemaNode): ReturnType<Explain> {
  const words = allowed.map(String)
  const message = isScalar(data) ? `${shown(data, schema)} is not possible here` : kindMessage(data)
  const only = allowed.every((word) => typeof word === 'string')
    ? onlyClosest(String(data), words)
    : undefined
  return { message, hint: didYouMean(String(data), words) ?? oneOf(words), ...replaceBy(only) }
}

const LITERAL_SECRET = (schema: SchemaNode): Explained => ({
  rule: 'schema/literal-secret',
  message: 'is a literal secret',
  hint: hintOf(schema),
})

function wrongType(data: unknown, schema: SchemaNode, source: string | undefined): Explained {
  if (!isScalar(data)) return { message: kindMessage(data), hint: hintOf(schema) }
  if (schema.type !== 'string') {
    const isSwitch = data === true && schema.properties !== undefined && schema.required === undefined
    return {
      message: `must be ${KIND_NAMES[String(schema.type)] ?? 'another kind of value'}`,
      hint: `${isSwitch ? 'Write {} for the defaults. ' : ''}${hintOf(schema)}`,
    }
  }
  if (source !== undefined && schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(source)) {
    return { message: `${source} does not fit here`, hint: hintOf(schema) }
  }
  const kind = typeof data === 'number' ? 'a number' : `the word ${data}`
  if (source === undefined) return { message: `YAML reads this as ${kind}`, hint: 'Quote it.' }
  const isPrivate = schema['x-mask'] === true
  const fix = { text: JSON.stringify(source), title: 'quote it', isPrivate }
  if (isPrivate) return { message: `YAML reads this as ${kind}`, hint: 'Quote it.', fix }
  return { message: `YAML reads ${source} as ${kind}`, hint: `Quote it: "${source}".`, fix }
}

const KIND_NAMES: Readonly<Record<string, string>> = { object: 'a map', array: 'a list' }

function kindMessage(data: unknown): string {
  if (data === null || data === undefined) return 'is empty'
  return { map: 'must not be a map', list: 'must not be a list', scalar: 'does not fit here' }[kindOf(data)]
}

const isScalar = (data: unknown) => data !== null && kindOf(data) === 'scalar'
const hintOf = ({ patternErrorMessage, description }: SchemaNode) => patternErrorMessage ?? description ?? ''
const shown = (data: unknown, schema: SchemaNode) =>
  schema['x-secret'] || schema['x-mask'] ? 'the value' : show(data)
/** A URL may carry credentials, whatever it stands for. */
const show = (data: unknown) =>
  /:\/\/.*[@?#]/s.test(String(data)) ? 'the value' : JSON.stringify(data).slice(0, 80)
const oneOf = (words: readonly string[]) =>
  words.length === 1 ? `Write ${words[0]}.` : `Write one of ${list(words, 'or')}.`

function list(words: readonly string[], last: string): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`
}
