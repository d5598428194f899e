// The key pairs that the gateway signs with, as a client of upstreams and in its own name: made once for all processes
// that share the store, private halves sealed, replaced every 90 days. A new key is published a day before it signs. One that
// a server was told of by value goes on signing for that server.
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose'
import { FORMAT } from './records.ts'
import type { Sealer } from './seal.ts'
import type { Store } from './store.ts'
import { update } from './update.ts'

const SIGNING_ALGORITHM = 'ES256'

export interface SigningKey {
  readonly kid: string
  readonly key: CryptoKey
}

export interface SigningKeys {
  /** The key to sign with now. */
  current(): Promise<SigningKey>
  /** The one that a server was told of by value, long after it signs elsewhere; undefined: gone. */
  named(kid: string): Promise<SigningKey | undefined>
  /** The public halves, for /.well-known/jwks.json (RFC 7517 §5). */
  published(): Promise<{ readonly keys: readonly JWK[] }>
  /** A compact JWT. `typ` tells it from the gateway's other ones (RFC 8725 §3.11); the caller sets all claims. */
  sign(claims: JWTPayload, typ: string): Promise<string>
}

interface StoredKey {
  readonly kid: string
  readonly public: JWK
  /** The private JWK. */
  readonly sealed: string
  readonly createdAtMs: number
  /** When it was last wanted by its name. */
  readonly askedAtMs?: number
}

interface KeyRecord {
  readonly v: typeof FORMAT
  readonly keys: readonly StoredKey[]
}

const DAY_MS = 24 * 60 * 60_000
const ROTATE_AFTER_MS = 90 * DAY_MS
/** Whoever keeps our key set for a day knows a key before it signs, and still knows it when it no longer does. */
export const OVERLAP_MS = DAY_MS
/** Well beyond what a registration is kept for that nobody uses. */
const KEPT_MS = 365 * DAY_MS
/** So that being asked for does not mean a write each time. */
const NOTED_EVERY_MS = 30 * DAY_MS
const KEY = 'signing/keys'
const PURPOSE = 'signing-key'

export function createSigningKeys(store: Store, sealer: Sealer, now: () => number): SigningKeys {
  const imported = new Map<string, SigningKey>()

  /** Undefined: the keyring no longer opens it, so it can only be published. */
  async function open({ kid, sealed }: StoredKey): Promise<SigningKey | undefined> {
    const known = imported.get(kid)
    if (known !== undefined) return known
    const text = sealer.open(PURPOSE, kid, sealed)
    if (text === undefined) return undefined
    const key = await importJWK(JSON.parse(text) as JWK, SIGNING_ALGORITHM)
    if (key instanceof Uint8Array) return undefined
    const opened = { kid, key }
    imported.set(kid, opened)
    return opened
  }

  const opens = ({ kid, sealed }: StoredKey) =>
    imported.has(kid) || sealer.open(PURPOSE, kid, sealed) !== undefined

  async function create(): Promise<StoredKey> {
    const { publicKey, privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true })
    const jwk = await exportJWK(publicKey)
    const kid = await calculateJwkThumbprint(jwk)
    const sealed = sealer.seal(PURPOSE, kid, JSON.stringify(await exportJWK(privateKey)))
    return {
      kid,
      public: { ...jwk, kid, alg: SIGNING_ALGORITHM, use: 'sig' },
      sealed,
      createdAtMs: now(),
    }
  }

  /** The keys that count now, the newest first; one is made when there is none, or none that will do tomorrow. */
  async function keys(): Promise<readonly StoredKey[]> {
    const stored = (await store.get<KeyRecord>(KEY))?.value
    if (stored !== undefined && !needsKey(stored.keys, opens, now())) return living(stored.keys, now())
    const made = await create()
    const written = await update<KeyRecord>(store, KEY, (current) => {
      const held = kept(current?.keys ?? [], now())
      // Another process was faster.
      if (!needsKey(held, opens, now())) return undefined
      return { value: { v: FORMAT, keys: [made, ...held] } }
    })
    return living(written?.keys ?? [made], now())
  }

  async function current(): Promise<SigningKey> {
    const usable = (await keys()).filter(opens)
    const chosen = usable.find(({ createdAtMs }) => now() - createdAtMs >= OVERLAP_MS) ?? usable.at(-1)
    const opened = chosen && (await open(chosen))
    if (opened === undefined) throw new Error('the gateway has no signing key that opens')
    return opened
  }

  async function named(kid: string): Promise<SigningKey | undefined> {
    const stored = (await store.get<KeyRecord>(KEY))?.value.keys.find((key) => key.kid === kid)
    if (stored === undefined) return undefined
    const opened = await open(stored)
    if (opened !== undefined && isNoteDue(stored, now())) await noteAsked(kid)
    return opened
  }

  async function noteAsked(kid: string): Promise<void> {
    await update<KeyRecord>(store, KEY, (record) => {
      const due = record?.keys.find((key) => key.kid === kid && isNoteDue(key, now()))
      if (record === undefined || due === undefined) return undefined
      const asked = { ...due, askedAtMs: now() }
      return { value: { ...record, keys: record.keys.map((key) => (key === due ? asked : key)) } }
    })
  }

  return {
    current,
    named,
    published: async () => ({ keys: (await keys()).map(({ public: jwk }) => jwk) }),
    async sign(claims, typ) {
      const { kid, key } = await current()
      return new SignJWT(claims).setProtectedHeader({ alg: SIGNING_ALGORITHM, kid, typ }).sign(key)
    },
  }
}

function living(keys: readonly StoredKey[], nowMs: number): readonly StoredKey[] {
  return keys.filter(({ createdAtMs }) => nowMs - createdAtMs < ROTATE_AFTER_MS + OVERLAP_MS)
}

const lastWantedMs = ({ createdAtMs, askedAtMs = createdAtMs }: StoredKey) => askedAtMs

const isNoteDue = (key: StoredKey, nowMs: number) => nowMs - lastWantedMs(key) >= NOTED_EVERY_MS

function kept(keys: readonly StoredKey[], nowMs: number): readonly StoredKey[] {
  return keys.filter((key) => nowMs - lastWantedMs(key) < KEPT_MS)
}

function needsKey(keys: readonly StoredKey[], opens: (key: StoredKey) => boolean, nowMs: number): boolean {
  return !keys.some((key) => nowMs - key.createdAtMs < ROTATE_AFTER_MS - OVERLAP_MS && opens(key))
}
