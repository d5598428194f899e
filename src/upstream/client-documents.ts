// Fetches client ID metadata documents and remembers the good ones for as long as HTTP and our bounds allow. Errors and
// bad documents are never remembered: a client that mends its document must not have to wait (§4.4, sec-R14).
import { OAuthError, UpstreamError } from '../errors.ts'
import { type ClientDocument, parseClientDocument } from '../oauth/client-document.ts'
import { lifetimeMs } from './cache-lifetime.ts'
import type { ControlAnswer, Trust } from './http.ts'
import type { PoliteHttp } from './politeness.ts'
import { isResting } from './rest.ts'

export interface DocumentRules {
  readonly privateSchemes: readonly string[]
  /** Hosts that may be private because the operator lists them. */
  readonly privateHosts: readonly string[]
}

export type KeySetSource = 'document' | 'configuration'

/** Whose key set it is, and who says where. */
export interface KeySetOwner {
  readonly clientId: string
  readonly namedBy: KeySetSource
}

export interface ClientDocuments {
  /** Throws OAuthError: `invalid_client` for a document that can't be used, `temporarily_unavailable` for one that can't be had now. */
  find(clientId: string, rules: DocumentRules): Promise<ClientDocument>
  /** A client's key set, by the address that its document names, or the configuration. */
  keys(uri: string, rules: DocumentRules, owner: KeySetOwner): Promise<string>
  /** Has what is known of this address fetched anew when it is needed next. False: it is not known, or too new for that. */
  expire(uri: string): boolean
}

/** Short enough that a change arrives, long enough that a popular client is not a flood, and that a sign-in ends with what it began with. */
const LIFETIMES = { minMs: 30_000, maxMs: 24 * 60 * 60_000, defaultMs: 5 * 60_000 }
/** As many of strangers, and as many of clients in use. */
const MAX_CACHED = 1_000
/** What the draft recommends for documents (§6.6) holds for all that strangers have us fetch and keep. */
const STRANGERS_MAX_BYTES = 5 * 1024
/** Certificates beside the keys (RFC 7517 §4.7) make large key sets, and an operator may trust one that has them. */
const MAX_BYTES: Readonly<Record<KeySetSource, number>> = {
  document: STRANGERS_MAX_BYTES,
  configuration: 64 * 1024,
}

interface Cached {
  readonly clientId: string
  readonly text: string
  readonly fetchedAtMs: number
  readonly freshUntilMs: number
  readonly usableUntilMs: number
}

/** What to fetch, for which client. */
interface Wanted {
  readonly uri: string
  readonly clientId: string
  readonly rules: DocumentRules
  readonly maxBytes: number
}

/** `ttlMs` undefined: it came out of the cache. */
interface Fetched {
  readonly text: string
  readonly ttlMs: number | undefined
}

export interface ClientDocumentsOptions {
  readonly http: PoliteHttp
  /** Whether people here use this client. */
  readonly isInUse: (clientId: string) => Promise<boolean>
  readonly now: () => number
}

