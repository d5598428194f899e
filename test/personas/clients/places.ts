// Where clients look, by the specifications and by habit.
import type { Place } from '../persona.ts'

const RESOURCE = '/.well-known/oauth-protected-resource'
const SERVER = '/.well-known/oauth-authorization-server'

export const RESOURCE_AT_PATH: Place = `${RESOURCE}{path}`
export const RESOURCE_AT_ROOT: Place = RESOURCE
export const SERVER_AT_ROOT: Place = SERVER
export const SERVER_AT_PATH: Place = `${SERVER}{path}`
export const SERVER_BELOW_PATH: Place = `{path}${SERVER}`
export const OPENID_AT_PATH: Place = '/.well-known/openid-configuration{path}'
export const OPENID_BELOW_PATH: Place = '{path}/.well-known/openid-configuration'

/** RFC 9728 as MCP has it: the challenge, the address with the path, the address without. */
export const BY_THE_BOOK: readonly Place[] = ['challenge', RESOURCE_AT_PATH, RESOURCE_AT_ROOT]
/** RFC 8414 inserted, OpenID inserted, OpenID appended; the same two for an issuer without a path. */
export const SERVERS: readonly Place[] = [SERVER_AT_PATH, OPENID_AT_PATH, OPENID_BELOW_PATH]

export const GRANTS = {
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
} as const
