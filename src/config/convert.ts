// Text → value of the type that the schema's `x-type` names, and what the value is then called. Pure.
import type { ValueType } from './schema.ts'

export type Converted = { readonly value: unknown } | { readonly message: string; readonly hint: string }

interface Conversion {
  readonly suffix: string
  readonly convert: (text: string) => Converted
}

/** The one list of what can stand in a scalar besides plain text. The generator of types has its twin. */
export const conversions: Readonly<Record<ValueType, Conversion>> = {
  duration: { suffix: '_ms', convert: duration },
  size: { suffix: '_bytes', convert: size },
  integer: { suffix: '', convert: integer },
  boolean: { suffix: '', convert: boolean },
  url: { suffix: '', convert: url },
  origin: { suffix: '', convert: origin },
}

/** A property's name after conversion: the unit goes into it. */
export function convertedName(name: string, type: ValueType | undefined): string {
  return type === undefined ? name : name + conversions[type].suffix
}

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1000,
  KiB: 1024,
  MB: 1000 ** 2,
  MiB: 1024 ** 2,
  GB: 1000 ** 3,
  GiB: 1024 ** 3,
}

function duration(text: string): Converted {
  if (!/^([0-9]+(ms|s|m|h|d))+$/.test(text))
    return refused('not a duration', 'Write a number and its unit: ms, s, m, h or d, such as 30s or 1h30m.')
  const total = [...text.matchAll(/([0-9]+)(ms|s|m|h|d)/g)]
    .map(([, count = '', unit = '']) => Number(count) * (MS_PER_UNIT[unit] ?? Number.NaN))
    .reduce((sum, part) => sum + part, 0)
  return total <= MAX_DURATION_MS ? { value: total } : refused('too long', 'The longest duration is 3650d.')
}

const MAX_DURATION_MS = 3650 * 86_400_000

function size(text: string): Converted {
  const [, count, unit = ''] = /^([0-9]+)(B|KB|KiB|MB|MiB|GB|GiB)$/.exec(text) ?? []
  const value = Number(count) * (BYTES_PER_UNIT[unit] ?? Number.NaN)
  if (Number.isSafeInteger(value)) return { value }
  return refused('not a size', 'Write a number and its unit: B, KB, KiB, MB, MiB, GB or GiB, such as 4MiB.')
}

function integer(text: string): Converted {
  const value = Number(text)
  return /^-?[0-9]+$/.test(text) && Number.isSafeInteger(value)
    ? { value }
    : refused('not a whole number', 'Write digits only.')
}

function boolean(text: string): Converted {
  if (text === 'true') return { value: true }
  if (text === 'false') return { value: false }
  return refused('neither true nor false', 'Write true or false.')
}

/** Keeps the text as written: a trailing slash counts. */
function url(text: string): Converted {
  const parsed = parseHttpUrl(text)
  if ('message' in parsed) return parsed
  if (text.includes('#')) return refused('a URL with a fragment', 'Remove everything from the # on.')
  return { value: text }
}

function origin(text: string): Converted {
  const parsed = parseHttpUrl(text)
  if ('message' in parsed) return parsed
  if (!/^https?:\/\/[^/?#]+\/?$/i.test(text)) {
    return refused(
      'more than an origin',
      'Write scheme, host and port only, such as https://mcp.example.com.',
    )
  }
  // A browser's Origin has no wildcard, so such an entry would match nothing that was meant.
  if (text.includes('*')) return refused('no single origin', 'Write each origin out, without *.')
  return { value: parsed.value.origin }
}

function parseHttpUrl(
  text: string,
): { readonly value: URL } | { readonly message: string; readonly hint: string } {
  // WHATWG parsing forgives tabs, spaces and backslashes; what is shown and what is fetched must be the same text.
  const value = /[\s\\]/.test(text) || !/^https?:\/\/[^/]/i.test(text) ? null : URL.parse(text)
  if (!value) return refused('not a URL', 'Write an absolute URL that starts with https:// or http://.')
  if (value.username !== '' || value.password !== '') {
    return refused(
      'a URL with a user name or password in it',
      'Remove everything before the @. Credentials have settings of their own: `auth` for an upstream, `proxy_authorization` for a proxy.',
    )
  }
  return { value }
}

/** Messages never repeat the value: it may have come from a variable that holds a secret by mistake. */
const refused = (what: string, hint: string) => ({ message: `is ${what}`, hint })
