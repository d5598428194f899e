// Fetches client ID metadata documents and remembers the good ones for as long as HTTP and our bounds allow. Errors and
// bad documents are never remembered: a client that mends its document must not have to wait (§4.4, sec-R14).
import { OAuthError, UpstreamError } from '../errors.ts'
import { type ClientDocument, parseClientDocument } from '../oauth/client-document.ts'
import { lifetimeMs } from './cache-lifetime.ts'
import type { ControlAnswer, ControlHttp, Trust } from './http.ts'

export interface DocumentRules {
  readonly privateSchemes: readonly string[]
  /** Hosts that may be private because the operator lists them. */
  readonly privateHosts: readonly string[]
}

export type KeySetSource = 'document' | 'configuration'

export interface ClientDocuments {
  /** Throws OAuthError: `invalid_client` for a document that can't be used, `temporarily_unavailable` for one that can't be had now. */
  find(clientId: string, rules: DocumentRules): Promise<ClientDocument>
  /** A client's key set, by the address that its document names, or the configuration. */
  keys(uri: string, rules: DocumentRules, namedBy: KeySetSource): Promise<string>
  /** Has what is known of this address fetched anew when it is needed next. False: it is not known, or too new for that. */
  expire(uri: string): boolean
}

/** Short enough that a change arrives, long enough that a popular client is not a flood, and that a sign-in ends with what it began with. */
const LIFETIMES = { minMs: 30_000, maxMs: 24 * 60 * 60_000, defaultMs: 5 * 60_000 }
const MAX_CACHED = 1_000
/** What the draft recommends for documents (§6.6) holds for all that strangers have us fetch and keep. */
const STRANGERS_MAX_BYTES = 5 * 1024
/** Certificates beside the keys (RFC 7517 §4.7) make large key sets, and an operator may trust one that has them. */
const MAX_BYTES: Readonly<Record<KeySetSource, number>> = {
  document: STRANGERS_MAX_BYTES,
  configuration: 64 * 1024,
}

interface Cached {
  readonly text: string
  readonly fetchedAtMs: number
  readonly freshUntilMs: number
  readonly usableUntilMs: number
}

/** `ttlMs` undefined: it came out of the cache. */
interface Fetched {
  readonly text: string
  readonly ttlMs: number | undefined
}

export function createClientDocuments(http: ControlHttp, now: () => number): ClientDocuments {
  // In the order of use, so what strangers fill it with goes before what people need.
  const cache = new Map<string, Cached>()

  async function fetchText(uri: string, { privateHosts }: DocumentRules, maxBytes: number): Promise<Fetched> {
    const url = new URL(uri)
    const trust: Trust = privateHosts.includes(url.hostname) ? { derivedFrom: url.hostname } : 'foreign'
    const answer = await http({
      method: 'GET',
      url,
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
  async function load(uri: string, rules: DocumentRules, maxBytes: number): Promise<Fetched> {
    const cached = cache.get(uri)
    if (cached !== undefined && cached.freshUntilMs > now())
      return { text: touch(uri, cached), ttlMs: undefined }
    try {
      return await fetchText(uri, rules, maxBytes)
    } catch (error) {
      if (!isUnreachable(error) || cached === undefined || cached.usableUntilMs <= now())
        return asPublicError(error)
      return { text: touch(uri, cached), ttlMs: undefined }
    }
  }

  function touch(uri: string, cached: Cached): string {
    cache.delete(uri)
    cache.set(uri, cached)
    return cached.text
  }

  function remember(uri: string, text: string, ttlMs: number): void {
    const fetchedAtMs = now()
    touch(uri, {
      text,
      fetchedAtMs,
      freshUntilMs: fetchedAtMs + ttlMs,
      usableUntilMs: fetchedAtMs + LIFETIMES.maxMs,
    })
    const [leastUsed] = cache.keys()
    if (cache.size > MAX_CACHED && leastUsed !== undefined) cache.delete(leastUsed)
  }

  function rememberFetched(uri: string, { text, ttlMs }: Fetched): void {
    if (ttlMs !== undefined && ttlMs > 0) remember(uri, text, ttlMs)
  }

  function expire(uri: string): boolean {
    const cached = cache.get(uri)
    if (cached === undefined || now() - cached.fetchedAtMs < LIFETIMES.minMs) return false
    // It goes on to stand in while its host can't be asked.
    cache.set(uri, { ...cached, freshUntilMs: 0 })
    return true
  }

  return {
    expire,
    async find(clientId, rules) {
      const fetched = await load(clientId, rules, STRANGERS_MAX_BYTES)
      // Looked at before it is remembered.
      const document = parseClientDocument(clientId, fetched.text, rules.privateSchemes)
      rememberFetched(clientId, fetched)
      return document
    },
    async keys(uri, rules, namedBy) {
      const fetched = await load(uri, rules, MAX_BYTES[namedBy])
      rememberFetched(uri, fetched)
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
