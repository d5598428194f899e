/**
 * Text from elsewhere, for a line of a terminal or a log: nothing in it moves the cursor, changes colours, begins a new
 * line or turns text around (sec-O2, CVE-2021-42574).
 */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd')

/** JSON that shows the same, and in which nothing acts on a terminal or an editor that shows it. */
export const printableJson = (json: string): string =>
  json.replaceAll(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, escaped)

const escaped = (character: string) =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
