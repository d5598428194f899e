// The public keys of issuers that the configuration trusts: fetched when they are needed, kept for as long as HTTP and
// our bounds allow, asked for again when a token names one that is not among them. Errors are never kept.
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { UpstreamError } from '../errors.ts'
import { isLoopbackHost } from '../loopback.ts'
import type { TrustedIssuer } from '../oauth/issuer-token.ts'
import type { Log } from '../ops/log.ts'
import { lifetimeMs } from './cache-lifetime.ts'
import { isPassing, jsonObject } from './control-answer.ts'
import type { ControlAnswer, ControlHttp, Trust } from './http.ts'
import { isResting } from './rest.ts'
import { serverMetadataUrls } from './well-known.ts'

export interface IssuerKeys {
  /** The key that a token's header means. Throws JOSEError when the issuer has none, UpstreamError when it can't be asked now. */
  keyOf(issuer: TrustedIssuer): JWTVerifyGetKey
}

/** A key that was withdrawn is gone within the hour. */
const LIFETIMES = { minMs: 5 * 60_000, maxMs: 60 * 60_000, defaultMs: 10 * 60_000 }
/** An issuer that is down signs nobody in, but need not sign anybody out. */
const USABLE_MS = 24 * 60 * 60_000
/** Anybody can name a key that does not exist. */
const REST_MS = 30_000
/** With no keys at all nobody can come in, so the issuer is asked again soon. */
const SHORT_REST_MS = 1_000
const TOTAL_MS = 5_000

interface Keys {
  readonly find: JWTVerifyGetKey
  readonly freshUntilMs: number
  readonly usableUntilMs: number
}

/** All that is known of one issuer. */
interface Known {
  keys: Keys | undefined
  askedAtMs: number
  underWay: Promise<Keys> | undefined
}

export interface IssuerKeysOptions {
  readonly http: ControlHttp
  readonly now: () => number
  readonly log: Pick<Log, 'warn'>
}

export function createIssuerKeys({ http, now, log }: IssuerKeysOptions): IssuerKeys {
  const issuers = new Map<string, Known>()

  function knownOf({ issuer, jwks_uri: uri }: TrustedIssuer): Known {
    const name = JSON.stringify([issuer, uri ?? null])
    const known = issuers.get(name) ?? { keys: undefined, askedAtMs: -Infinity, underWay: undefined }
    issuers.set(name, known)
    return known
  }

  const rests = ({ askedAtMs }: Known, forMs: number) => isResting(askedAtMs, forMs, now())

  /** One request for all who wait for it. */
  function ask(known: Known, issuer: TrustedIssuer): Promise<Keys> {
    known.underWay ??= askOnce(known, issuer).finally(() => {
      known.underWay = undefined
    })
    return known.underWay
  }

  async function askOnce(known: Known, issuer: TrustedIssuer): Promise<Keys> {
    known.askedAtMs = now()
    const { set, forMs } = await fetchKeys(http, issuer)
    known.keys = {
      find: createLocalJWKSet(set),
      freshUntilMs: now() + forMs,
      usableUntilMs: now() + USABLE_MS,
    }
    return known.keys
  }

  async function current(known: Known, issuer: TrustedIssuer): Promise<Keys> {
    const { keys } = known
    if (keys !== undefined && keys.freshUntilMs > now()) return keys
    const usable = keys !== undefined && keys.usableUntilMs > now() ? keys : undefined
    if (rests(known, usable === undefined ? SHORT_REST_MS : REST_MS) && known.underWay === undefined) {
      if (usable === undefined) throw unavailable(issuer, 'asked a moment ago')
      return usable
    }
    try {
      return await ask(known, issuer)
    } catch (error) {
      const failure = asUnavailable(error, issuer)
      if (usable === undefined) throw failure
      log.warn('the keys of an issuer could not be fetched again: the last good ones go on', failure.detail)
      return usable
    }
  }

  return {
    keyOf: (issuer) => async (header, token) => {
      const known = knownOf(issuer)
      const keys = await current(known, issuer)
      try {
        return await keys.find(header, token)
      } catch (error) {
        // A new key may be a minute old (rotation); a made-up one must not become a flood on the issuer.
        const mayAsk = known.underWay !== undefined || !rests(known, REST_MS)
        if (!(error instanceof errors.JWKSNoMatchingKey) || !mayAsk) throw error
        const { find } = await ask(known, issuer).catch((failed) => {
          throw asUnavailable(failed, issuer)
        })
        return find(header, token)
      }
    },
  }
}

