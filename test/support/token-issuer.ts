// An issuer of JWTs that says of itself, and signs, whatever a test wants: metadata, keys, and tokens by any of them.
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose'
import { type Listening, listen } from './http.ts'
import { type Recorder, record } from './recorder.ts'

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly jwk: JWK
}

/** May be changed while the server runs. */
export interface TokenIssuerKnobs {
  /** What is published. */
  keys: SigningKey[]
  /** The `issuer` of its metadata. */
  named: string
  /** Where the metadata says the keys are. */
  jwksUri: string
  /** The addresses with metadata. */
  metadataPaths: string[]
  cacheControl: string | undefined
  /** Of every answer, and nothing but an error page with it. */
  status: number
  /** Hang up on everybody. */
  isDown: boolean
}

export interface TokenIssuer extends Listening {
  readonly issuer: string
  readonly knobs: TokenIssuerKnobs
  readonly recorder: Recorder
  readonly key: SigningKey
  /** Good claims for this audience; `undefined` leaves one out. */
  claims(audience: string, more?: Claims): JWTPayload
  /** An access token (RFC 9068) with these claims over good ones, by the issuer's own key unless another is given. */
  token(audience: string, more?: Claims, signing?: Partial<Signing>): Promise<string>
}
export type Claims = Readonly<Record<string, unknown>>
export interface Signing {
  /** Laid over `{ alg, kid, typ: 'at+jwt' }`; `undefined` leaves one out. */
  readonly header: Readonly<Record<string, unknown>>
  readonly key: SigningKey
}

export const METADATA = '/.well-known/oauth-authorization-server'
export const OPENID = '/.well-known/openid-configuration'
const JWKS = '/jwks'

export async function newSigningKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

export interface TokenIssuerOptions {
  readonly now?: () => number
  readonly alg?: string
}

export async function startTokenIssuer({
  now = Date.now,
  alg = 'ES256',
}: TokenIssuerOptions = {}): Promise<TokenIssuer> {
  const key = await newSigningKey('key-1', alg)
  const listening = await listen((request, response) => {
    if (knobs.isDown) return request.socket.destroy()
    const body = knobs.status === 200 ? documentAt(request.url?.split('?')[0] ?? '') : undefined
    const cache = knobs.cacheControl === undefined ? {} : { 'cache-control': knobs.cacheControl }
    const status = knobs.status === 200 && body === undefined ? 404 : knobs.status
    response.writeHead(status, { 'content-type': 'application/json', ...cache })
    response.end(body === undefined ? '<html>' : JSON.stringify(body))
  })
  const { origin: issuer } = listening
  const knobs: TokenIssuerKnobs = {
    keys: [key],
    named: issuer,
    jwksUri: issuer + JWKS,
    metadataPaths: [OPENID],
    cacheControl: undefined,
    status: 200,
    isDown: false,
  }

  function documentAt(path: string): unknown {
    if (path === JWKS) return { keys: knobs.keys.map(({ jwk }) => jwk) }
    return knobs.metadataPaths.includes(path) ? { issuer: knobs.named, jwks_uri: knobs.jwksUri } : undefined
  }

  function claims(audience: string, more: Claims = {}): JWTPayload {
    const iat = Math.floor(now() / 1000)
    const good = { iss: issuer, aud: audience, sub: 'dora', client_id: 'agent', iat, exp: iat + 300 }
    return present({ ...good, jti: crypto.randomUUID(), ...more })
  }

  return {
    ...listening,
    issuer,
    knobs,
    key,
    recorder: record(listening.server),
    claims,
    token: (audience, more, { header = {}, key: by = key } = {}) =>
      new SignJWT(claims(audience, more))
        .setProtectedHeader(
          present({ alg: by.alg, kid: by.kid, typ: 'at+jwt', ...header }) as unknown as JWTHeaderParameters,
        )
        .sign(by.privateKey),
  }
}

/** Without what is undefined. */
function present(members: Claims): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}
