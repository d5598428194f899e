/**
 * Text from elsewhere, for a line of a terminal or a log: nothing in it moves the cursor, changes colours, begins a new
 * line or turns text around (sec-O2, CVE-2021-42574).
 */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd')
