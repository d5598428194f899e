// The gateway's own HTTP with short patience, and with a memory of what every answer says besides its content: whose
// host it was, and what time it was there.
import { UpstreamError } from '../errors.ts'
import type { ControlHttp } from '../upstream/http.ts'

/** How far this machine's clock is ahead of a host's, in milliseconds. */
export interface ClockReading {
  readonly host: string
  readonly aheadMs: number
}

export interface Observed {
  readonly http: ControlHttp
  readonly clocks: readonly ClockReading[]
  /** Every https host that was called, answered or not. */
  readonly tlsHosts: ReadonlySet<string>
}

/** Somebody waits at a terminal. */
const PATIENCE_MS = 8_000
const MAX_PAGE_BYTES = 2 * 1024 * 1024

export function observe(http: ControlHttp): Observed {
  const clocks: ClockReading[] = []
  const tlsHosts = new Set<string>()
  return {
    clocks,
    tlsHosts,
    async http(request) {
      const sentAt = Date.now()
      const { protocol, host } = request.url
      const answer = await http({ totalMs: PATIENCE_MS, maxBytes: MAX_PAGE_BYTES, ...request }).catch(
        (error: unknown) => {
          if (protocol === 'https:' && isCalled(error)) tlsHosts.add(host)
          throw error
        },
      )
      if (protocol === 'https:') tlsHosts.add(host)
      const theirs = Date.parse(String(answer.headers.date))
      // The header has whole seconds and was written somewhere between question and answer.
      if (!Number.isNaN(theirs)) clocks.push({ host, aheadMs: (sentAt + Date.now()) / 2 - (theirs + 500) })
      return answer
    },
  }
}

/** What the guard refuses is not called for its certificate either. */
function isCalled(error: unknown): boolean {
  return error instanceof UpstreamError && !GUARDED.includes(error.detail.reason)
}

const GUARDED: readonly unknown[] = ['private_address', 'scheme', 'userinfo', 'no_address']

/** Why a host gave no answer, or not the one that was wanted. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof UpstreamError)) return error instanceof Error ? error.message : String(error)
  const { reason } = error.detail
  return reason === undefined ? error.message.replace(LEAD, '') : inWords(String(reason))
}

const LEAD = 'the upstream cannot be used: '

/** The same with what was found where it was looked. Advice comes after it, so that of the message is left out. */
export function whyNot(error: unknown): string {
  if (!(error instanceof UpstreamError)) return reasonOf(error)
  const { issuer, expected, found } = error.detail
  const facts = [issuer, expected && `expected ${expected}`, found && `found ${found}`]
    .filter(Boolean)
    .join(', ')
  const [reason = ''] = reasonOf(error).split(';')
  return facts === '' ? reason : `${reason}: ${facts}`
}

/** A system's or Node's code as people say it. */
export function inWords(code: string): string {
  const [, refusal, fault] = /^ERR_PROXY_(?:(\d+)|(.+))$/.exec(code) ?? []
  if (refusal !== undefined) return `the proxy (egress.proxy) answers ${refusal}`
  if (fault !== undefined) return `the proxy (egress.proxy): ${inWords(fault)}`
  return WORDS[code] ?? code
}

const WORDS: Readonly<Record<string, string>> = {
  timeout: 'no answer in time',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no way to this host',
  ENETUNREACH: 'no way to this network',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'name resolution does not work',
  CERT_HAS_EXPIRED: 'its certificate has ended',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an authority unknown here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an authority unknown here',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  private_address: 'it names a private address, which only the configuration may',
  scheme: 'it names a URL that is not https',
}