export function createClientDocuments({ http, isInUse, now }: ClientDocumentsOptions): ClientDocuments {
  // Both in the order of use. Once the first is full, what belongs to a client in use moves to the second, where
  // strangers can't push it out.
  const cache = new Map<string, Cached>()
  const kept = new Map<string, Cached>()
  const lookUp = (uri: string) => kept.get(uri) ?? cache.get(uri)

  async function fetchText({ uri, clientId, rules, maxBytes }: Wanted): Promise<Fetched> {
    const url = new URL(uri)
    const isPrivate = rules.privateHosts.includes(url.hostname)
    const trust: Trust = isPrivate ? { derivedFrom: url.hostname } : 'foreign'
    const answer = await http({
      method: 'GET',
      url,
      client: clientId,
      headers: { accept: 'application/json' },
      trust,
      maxBytes,
      totalMs: 5_000,
    })
    if (answer.status !== 200)
      throw new UpstreamError('bad_response', 'the document is not there', { status: answer.status })
    if (!/^application\/([\w.-]+\+)?json\b/i.test(headerOf(answer, 'content-type') ?? ''))
      throw unusable('it is not served as JSON')
    return {
      text: answer.body.toString('utf8'),
      ttlMs: lifetimeMs(headerOf(answer, 'cache-control'), LIFETIMES),
    }
  }

  /**
   * The last good document stands in while its host can't be asked: anybody can spend the few requests that we send to
   * a host, and that must not lock out the people who use its client.
   */
  async function load(wanted: Wanted): Promise<Fetched> {
    const { uri } = wanted
    const cached = lookUp(uri)
    if (cached !== undefined && cached.freshUntilMs > now())
      return { text: touch(uri, cached), ttlMs: undefined }
    try {
      return await fetchText(wanted)
    } catch (error) {
      if (!isUnreachable(error) || cached === undefined || cached.usableUntilMs <= now())
        return asPublicError(error)
      // Another request may have brought a newer one meanwhile.
      return { text: lookUp(uri) === cached ? touch(uri, cached) : cached.text, ttlMs: undefined }
    }
  }

  function touch(uri: string, cached: Cached): string {
    const holder = kept.has(uri) ? kept : cache
    holder.delete(uri)
    holder.set(uri, cached)
    return cached.text
  }

  async function makeRoom(): Promise<void> {
    for (const [uri, cached] of cache) {
      if (cache.size <= MAX_CACHED) return
      const isKept = await isInUse(cached.clientId)
      // Fetched anew meanwhile, or somebody who made room at the same time was here first.
      if (cache.get(uri) !== cached) continue
      cache.delete(uri)
      if (!isKept) continue
      kept.set(uri, cached)
      const [leastUsed] = kept.keys()
      if (kept.size > MAX_CACHED && leastUsed !== undefined) kept.delete(leastUsed)
    }
  }

  async function remember({ uri, clientId }: Wanted, { text, ttlMs }: Fetched): Promise<void> {
    if (ttlMs === undefined || ttlMs === 0) return
    const fetchedAtMs = now()
    touch(uri, {
      clientId,
      text,
      fetchedAtMs,
      freshUntilMs: fetchedAtMs + ttlMs,
      usableUntilMs: fetchedAtMs + LIFETIMES.maxMs,
    })
    await makeRoom()
  }

  function expire(uri: string): boolean {
    const cached = lookUp(uri)
    if (cached === undefined || isResting(cached.fetchedAtMs, LIFETIMES.minMs, now())) return false
    // It goes on to stand in while its host can't be asked.
    touch(uri, { ...cached, freshUntilMs: 0 })
    return true
  }

  return {
    expire,
    async find(clientId, rules) {
      const wanted = { uri: clientId, clientId, rules, maxBytes: STRANGERS_MAX_BYTES }
      const fetched = await load(wanted)
      // Looked at before it is remembered.
      const document = parseClientDocument(clientId, fetched.text, rules.privateSchemes)
      await remember(wanted, fetched)
      return document
    },
    async keys(uri, rules, { clientId, namedBy }) {
      const wanted = { uri, clientId, rules, maxBytes: MAX_BYTES[namedBy] }
      const fetched = await load(wanted)
      await remember(wanted, fetched)
      return fetched.text
    },
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof UpstreamError && error.fault !== 'bad_response'
}

/** One text for every way of not being there: a page must not become a port scanner (sec-F6). Not `invalid_client`, which makes clients throw their registration away. */
function asPublicError(error: unknown): never {
  if (!(error instanceof UpstreamError)) throw error
  throw new OAuthError(
    'temporarily_unavailable',
    "the client's metadata document could not be fetched",
    error.detail,
  )
}

function unusable(why: string): OAuthError {
  return new OAuthError('invalid_client', `the client's metadata document cannot be used: ${why}`)
}

function headerOf(answer: ControlAnswer, name: string): string | undefined {
  const value = answer.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
