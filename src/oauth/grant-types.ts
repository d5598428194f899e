// The grant types that /token knows, and which of them this gateway offers: one list for the metadata and the endpoint. Pure.

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

export const GRANT_TYPES = ['authorization_code', 'refresh_token', 'client_credentials', JWT_BEARER] as const

export type GrantType = (typeof GRANT_TYPES)[number]

/** What clients get who make themselves known: a person consents. The others are for clients that an operator or an identity provider vouches for (sec-R9). */
export const SIGN_IN_GRANTS = ['authorization_code', 'refresh_token'] as const satisfies readonly GrantType[]

/** Refresh tokens come with the sign-in that they continue. */
export function withRefresh(types: readonly Exclude<GrantType, 'refresh_token'>[]): readonly GrantType[] {
  return GRANT_TYPES.filter((type) =>
    type === 'refresh_token' ? types.includes('authorization_code') : types.includes(type),
  )
}

export interface OfferedTo {
  /** Whether the configuration knows a client that may have tokens for itself. */
  readonly machines: boolean
  /** Whether assertions about people are taken from somebody. */
  readonly idJag: boolean
}

/** What nobody could use is not advertised, and is `unsupported_grant_type` to whoever tries it all the same. */
export function offeredGrantTypes({ machines, idJag }: OfferedTo): readonly GrantType[] {
  const offers: Partial<Record<GrantType, boolean>> = { client_credentials: machines, [JWT_BEARER]: idJag }
  return GRANT_TYPES.filter((type) => offers[type] ?? true)
}
