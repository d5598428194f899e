// The token that names the caller in an exchange: signed by the gateway, brought by the client, or given by the operator.
import { randomUUID } from 'node:crypto'
import type { TokenExchangeAuth } from '../config/types.ts'
import { OAuthError } from '../errors.ts'
import { hashToken } from '../oauth/tokens.ts'
import type { Caller } from '../slots.ts'
import type { TokenType } from '../upstream/service-tokens.ts'
import type { AuthContext } from './context.ts'

export interface SubjectToken {
  readonly type: TokenType
  /** Everyone is the same person at the upstream. */
  readonly isShared: boolean
  /** Equal for callers who get the same token for it. */
  identity(caller: Caller): string
  /** From then on nobody has this identity any more. Undefined: that never comes. */
  endsAtMs(caller: Caller): number | undefined
  token(caller: Caller, audience: string): Promise<string>
}

/** Many authorization servers take no other, and identity assertions, signed with the same keys, have one of their own (RFC 8725 §3.11). */
const TYP = 'JWT'
/** It is used at once. */
const LIFETIME_SECONDS = 60

export function subjectToken(
  { subject_token: from, subject_token_type: type }: TokenExchangeAuth,
  context: AuthContext,
): SubjectToken {
  if (from === 'gateway') return signed(type ?? 'jwt', context)
  if (from === 'caller') return brought(type ?? 'access_token', context)
  return {
    type: type ?? 'id_token',
    isShared: true,
    identity: () => hashToken(from),
    endsAtMs: () => undefined,
    token: async () => from,
  }
}

function signed(type: TokenType, { issuer, deps: { signingKeys, now } }: AuthContext): SubjectToken {
  const claimsOf = ({ subject, profile: { kind, name, email } }: Caller) => ({
    sub: subject,
    // A machine client may have an id that is some person's name.
    ...(kind === 'person' && { name }),
    ...(email !== undefined && { email }),
  })
  return {
    type,
    isShared: false,
    identity: (caller) => JSON.stringify(claimsOf(caller)),
    endsAtMs: () => undefined,
    async token(caller, audience) {
      const iat = Math.floor(now() / 1000)
      const times = { iat, exp: iat + LIFETIME_SECONDS, jti: randomUUID() }
      return signingKeys.sign({ iss: issuer, aud: audience, ...claimsOf(caller), ...times }, TYP)
    },
  }
}

function brought(type: TokenType, { route }: AuthContext): SubjectToken {
  return {
    type,
    isShared: false,
    // Its scopes and claims may be others than those of the same person's next token.
    identity: ({ subject, tokenHash }) => JSON.stringify([subject, tokenHash]),
    endsAtMs: ({ jwt }) => jwt?.expiresAtMs,
    async token({ jwt }) {
      if (jwt !== undefined) return jwt.text
      throw new OAuthError('invalid_token', 'this server takes tokens of its identity provider only', {
        route,
      })
    },
  }
}
