// What counts as this machine, by name or address. Pure.

/** RFC 6761 §6.3 for `*.localhost`, RFC 5735 §3 for 127/8. Takes a bare host or one as `URL.hostname` writes it. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  return (
    bare === 'localhost' || bare.endsWith('.localhost') || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare)
  )
}
