// YAML text → document, value and the mistakes that YAML itself knows. Bounded in size and depth; it never throws.
import { Composer, type Document, isScalar, Lexer, LineCounter, Parser, visit } from 'yaml'
import { type Fault, fault, MAX_BYTES, MAX_DEPTH } from './fault.ts'
import { structuralFaults } from './structure.ts'
import { explainSyntax } from './syntax.ts'

export interface Parsed {
  readonly lines: LineCounter
  /** Absent when the text is no single, sane document. */
  readonly document?: Document
  readonly value?: unknown
  readonly faults: readonly Fault[]
}

export function parseYaml(text: string): Parsed {
  const lines = new LineCounter()
  if (Buffer.byteLength(text) > MAX_BYTES)
    return { lines, faults: [fault('size', 'the file is larger than 1 MiB', 0)] }
  const documents = compose(text, lines)
  if ('rule' in documents) return { lines, faults: [documents] }
  const [document, second] = documents
  if (second) return { lines, faults: [severalDocuments(second)] }
  if (!document?.contents) return { lines, faults: [emptyFile()] }

  const [syntax] = document.errors
  if (syntax) return { lines, faults: [explainSyntax(syntax, text)] }
  const structural = structuralFaults(document)
  if (structural.length > 0) return { lines, faults: structural }
  return toValue(document, lines, text)
}

function toValue(document: Document, lines: LineCounter, text: string): Parsed {
  const faults = duplicateKeys(document)
    .slice(0, MAX_SHOWN)
    .map((start) => duplicateKey(start, text))
  try {
    return { lines, document, value: document.toJS({ maxAliasCount: 100 }), faults }
  } catch {
    // What is left after the structural checks: aliases whose copies multiply ("billion laughs"), or an odd merge.
    return {
      lines,
      faults: [
        ...faults,
        fault('alias', 'aliases and merges here cannot be followed', 0, 'Write the values out.'),
      ],
    }
  }
}

/** Parses token by token, so that depth is refused before anything recursive meets it. */
function compose(text: string, lines: LineCounter): Document[] | Fault {
  const parser = new Parser(lines.addNewLine)
  lines.addNewLine(0)
  const tokens = []
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme))
    // The stack also holds the document and the scalar that is being read.
    if (parser.stack.length > MAX_DEPTH + 2) {
      return fault('depth', `nested deeper than ${MAX_DEPTH} levels`, parser.offset)
    }
  }
  tokens.push(...parser.end())
  const options = {
    merge: true,
    stringKeys: true,
    // The parser compares every name with every other one: minutes for a map of many.
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: 'error',
  } as const
  return [...new Composer(options).compose(tokens, true, text.length)] as Document[]
}

/** Nobody reads more. */
const MAX_SHOWN = 1000

/** Where names begin that their map already has. */
function duplicateKeys(document: Document): number[] {
  const found: number[] = []
  visit(document, {
    Map: (_, { items }) => {
      const names = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        if (names.has(key.value)) found.push(key.range?.[0] ?? 0)
        names.add(key.value)
      }
    },
  })
  return found
}

function duplicateKey(start: number, text: string): Fault {
  const name = /^("[^"\n]*"|'[^'\n]*'|[^:\n]+)/.exec(text.slice(start, start + 200))?.[0] ?? ''
  const end = start + Math.max(1, name.trimEnd().length)
  return fault(
    'duplicate-key',
    'this name is already used in the same map',
    start,
    'Keep one of the two.',
    end,
  )
}

const emptyFile = (): Fault =>
  fault(
    'empty',
    'the file is empty',
    0,
    'The shortest useful file has `version: 1` and one entry under `routes`.',
  )

const severalDocuments = (second: Document): Fault =>
  fault(
    'documents',
    'a second YAML document begins here',
    second.range?.[0] ?? 0,
    'Keep one document per file; remove the `---`.',
  )
