// Says what a YAML syntax error means and what to do about it. Only the first error counts: the rest are echoes of it.
import type { ErrorCode, YAMLError } from 'yaml'
import type { Fault } from './fault.ts'
import { lexemes } from './lexemes.ts'

const HINTS: Partial<Record<ErrorCode, string>> = {
  TAB_AS_INDENT: 'Indent with spaces.',
  BAD_INDENT: 'Check the indentation of this line against the one above.',
  BAD_DIRECTIVE: 'Remove the line, or quote a value that begins with %.',
  BAD_DQ_ESCAPE: 'Write \\\\ for a backslash, or use single quotes.',
  BAD_SCALAR_START: 'Quote the value.',
  BLOCK_AS_IMPLICIT_KEY: 'Quote a value that contains `: `.',
  MULTILINE_IMPLICIT_KEY: 'Every name is followed by a colon: `name: value`.',
  MISSING_CHAR: 'Every name is followed by a colon: `name: value`.',
  NON_STRING_KEY: 'Use a plain word as name.',
  TAG_RESOLVE_FAILED: 'Quote a value that begins with !.',
}

/** Where the parser speaks of its own settings, or repeats what stands in the file. */
const MESSAGES: Partial<Record<ErrorCode, string>> = {
  BAD_DIRECTIVE: 'a directive that cannot be read',
  BAD_DQ_ESCAPE: 'invalid escape sequence after \\',
  TAG_RESOLVE_FAILED: 'a tag that cannot be read',
  NON_STRING_KEY: 'a name must be a word',
  MULTILINE_IMPLICIT_KEY: 'a name without a colon',
}

export function explainSyntax(error: YAMLError, text: string): Fault {
  return unquotedVariable(error, text) ?? unclosedQuote(error, text) ?? otherwise(error)
}

/** In flow style `{ a: ${X} }` reads the braces as a map. */
function unquotedVariable({ pos: [start] }: YAMLError, text: string): Fault | undefined {
  const before = text.slice(text.lastIndexOf('\n', start) + 1, start + 1)
  const at = before.lastIndexOf('${')
  const variable = /^\$\{[^}\n]*\}/.exec(text.slice(start + 1 - before.length + at))?.[0]
  if (at < 0 || variable === undefined) return undefined
  const from = start + 1 - before.length + at
  return {
    rule: 'yaml/unquoted-variable',
    message: 'inside { } and [ ] a variable must be quoted',
    hint: 'Put the value in double quotes.',
    start: from,
    end: from + variable.length,
    ...quoting(text, from, from + variable.length),
  }
}

/** The whole value in quotes, where it is clear how far it goes. */
function quoting(text: string, from: number, to: number): Pick<Fault, 'fix'> {
  const before = text.slice(text.lastIndexOf('\n', from - 1) + 1, from)
  const [, head] = /^.*(?:[[{,]|[:-]\s)\s*(.*)$/.exec(before) ?? []
  const tail = /^(?:\$\{[^{}\n]*\}|[^[\]{},#\n])*/.exec(text.slice(to))?.[0].trimEnd() ?? ''
  if (head === undefined) return {}
  const value = head + text.slice(from, to) + tail
  if (/["'\\#`]|:\s|^[&*!|>%@-]/.test(value)) return {}
  const range = { start: from - head.length, end: to + tail.length }
  const isPrivate = !/^(\$\{\w+\})+$/.test(value)
  return { fix: { ...range, text: `"${value}"`, title: 'quote it', isPrivate } }
}

/** The parser notices at the end of the file; the mistake is where the quote was opened. */
function unclosedQuote({ code, message, pos: [start] }: YAMLError, text: string): Fault | undefined {
  if (code !== 'MISSING_CHAR' || !message.startsWith('Missing closing')) return undefined
  const quoted = lexemes(text).findLast(({ source, offset }) => offset <= start && /^["']/.test(source))
  if (!quoted) return undefined
  return {
    rule: 'yaml/unclosed-quote',
    message: 'this quote is never closed',
    hint: 'Close it on the same line.',
    start: quoted.offset,
    end: quoted.offset + 1,
  }
}

function otherwise({ code, message, pos: [start, end] }: YAMLError): Fault {
  const hint = HINTS[code]
  // Behind a colon the parser quotes the file, and what stands there may be a secret.
  const theirs = code === 'UNEXPECTED_TOKEN' ? message.replace(/: .*$/s, '') : message
  return {
    rule: 'yaml/syntax',
    message: `not valid YAML: ${MESSAGES[code] ?? theirs.charAt(0).toLowerCase() + theirs.slice(1)}`,
    start,
    end: Math.max(end, start + 1),
    ...(hint === undefined ? {} : { hint }),
  }
}