/** What a key set is good for. */
export interface KeySurvey {
  readonly url: string
  readonly count: number
  /** Those of the issuer's algorithms that there is a key for. */
  readonly algorithms: readonly string[]
}

/** Asks the issuer, as a token of it would have us do. Throws UpstreamError. */
export async function surveyKeys(http: ControlHttp, issuer: TrustedIssuer): Promise<KeySurvey> {
  const { url, set } = await fetchKeys(http, issuer)
  const isUsable = (key: JSONWebKeySet['keys'][number], alg: string) =>
    // By itself, so that no other key can be meant.
    createLocalJWKSet({ keys: [key] })({ alg }).then(
      () => true,
      () => false,
    )
  const usable = await Promise.all(
    issuer.algorithms.map(async (alg) =>
      (await Promise.all(set.keys.map((key) => isUsable(key, alg)))).includes(true),
    ),
  )
  return {
    url: url.href,
    count: set.keys.length,
    algorithms: issuer.algorithms.filter((_, index) => usable[index] === true),
  }
}

interface FetchedKeys {
  readonly url: URL
  readonly set: JSONWebKeySet
  readonly forMs: number
}

async function fetchKeys(http: ControlHttp, issuer: TrustedIssuer): Promise<FetchedKeys> {
  const { url, trust } = await keysAddress(http, issuer)
  const answer = await get(http, url, trust)
  const set = answer.status === 200 ? jsonObject(answer.body) : undefined
  if (set === undefined || !Array.isArray(set.keys)) throw unusable('its jwks_uri holds no key set')
  const cacheControl = [answer.headers['cache-control'] ?? []].flat().join(', ')
  return {
    url,
    set: set as unknown as JSONWebKeySet,
    // With `no-store` every request of every client would be one to the issuer.
    forMs: Math.max(lifetimeMs(cacheControl, LIFETIMES), LIFETIMES.minMs),
  }
}

interface Address {
  readonly url: URL
  readonly trust: Trust
}

async function keysAddress(http: ControlHttp, { issuer, jwks_uri: uri }: TrustedIssuer): Promise<Address> {
  if (uri !== undefined) return { url: new URL(uri), trust: 'configured' }
  for (const url of serverMetadataUrls(new URL(issuer))) {
    const answer = await get(http, url, 'configured')
    // Other addresses are for servers that lack one, not for servers that can't say now.
    if (isPassing(answer.status)) throw unusable(`its metadata is answered with ${answer.status}`)
    const document = answer.status === 200 ? jsonObject(answer.body) : undefined
    if (document === undefined) continue
    // RFC 8414 §3.3: whoever could speak for another issuer could sign for it.
    if (document.issuer !== issuer) throw unusable('its metadata names another issuer')
    return { url: keysUrl(document.jwks_uri), trust: { derivedFrom: new URL(issuer).hostname } }
  }
  throw unusable('it publishes no metadata: write its jwks_uri into the configuration')
}

/** Whoever could change the keys on their way could sign in as anybody. */
function keysUrl(uri: unknown): URL {
  const url = typeof uri === 'string' ? URL.parse(uri) : null
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  if (url === null || !isSafe) throw unusable('its metadata has no usable jwks_uri')
  return url
}

function get(http: ControlHttp, url: URL, trust: Trust): Promise<ControlAnswer> {
  return http({ method: 'GET', url, trust, headers: { accept: 'application/json' }, totalMs: TOTAL_MS })
}

function unusable(why: string): UpstreamError {
  return new UpstreamError('bad_response', `the issuer cannot be used: ${why}`)
}

/** Whatever is wrong with the issuer: its tokens may be good, so nobody is sent to sign in again for it. */
function asUnavailable(error: unknown, { issuer }: TrustedIssuer): UpstreamError {
  const isOurs = error instanceof UpstreamError
  return unavailable({ issuer }, isOurs ? error.message : String(error), isOurs ? error.detail : {})
}

function unavailable({ issuer }: Pick<TrustedIssuer, 'issuer'>, reason: string, detail = {}): UpstreamError {
  return new UpstreamError(
    'unavailable',
    'the identity provider of this server cannot be asked for its keys at the moment',
    { ...detail, issuer, reason },
    5,
  )
}
