// Whether an address of another issuer, or of its keys, is one of this gateway's own. Pure.

/** Where the gateway publishes its keys. */
export const KEY_SET_PATH = '/.well-known/jwks.json'

export function isOwnAddress(url: string, publicUrl: string): boolean {
  const { origin, pathname } = new URL(url)
  return origin === new URL(publicUrl).origin && (pathname === '/' || pathname === KEY_SET_PATH)
}
