// `${…}` in one text: what it refers to, and the text with it filled in. Knows no YAML and no schema.
import type { Environment } from '../environment.ts'
import { FILE_ERRORS, fileErrorCode } from './file-error.ts'

/** A piece of a text: as it stands, or to be looked up. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'env'; readonly name: string; readonly fallback: string | undefined }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'bad' }

export interface Lookup {
  readonly env: Environment
  /** A process that runs already gets no new variables. */
  readonly isFixed?: boolean
  /** Throws when the file cannot be read. */
  readonly readFile: (path: string) => string
}

export type Expanded = { readonly text: string } | Unexpandable

interface Unexpandable {
  readonly rule: string
  readonly message: string
  readonly hint: string
}

/** `$${` stands for `${`; a lone `$` for itself. */
export function splitText(text: string): Piece[] {
  const pieces: Piece[] = []
  let end = 0
  for (const match of text.matchAll(/\$\$\{|\$\{([^}]*)(\}?)/g)) {
    if (match.index > end) pieces.push({ kind: 'text', text: text.slice(end, match.index) })
    end = match.index + match[0].length
    pieces.push(
      match[0] === '$${' ? { kind: 'text', text: '${' } : reference(match[1] ?? '', match[2] === '}'),
    )
  }
  if (end < text.length) pieces.push({ kind: 'text', text: text.slice(end) })
  return pieces
}

/** The references in a text as they are written, without their defaults: those may be secrets. */
export function referencesIn(text: string): string[] {
  return splitText(text).flatMap((piece) => {
    if (piece.kind === 'env') return `\${${piece.name}}`
    return piece.kind === 'file' ? `\${file:${piece.path}}` : []
  })
}

/** How a message about a text with references begins: what is wrong does not stand in the file. */
export function subjectOf(text: string): string {
  const references = referencesIn(text)
  if (references.length === 0) return ''
  return `what ${references.join(' and ')} ${references.length === 1 ? 'stands' : 'stand'} for `
}

/** Without an environment: the text when it refers to nothing, its mistake when it has one, else undefined. */
export function expandOffline(text: string): Expanded | undefined {
  const pieces = splitText(text)
  const bad = pieces.find(({ kind }) => kind === 'bad')
  if (bad) return NO_REFERENCE
  return pieces.every((piece) => piece.kind === 'text')
    ? { text: pieces.map(({ text }) => text).join('') }
    : undefined
}

/** Fills in every reference, or says which one cannot be. The result is text, whatever it looks like: it is never YAML. */
export function expandText(text: string, lookup: Lookup): Expanded {
  const parts = splitText(text).map((piece) => fill(piece, lookup))
  const failed = parts.find((part) => 'message' in part)
  return failed ?? { text: parts.map((part) => ('text' in part ? part.text : '')).join('') }
}

function reference(body: string, closed: boolean): Piece {
  const file = /^file:(.+)$/.exec(body)
  if (closed && file?.[1]) return { kind: 'file', path: file[1] }
  const variable = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(body)
  if (!closed || !variable?.[1] || variable[2]?.includes('${')) return { kind: 'bad' }
  return { kind: 'env', name: variable[1], fallback: variable[2] }
}

function fill(piece: Piece, { env, isFixed = false, readFile }: Lookup): Expanded {
  switch (piece.kind) {
    case 'text':
      return { text: piece.text }
    case 'bad':
      return NO_REFERENCE
    case 'env':
      return fillVariable(piece, Object.hasOwn(env, piece.name) ? env[piece.name] : undefined, isFixed)
    case 'file':
      return fillFile(piece.path, readFile)
  }
}

/** Empty counts as unset, as in a shell's `:-`: an empty secret is never meant. */
function fillVariable(
  { name, fallback }: Extract<Piece, { kind: 'env' }>,
  found: string | undefined,
  isFixed: boolean,
): Expanded {
  const value = found || fallback
  if (value !== undefined) return { text: value }
  const state = found === '' ? 'empty' : 'not set'
  return {
    rule: 'variable/missing',
    message: `the environment variable ${name} is ${state}`,
    hint: isFixed
      ? `A running gateway sees no new variables: set ${name} and restart it, or use \${file:…}.`
      : `Set ${name}.`,
  }
}

function fillFile(path: string, readFile: (path: string) => string): Expanded {
  try {
    // Editors and `echo` end a file with a newline that is no part of the secret.
    return { text: readFile(path).replace(/\r?\n$/, '') }
  } catch (error) {
    const code = fileErrorCode(error)
    return {
      rule: 'variable/file',
      message: `cannot read ${path}: ${FILE_ERRORS[code] ?? code}`,
      hint: 'Relative paths start at the folder of this file.',
    }
  }
}

const NO_REFERENCE: Unexpandable = {
  rule: 'variable/syntax',
  message: 'this is no reference',
  hint: 'Write ${NAME}, ${NAME:-default} or ${file:/path}; write $${ for a literal ${.',
}
