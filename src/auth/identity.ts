// What an upstream is told about the caller: plain headers, or a JWT that the gateway signs for it. Values come from the
// gateway's own knowledge of the caller, never from the request.
import { randomUUID } from 'node:crypto'
import type { IdentityAssertion, IdentityConfig } from '../config/types.ts'
import { foldHeaderName } from '../header-name.ts'
import type { Caller, UpstreamIdentity } from '../slots.ts'
import type { SigningKeys } from '../store/signing-keys.ts'

export interface IdentityContext {
  readonly issuer: string
  readonly upstream: URL
  readonly signingKeys: SigningKeys
  readonly now: () => number
}

type Claim = NonNullable<IdentityConfig['headers']>[string]

const CLAIMS: { readonly [C in Claim]: (caller: Caller) => readonly string[] } = {
  subject: ({ subject }) => [subject],
  // A machine client may have an id that is some person's name.
  name: ({ profile: { kind, name } }) => (kind === 'person' ? [name] : []),
  email: ({ profile }) => (profile.email === undefined ? [] : [profile.email]),
  groups: ({ profile }) => profile.groups,
  client_id: ({ clientId }) => (clientId === undefined ? [] : [clientId]),
}

/** Tells an upstream apart what says whom it is for (RFC 8725 §3.11): the same key signs tokens for authorization servers. */
const TYP = 'gateway-identity+jwt'

export function buildIdentity(config: IdentityConfig, context: IdentityContext): UpstreamIdentity {
  const { headers = {}, assertion } = config
  const plain = Object.entries(headers).map(([name, claim]) => ({ name: name.toLowerCase(), claim }))
  const names = [...plain.map(({ name }) => name), ...(assertion ? [assertion.header.toLowerCase()] : [])]
  return {
    headerNames: new Set(names.map(foldHeaderName)),
    async headers(caller) {
      const values = plain.flatMap(({ name, claim }) => {
        const value = CLAIMS[claim](caller).map(headerText).join(',')
        return value === '' ? [] : [[name, value]]
      })
      const signed = assertion && [[assertion.header.toLowerCase(), await sign(assertion, caller, context)]]
      return Object.fromEntries([...values, ...(signed ?? [])])
    },
  }
}

function sign(assertion: IdentityAssertion, caller: Caller, context: IdentityContext): Promise<string> {
  const { issuer, upstream, signingKeys, now } = context
  const { subject, clientId, route, profile } = caller
  const iat = Math.floor(now() / 1000)
  const claims = {
    iss: issuer,
    sub: subject,
    aud: assertion.audience ?? upstream.origin + upstream.pathname,
    iat,
    exp: iat + Math.max(1, Math.floor(assertion.ttl_ms / 1000)),
    jti: randomUUID(),
    ...(clientId !== undefined && { client_id: clientId }),
    route,
    ...(profile.kind === 'person' && { name: profile.name }),
    groups: profile.groups,
    ...(profile.email !== undefined && { email: profile.email }),
  }
  return signingKeys.sign(claims, TYP)
}

/**
 * One value, as plain ASCII that no reader takes for two: a name may hold a line break, a comma or what some decoders
 * turn into one. `%` too, so that it can be undone; a space at the edge, because readers trim.
 */
export function headerText(value: string): string {
  const encode = (part: string) =>
    [...Buffer.from(part, 'utf8')]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join('')
  return value.replace(/[^\u0020-\u007e]+|[%,]|^ +| +$/gu, encode)
}
