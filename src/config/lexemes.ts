// The smallest pieces of a YAML text with their offsets. Works on text that does not parse.
import { CST, Lexer } from 'yaml'

export interface Lexeme {
  /** `scalar` for plain ones; null where YAML gives none. */
  readonly type: CST.TokenType | null
  readonly source: string
  readonly offset: number
}

export function lexemes(text: string): Lexeme[] {
  const found: Lexeme[] = []
  let offset = 0
  let plain = false
  for (const source of new Lexer().lex(text)) {
    // The lexer announces plain and block scalars, documents and a byte order mark by control characters of its own.
    if (source === CST.SCALAR) plain = true
    if (source === CST.SCALAR || source === CST.DOCUMENT || source === CST.FLOW_END) continue
    found.push({ type: plain ? 'scalar' : CST.tokenType(source), source, offset })
    plain = false
    offset += source.length
  }
  return found
}
