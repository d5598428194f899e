// YAML text → document, value and the mistakes that YAML itself knows. Bounded in size and depth; it never throws.
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  visit,
  type YAMLError,
} from 'yaml'
import { explainSyntax } from './syntax.ts'

export const MAX_BYTES = 1024 * 1024
export const MAX_DEPTH = 64

/** A mistake in the YAML, by offset: there may be no value to point at. */
export interface Fault {
  readonly rule: string
  readonly message: string
  readonly hint?: string
  readonly start: number
  readonly end: number
}

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

  const [syntax] = document.errors.filter(({ code }) => code !== 'DUPLICATE_KEY')
  if (syntax) return { lines, faults: [explainSyntax(syntax, text)] }
  const structural = structuralFaults(document)
  if (structural.length > 0) return { lines, faults: structural }
  return toValue(document, lines, text)
}

function toValue(document: Document, lines: LineCounter, text: string): Parsed {
  const faults = document.errors.map((error) => duplicateKey(error, text))
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
    prettyErrors: false,
    lineCounter: lines,
    logLevel: 'error',
  } as const
  return [...new Composer(options).compose(tokens, true, text.length)] as Document[]
}

/** What would make the value unsafe or surprising although the syntax is fine. */
function structuralFaults(document: Document): Fault[] {
  const faults: Fault[] = []
  if (document.directives?.yaml.explicit) {
    faults.push(fault('directive', 'a %YAML directive changes how values are read', 0, 'Remove the line.'))
  }
  visit(document, {
    Node(_, node, path) {
      const [start, end] = node.range ?? [0, 0]
      if (node.tag !== undefined && !isAlias(node)) {
        faults.push(
          fault(
            'tag',
            `tags such as ${node.tag.replace('tag:yaml.org,2002:', '!!')} are not used here`,
            start,
            'Remove the tag; quote a value that must stay text.',
            end,
          ),
        )
      }
      if (!isAlias(node)) return
      const target = node.resolve(document)
      if (!target)
        faults.push(
          fault('alias', `no anchor &${node.source} comes before this alias`, start, undefined, end),
        )
      else if (path.some((ancestor) => ancestor === target)) {
        faults.push(fault('alias', `*${node.source} contains itself`, start, 'Write the values out.', end))
      }
    },
    Pair(_, { key, value }) {
      if (!isScalar(key)) return
      const [start, end] = key.range ?? [0, 0]
      if (key.value === '__proto__')
        faults.push(fault('key', 'this name cannot be used', start, 'Choose another.', end))
      if (key.source === '<<' && key.type === 'PLAIN' && !isMergeSource(value, document)) {
        faults.push(
          fault('merge', '<< merges maps only', start, 'Write `<<: *anchor` where the anchor is a map.', end),
        )
      }
    },
  })
  return faults.length === 0 && depthOf(document) > MAX_DEPTH
    ? [fault('depth', `nested deeper than ${MAX_DEPTH} levels through aliases`, 0)]
    : faults
}

function isMergeSource(value: unknown, document: Document): boolean {
  const target = isAlias(value) ? value.resolve(document) : value
  if (isSeq(target)) return target.items.every((item) => !isSeq(item) && isMergeSource(item, document))
  return isMap(target)
}

/** Depth with aliases followed. An anchor's depth is known before any alias to it comes, so nothing is walked twice. */
function depthOf(document: Document): number {
  const known = new Map<unknown, number>()
  const measure = (node: unknown): number => {
    if (isAlias(node)) return known.get(node.resolve(document)) ?? 0
    const inner = isSeq(node) ? node.items : isMap(node) ? node.items.map(({ value }) => value) : []
    const depth = isNode(node) && inner.length > 0 ? 1 + Math.max(...inner.map(measure)) : 0
    known.set(node, depth)
    return depth
  }
  return measure(document.contents)
}

function duplicateKey({ pos: [start] }: YAMLError, text: string): Fault {
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

function fault(rule: string, message: string, start: number, hint?: string, end = start + 1): Fault {
  return { rule: `yaml/${rule}`, message, start, end, ...(hint === undefined ? {} : { hint }) }
}
