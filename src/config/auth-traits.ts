// What the auth types have in common, one line each: what is asked of many is answered here, and not by their names. Pure.
import type { ServerSetting } from '../auth/servers.ts'
import type { AuthConfig, AuthorizationServerConfig } from './types.ts'

interface Traits {
  /** With an account, or a key, of each person at the upstream: nobody without a person gets anything there. */
  readonly person: boolean
  /** With tokens of an authorization server, whose client the gateway is. */
  readonly server: boolean
  /** With a key, in the place that the configuration names. */
  readonly key: boolean
}

const TRAITS = {
  none: { person: false, server: false, key: false },
  api_key: { person: false, server: false, key: true },
  authorization_code: { person: true, server: true, key: false },
  client_credentials: { person: false, server: true, key: false },
  token_exchange: { person: false, server: true, key: false },
  user_api_key: { person: true, server: false, key: true },
} as const satisfies { readonly [T in AuthConfig['type']]: Traits }

type With<Trait extends keyof Traits> = {
  [T in AuthConfig['type']]: (typeof TRAITS)[T][Trait] extends true ? Extract<AuthConfig, { type: T }> : never
}[AuthConfig['type']]

export type PersonAuth = With<'person'>
export type ServerAuth = With<'server'>
export type KeyAuth = With<'key'>

export const needsPerson = (auth: AuthConfig): auth is PersonAuth => TRAITS[auth.type].person

export const hasServer = (auth: AuthConfig): auth is ServerAuth => TRAITS[auth.type].server

export const isKey = (auth: AuthConfig): auth is KeyAuth => TRAITS[auth.type].key

export interface UsedServer {
  readonly setting: ServerSetting
  /** Its name, or what is written there; undefined: the upstream names it. */
  readonly reference: string | AuthorizationServerConfig | undefined
}

/** The authorization servers that a route needs, the one that its tokens come from first. */
export function serversUsed(auth: AuthConfig): readonly UsedServer[] {
  if (!hasServer(auth)) return []
  const own = { setting: 'authorization_server', reference: auth.authorization_server } as const
  const provider = 'identity_provider' in auth ? auth.identity_provider : undefined
  return provider === undefined ? [own] : [own, { setting: 'identity_provider', reference: provider }]
}
