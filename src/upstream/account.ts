// Whose tokens they are, for people to read: from an id_token that came with them, or by asking where the configuration
// says. Nothing is decided by it, so nothing is verified, and whatever goes wrong leaves it unknown.
import { jsonObject } from './control-answer.ts'
import type { ControlHttp } from './http.ts'

export interface AccountQuestion {
  readonly endpoint: string
  /** The member of the answer; undefined: whichever usual one is there. */
  readonly claim: string | undefined
}

/** OpenID Connect's claims, from what people recognise best to what may be ambiguous, and GitHub's. */
const CLAIMS = ['preferred_username', 'email', 'name', 'login']
const MAX_JWT_LENGTH = 16 * 1024
const MAX_NAME_LENGTH = 128
const ASK_MS = 5_000

/** A name without what can't be seen or turns text around (sec-R6), and not longer than a line. */
export function accountName(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const plain = value
    .slice(0, 4 * MAX_NAME_LENGTH)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu, '')
    .trim()
  return plain === '' ? undefined : [...plain].slice(0, MAX_NAME_LENGTH).join('')
}

/** Read without a look at the signature: it came from the token endpoint itself, and is only shown. */
export function accountOfIdToken(idToken: unknown): string | undefined {
  if (typeof idToken !== 'string' || idToken.length > MAX_JWT_LENGTH) return undefined
  const [, payload = ''] = idToken.split('.')
  return accountIn(Buffer.from(payload, 'base64url'), undefined)
}

/** Asks with the new token. Throws UpstreamError when nobody answers. */
export async function askAccount(
  http: ControlHttp,
  { endpoint, claim }: AccountQuestion,
  accessToken: string,
): Promise<string | undefined> {
  const { status, body } = await http({
    method: 'GET',
    url: new URL(endpoint),
    trust: 'configured',
    headers: { accept: 'application/json', authorization: `Bearer ${accessToken}` },
    totalMs: ASK_MS,
  })
  return status === 200 ? accountIn(body, claim) : undefined
}

function accountIn(body: Buffer, claim: string | undefined): string | undefined {
  const members = jsonObject(body) ?? {}
  const names = claim === undefined ? CLAIMS : [claim]
  for (const name of names) {
    const found = Object.hasOwn(members, name) ? accountName(members[name]) : undefined
    if (found !== undefined) return found
  }
  return undefined
}
