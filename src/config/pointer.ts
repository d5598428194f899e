// JSON pointers (RFC 6901): to pieces, from pieces, and as people write them.

export function parsePointer(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}

export function childPointer(pointer: string, key: string | number): string {
  return `${pointer}/${escapeSegment(String(key))}`
}

/** Whether `pointer` is `ancestor` or lies inside it. */
export function isWithin(pointer: string, ancestor: string): boolean {
  return pointer === ancestor || pointer.startsWith(`${ancestor}/`)
}

/** The pointer itself, then what it lies in, from the inside out; the root left out. */
export function* withAncestors(pointer: string): Iterable<string> {
  for (let end = pointer.length; end > 0; end = pointer.lastIndexOf('/', end - 1)) yield pointer.slice(0, end)
}

/** Whether the pointer is one of these or lies inside one. */
export function isAmong(pointer: string, pointers: ReadonlySet<string>): boolean {
  for (const part of withAncestors(pointer)) if (pointers.has(part)) return true
  return false
}

/** `/routes/tavily/auth/type` → `routes.tavily.auth.type`; list items and odd keys in brackets. */
export function dottedPath(pointer: string): string {
  return parsePointer(pointer).reduce((path, segment) => {
    if (/^\d+$/.test(segment)) return `${path}[${segment}]`
    if (!/^[\w-]+$/.test(segment)) return `${path}[${JSON.stringify(segment)}]`
    return path === '' ? segment : `${path}.${segment}`
  }, '')
}

const escapeSegment = (segment: string) => segment.replaceAll('~', '~0').replaceAll('/', '~1')
