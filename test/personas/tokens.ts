// What a persona does with its code and its tokens at the token endpoint, and what it expects to get.
import * as assert from 'uvu/assert'
import type { Found } from './discovery.ts'
import type { Answer, Send } from './http.ts'
import { type Credentials, prove } from './identity.ts'
import type { Persona } from './persona.ts'

export interface Tokens {
  readonly access: string
  readonly refresh: string
  readonly scope: string
  readonly expiresInSeconds: number
}
/** One registered persona at one gateway. */
export interface Holder {
  readonly persona: Persona
  readonly found: Found
  readonly credentials: Credentials
  readonly resource: string | undefined
  readonly send: Send
  now(): number
}

type Form = Readonly<Record<string, string>>

async function post(holder: Holder, url: string, form: Form): Promise<Answer> {
  const { persona, credentials, found, send } = holder
  const proof = await prove(persona, credentials, found.endpoints.token, holder.now())
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
  const body = new URLSearchParams({ ...form, ...proof.form }).toString()
  return send(url, { method: 'POST', headers: { ...headers, ...proof.headers }, body })
}

function askToken(holder: Holder, form: Form): Promise<Answer> {
  const { persona, resource, found } = holder
  const carries = resource !== undefined && (persona.resourceAtToken ?? true)
  return post(holder, found.endpoints.token, { ...form, ...(carries && { resource }) })
}

export const redeem = (holder: Holder, code: string, verifier: string) =>
  askToken(holder, {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: holder.persona.redirectUri,
  })

export const refresh = (holder: Holder, token: string) =>
  askToken(holder, { grant_type: 'refresh_token', refresh_token: token })

export async function revoke(holder: Holder, token: string): Promise<void> {
  const url = holder.found.endpoints.revocation ?? ''
  const { status } = await post(holder, url, { token, token_type_hint: 'refresh_token' })
  assert.is(status, 200)
}

export function tokensOf({ status, header, text, body }: Answer): Tokens {
  assert.is(status, 200, text)
  assert.match(header('content-type') ?? '', /^application\/json/)
  assert.match(header('cache-control') ?? '', 'no-store')
  assert.match(String(body.token_type), /^bearer$/i)
  for (const member of ['access_token', 'refresh_token', 'scope'])
    assert.is(typeof body[member], 'string', member)
  return {
    access: String(body.access_token),
    refresh: String(body.refresh_token),
    scope: String(body.scope),
    expiresInSeconds: Number(body.expires_in),
  }
}
