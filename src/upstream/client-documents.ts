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

export interface ClientDocuments {
  /** Throws OAuthError: `invalid_client` for a document that can't be used, `temporarily_unavailable` for one that can't be had now. */
  find(clientId: string, rules: DocumentRules): Promise<ClientDocument>
  /** A client's key set, by the address its document names. */
  keys(uri: string, rules: DocumentRules): Promise<string>
  /** Has what is known of this address fetched anew when it is needed next. False: it is not known, or too new for that. */
  expire(uri: string): boolean
}

/** Short enough that a change arrives, long enough that a popular client is not a flood, and that a sign-in ends with what it began with. */
const LIFETIMES = { minMs: 30_000, maxMs: 24 * 60 * 60_000, defaultMs: 5 * 60_000 }
const MAX_CACHED = 1_000

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

  async function fetchText(uri: string, { privateHosts }: DocumentRules): Promise<Fetched> {
    const url = new URL(uri)
    const trust: Trust = privateHosts.includes(url.hostname) ? { derivedFrom: url.hostname } : 'foreign'
    const answer = await http({
      method: 'GET',
      url,
      headers: { accept: 'application/json' },
      trust,
      maxBytes: 5 * 1024,
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
  async function load(uri: string, rules: DocumentRules): Promise<Fetched> {
    const cached = cache.get(uri)
    if (cached !== undefined && cached.freshUntilMs > now())
      return { text: touch(uri, cached), ttlMs: undefined }
    try {
      return await fetchText(uri, rules)
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

  /** Fetches, lets `judge` look, and only then remembers. */
  async function judged<T>(uri: string, rules: DocumentRules, judge: (text: string) => T): Promise<T> {
    const { text, ttlMs } = await load(uri, rules)
    const value = judge(text)
    if (ttlMs !== undefined && ttlMs > 0) remember(uri, text, ttlMs)
    return value
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
    find: (clientId, rules) =>
      judged(clientId, rules, (text) => parseClientDocument(clientId, text, rules.privateSchemes)),
    keys: (uri, rules) => judged(uri, rules, (text) => text),
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
