// Whether an address that somebody else is said to have is one of this gateway's own. Pure.

/** Where the gateway publishes its keys. */
export const KEY_SET_PATH = '/.well-known/jwks.json'

/** Its issuer identifier, and what it says of itself as an authorization server. Behind a proxy others may have the rest. */
const OWN_PATHS = ['/', KEY_SET_PATH, '/authorize', '/token', '/register', '/revoke', '/introspect']

/** Three names of one listener. All others under `localhost` a proxy may share out. */
const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]']

/** `publicUrl`: any address of the gateway. */
export function isOwnAddress(url: string, publicUrl: string): boolean {
  const asked = new URL(url)
  return OWN_PATHS.includes(asked.pathname) && listenerOf(asked) === listenerOf(new URL(publicUrl))
}

/** A dot at its end makes no other name. */
function listenerOf({ protocol, hostname, port }: URL): string {
  const name = hostname.replace(/\.$/, '')
  const host = LOOPBACK_HOSTS.includes(name) ? 'localhost' : name
  return `${host}:${port || (protocol === 'https:' ? '443' : '80')}`
}
