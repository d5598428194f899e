// The gateway's own HTTP with short patience, and with a memory of what every answer says besides its content: whose
// host it was, and what time it was there.
import { UpstreamError } from '../errors.ts'
import { messageOf } from '../message-of.ts'
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
  if (!(error instanceof UpstreamError)) return messageOf(error)
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
  return CAUSES[code]?.words ?? code
}

/** What to do about a host that gave no answer. */
export function adviceFor(error: unknown): string {
  const reason = error instanceof UpstreamError ? String(error.detail.reason) : ''
  if (/^ERR_PROXY_\d/.test(reason))
    return 'Ask whoever runs the proxy, check egress.proxy_authorization, or list the host in egress.direct.'
  if (reason.startsWith('ERR_PROXY_')) return 'See egress.proxy.'
  return CAUSES[reason]?.advice ?? 'Check the URL, name resolution and the firewall from this machine.'
}

interface Cause {
  readonly words: string
  readonly advice?: string
}

const ON_THE_WAY = 'Check the URL, and the firewall and the network from this machine.'
const CERTIFICATE = 'See tls below.'
const NO_TLS: Cause = {
  words: 'it speaks no TLS there',
  advice: 'Check scheme and port of the URL.',
}

const CAUSES: Readonly<Record<string, Cause>> = {
  timeout: { words: 'no answer in time', advice: ON_THE_WAY },
  ECONNREFUSED: {
    words: 'connection refused',
    advice: 'Nothing listens there: check host and port of the URL, and whether the server runs.',
  },
  ECONNRESET: {
    words: 'connection reset',
    advice: 'Check scheme and port of the URL, and what stands in between.',
  },
  EHOSTUNREACH: { words: 'no way to this host', advice: ON_THE_WAY },
  ENETUNREACH: { words: 'no way to this network', advice: ON_THE_WAY },
  ENOTFOUND: {
    words: 'no such host name',
    advice: 'Check the host name in the URL, and whether the name servers of this machine should know it.',
  },
  EAI_AGAIN: {
    words: 'name resolution does not work',
    advice: 'Check the name servers of this machine, and that it may reach them.',
  },
  CERT_HAS_EXPIRED: { words: 'its certificate has ended', advice: CERTIFICATE },
  CERT_NOT_YET_VALID: { words: 'its certificate is not valid yet', advice: CERTIFICATE },
  DEPTH_ZERO_SELF_SIGNED_CERT: { words: 'its certificate is self-signed', advice: CERTIFICATE },
  SELF_SIGNED_CERT_IN_CHAIN: {
    words: 'its certificate is signed by an authority unknown here',
    advice: CERTIFICATE,
  },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    words: 'its certificate is signed by an authority unknown here',
    advice: CERTIFICATE,
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    words: 'its certificate is signed by an authority unknown here',
    advice: CERTIFICATE,
  },
  ERR_TLS_CERT_ALTNAME_INVALID: { words: 'its certificate is for another name', advice: CERTIFICATE },
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  private_address: { words: 'it names a private address, which only the configuration may' },
  scheme: { words: 'it names a URL that is not https' },
}
