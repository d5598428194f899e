// The gateway's own HTTP with short patience, and with a memory of what every answer says besides its content: whose
// host it was, and what time it was there.
import { UpstreamError } from '../errors.ts'
import { type ControlHttp, controlHttp } from '../upstream/http.ts'

/** How far this machine's clock is ahead of a host's, in milliseconds. */
export interface ClockReading {
  readonly host: string
  readonly aheadMs: number
}

export interface Observed {
  readonly http: ControlHttp
  readonly clocks: readonly ClockReading[]
  /** Every https host that was asked, answered or not. */
  readonly tlsHosts: ReadonlySet<string>
}

/** Somebody waits at a terminal. */
const PATIENCE_MS = 8_000
const MAX_PAGE_BYTES = 2 * 1024 * 1024

export function observe(http: ControlHttp = controlHttp): Observed {
  const clocks: ClockReading[] = []
  const tlsHosts = new Set<string>()
  return {
    clocks,
    tlsHosts,
    async http(request) {
      if (request.url.protocol === 'https:') tlsHosts.add(request.url.host)
      const sentAt = Date.now()
      const answer = await http({ totalMs: PATIENCE_MS, maxBytes: MAX_PAGE_BYTES, ...request })
      const theirs = Date.parse(String(answer.headers.date))
      // The header has whole seconds and was written somewhere between question and answer.
      if (!Number.isNaN(theirs))
        clocks.push({ host: request.url.host, aheadMs: (sentAt + Date.now()) / 2 - (theirs + 500) })
      return answer
    },
  }
}

/** Why a host gave no answer, or not the one that was wanted. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof UpstreamError)) return error instanceof Error ? error.message : String(error)
  const { reason } = error.detail
  return reason === undefined ? error.message : inWords(String(reason))
}

/** The same with what was found where it was looked. */
export function whyNot(error: unknown): string {
  if (!(error instanceof UpstreamError)) return reasonOf(error)
  const { issuer, expected, found } = error.detail
  const facts = [issuer, expected && `expected ${expected}`, found && `found ${found}`]
    .filter(Boolean)
    .join(', ')
  const reason = reasonOf(error)
  return facts === '' ? reason : `${reason}: ${facts}`
}

/** A system's or Node's code as people say it. */
export function inWords(code: string): string {
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
