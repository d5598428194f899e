// The gateway's own tokens: `<tag>_<grant id>.<256-bit secret>`. The grant id finds the record; the store holds only
// hashes of the whole token, so a leaked store signs nobody in. Pure but for the random source.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const TAGS = { code: 'mgc', access: 'mga', refresh: 'mgr' } as const

export type TokenKind = keyof typeof TAGS

export interface PresentedToken {
  readonly kind: TokenKind
  readonly grantId: string
  readonly hash: string
}

const FORM = /^(mgc|mga|mgr)_([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/

export function mintGrantId(): string {
  return randomBytes(16).toString('base64url')
}

export function mintToken(kind: TokenKind, grantId: string): string {
  return `${TAGS[kind]}_${grantId}.${randomBytes(32).toString('base64url')}`
}

/** 256-bit random values for everything else that must not be guessed: transactions, states, cookies. */
export function mintSecret(): string {
  return randomBytes(32).toString('base64url')
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

/** Undefined for anything that this gateway cannot have minted as that kind of token. */
export function parseToken(kind: TokenKind, token: string | undefined): PresentedToken | undefined {
  const match = token === undefined ? null : FORM.exec(token)
  if (token === undefined || match === null || match[1] !== TAGS[kind] || match[2] === undefined)
    return undefined
  return { kind, grantId: match[2], hash: hashToken(token) }
}

/** Compares two hashes without telling by timing how far they agree. */
export function sameHash(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
