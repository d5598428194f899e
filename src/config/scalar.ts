// A word as YAML text: plain where it reads back as the same word, quoted elsewhere.

/** What YAML reads as something else than text, and what other readers of YAML do. */
const NOT_TEXT = /^(true|false|null|yes|no|on|off|y|n|\.inf|\.nan)$/i

function writeScalar(text: string): string {
  return /^[A-Za-z/][\w./-]*$/.test(text) && !NOT_TEXT.test(text) ? text : JSON.stringify(text)
}

/** Undefined where nothing certain is meant. */
export function replaceBy(word: string | undefined): { readonly fix?: { text: string; title: string } } {
  if (word === undefined) return {}
  const text = writeScalar(word)
  return { fix: { text, title: `write ${text}` } }
}
