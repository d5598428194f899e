// What a sound configuration still asks of people outside it. Not problems: nothing in the file is wrong.
import type { Analysis } from './analyse.ts'
import { serversUsed } from './auth-traits.ts'
import { upstreamSignIn } from './plan/upstream-identity.ts'
import { childPointer } from './pointer.ts'
import { placeFinding } from './source.ts'
import type { Config } from './types.ts'

export interface Note {
  readonly kind: 'redirect-uri'
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
  /** What is to be registered. References to variables stand as they are, without their defaults. */
  readonly redirectUri: string
}

/** The redirect URIs of clients that were registered by hand: the upstream has to know them. */
export function notesOf({ result }: Analysis): Note[] {
  if (!result) return []
  const { settled, map } = result
  const config = settled.value as Config
  const found = Object.keys(config.routes).flatMap((route) => {
    const signIn = upstreamSignIn(config, route)
    if (!signIn?.byHand) return []
    const pointer = serverPointer(config, route)
    const { start } = placeFinding(map, { rule: '', pointer, at: 'key', message: '' })
    const redirectUri = withoutFallbacks(signIn.redirectUri)
    const message = `register the redirect URI ${redirectUri} at ${withoutFallbacks(signIn.server)}`
    return { kind: 'redirect-uri', file: map.file, ...placeOf(start), message, redirectUri } as const
  })
  return [...new Map(found.map((note) => [note.message, note])).values()]
}

function serverPointer(config: Config, route: string): string {
  const auth = config.routes[route]?.auth
  const [used] = auth === undefined ? [] : serversUsed(auth)
  return typeof used?.reference === 'string'
    ? childPointer('/authorization_servers', used.reference)
    : `${childPointer('/routes', route)}/auth/authorization_server`
}

const placeOf = ({ line, column }: { readonly line: number; readonly column: number }) => ({ line, column })

/** A default may be anything. */
const withoutFallbacks = (text: string) => text.replaceAll(/\$\{(?:env:)?(\w+):-[^}]*\}/g, '${$1}')
