// HTML from templates in which every value is escaped unless it is markup made here. Pure.

/** Markup that is safe to insert as it is. Only `html` and `raw` make it. */
export interface Markup {
  readonly markup: string
}

type Value = string | number | Markup | readonly Markup[] | undefined

/** The one way to write a page: whatever is inserted is text, so a client's name can't become a tag (sec-L9, sec-R6). */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return { markup: strings.reduce((text, part, index) => text + render(values[index - 1]) + part) }
}

/** For our own style sheet only. */
export function raw(markup: string): Markup {
  return { markup }
}

function render(value: Value): string {
  if (value === undefined) return ''
  if (typeof value === 'object')
    return 'markup' in value ? value.markup : value.map((item) => item.markup).join('')
  return escapeText(String(value))
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}

const MAX_NAME_LENGTH = 64

/** Control characters, direction overrides, line breaks, private use, and what takes room without showing (Hangul fillers, the blank Braille cell). */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** A name that somebody else chose, made harmless to read: only what can be seen, on one line, at most 64 characters (sec-R6). */
export function displayName(name: string): string {
  const plain = name.replace(UNSEEN, '').replace(/\s+/g, ' ').trim()
  return [...plain].length > MAX_NAME_LENGTH ? `${[...plain].slice(0, MAX_NAME_LENGTH).join('')}…` : plain
}
