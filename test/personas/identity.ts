// How a persona makes itself known: by a document that it hosts, by registering, or by what somebody entered for it. And
// how it proves at the token endpoint that it is the one.
import { randomUUID } from 'node:crypto'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import * as assert from 'uvu/assert'
import type { ClientHost } from '../support/client-host.ts'
import type { Found } from './discovery.ts'
import type { JsonObject, Send } from './http.ts'
import type { Persona } from './persona.ts'

export interface Credentials {
  readonly id: string
  readonly secret: string | undefined
  readonly key: CryptoKey | undefined
}
/** What is added to a token request. */
export interface Proof {
  readonly form: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
}

export async function identify(persona: Persona, found: Found, host: ClientHost, send: Send) {
  const { identity } = persona
  if (identity.by === 'configuration')
    return { id: identity.clientId, secret: identity.secret, key: undefined } satisfies Credentials
  if (identity.by === 'document') return publish(persona, identity.path, identity.document, host)
  return register(persona, identity.metadata, found, send)
}

const SIGNATURE = 'RS256'
/** One for all: a vendor does not change its key between two sign-ins. */
const keyPair = once(() => generateKeyPair(SIGNATURE))

/** The real documents are on the vendors' sites; here each lies on a host of the test, the rest as it is there. */
async function publish(
  { authMethod }: Persona,
  path: string,
  document: JsonObject,
  host: ClientHost,
): Promise<Credentials> {
  const id = host.origin + path
  const pair = authMethod === 'private_key_jwt' ? await keyPair() : undefined
  // At its vendor's, `jwks_uri`, which has to be https.
  const keys = pair && { jwks: { keys: [await publicKey(pair.publicKey)] } }
  const body = JSON.stringify({ ...document, ...keys, client_id: id })
  host.paths.set(path, { status: 200, headers: { 'content-type': 'application/json' }, body })
  return { id, secret: undefined, key: pair?.privateKey }
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

const publicKey = async (key: CryptoKey): Promise<JWK> => ({
  ...(await exportJWK(key)),
  kid: 'cimd',
  use: 'sig',
})

export async function register(
  { authMethod }: Persona,
  metadata: JsonObject,
  { endpoints }: Pick<Found, 'endpoints'>,
  send: Send,
): Promise<Credentials> {
  const { status, text, body } = await send(endpoints.registration, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(metadata),
  })
  assert.is(status, 201, text)
  assert.equal(body.redirect_uris, metadata.redirect_uris, 'the whole set, as it was sent')
  // Clients authenticate as the answer says; the Python SDK sends no secret at all without the echo.
  assert.is(body.token_endpoint_auth_method, authMethod)
  assert.is(body.client_secret_expires_at, authMethod === 'none' ? undefined : 0)
  assert.is(typeof body.client_id_issued_at, 'number')
  assert.not.match(String(body.client_id), /^https?:/)
  return { id: String(body.client_id), secret: body.client_secret as string | undefined, key: undefined }
}

export async function prove(
  { authMethod, encodesBasic = false }: Persona,
  { id, secret = '', key }: Credentials,
  tokenEndpoint: string,
  nowMs: number,
): Promise<Proof> {
  if (authMethod === 'client_secret_post')
    return { form: { client_id: id, client_secret: secret }, headers: {} }
  if (authMethod === 'client_secret_basic') {
    // RFC 6749 §2.3.1 form-encodes both halves. Python does, the TypeScript SDK does not.
    const [user, password] = encodesBasic ? [encodeAll(id), encodeAll(secret)] : [id, secret]
    const basic = Buffer.from(`${user}:${password}`).toString('base64')
    return { form: encodesBasic ? { client_id: id } : {}, headers: { authorization: `Basic ${basic}` } }
  }
  if (key === undefined) return { form: { client_id: id }, headers: {} }
  return { form: await assertion(id, key, tokenEndpoint, Math.floor(nowMs / 1000)), headers: {} }
}

const encodeAll = (text: string) =>
  text.replace(/[^A-Za-z0-9]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** RFC 7523 §2.2. */
async function assertion(
  id: string,
  key: CryptoKey,
  audience: string,
  nowSeconds: number,
): Promise<Record<string, string>> {
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: SIGNATURE, kid: 'cimd' })
    .setIssuer(id)
    .setSubject(id)
    .setAudience(audience)
    .setJti(randomUUID())
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + 300)
    .sign(key)
  return {
    client_id: id,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: token,
  }
}
